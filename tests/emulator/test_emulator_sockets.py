"""The far side on real sockets of this host: real clock, no sleeping."""

import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio

from modemproxy.emulator.byhand import ByHand
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.emulator.sockets import SocketInternet

OK = b"\r\nOK\r\n"


class Rig:
    """A module, its DTE by hand, and a listener on loopback."""

    def __init__(self, nursery: trio.Nursery, listener: trio.SocketListener) -> None:
        port = listener.socket.getsockname()[1]
        hosts = {"far.example:80": f"127.0.0.1:{port}", "here": "127.0.0.1"}
        self.internet = SocketInternet(nursery, hosts=hosts, any_port=True)
        self.module = EmulatedModule(Profile(), internet=self.internet)
        self.dte = ByHand()
        self.listener = listener
        nursery.start_soon(self.module.serve, self.dte)

    async def until(self, wanted: bytes, ask: bytes = b"") -> bytes:
        """Say something and return what is said, up to and with some bytes."""
        said = await self.dte.ask(ask) if ask else b""
        with trio.fail_after(5):
            while wanted not in said:
                said += await self.dte.heard()
                await trio.lowlevel.checkpoint()
        return said

    async def open(self) -> trio.SocketStream:
        """Start a session and open link 0."""
        await self.dte.ask(b"ATE0;+CIPRXGET=1\r")
        await self.dte.ask(b"AT+NETOPEN\r")
        await self.until(b"+CIPOPEN: 0,0\r\n", b'AT+CIPOPEN=0,"TCP","far.example",80\r')
        return await self.listener.accept()


@asynccontextmanager
async def rig() -> AsyncIterator[Rig]:
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener:
            yield Rig(nursery, listener)
        nursery.cancel_scope.cancel()


async def test_bytes_there_and_back_and_a_far_fin() -> None:
    async with rig() as r, await r.open() as far:
        await r.dte.ask(b"AT+CIPSEND=0,5\r")
        await r.dte.ask(b"hello")
        assert await far.receive_some(5) == b"hello"
        await far.send_all(b"last words")
        await far.send_eof()
        assert b"+CIPRXGET: 1,0" in await r.until(b"+IPCLOSE: 0,1\r\n")
        assert await far.receive_some() == b""
        assert await r.dte.ask(b"AT+CIPRXGET=2,0\r") == (
            b"\r\n+CIPRXGET: 2,0,10,0\r\nlast words" + OK
        )


async def test_a_far_reset_closes_the_link() -> None:
    async with rig() as r:
        far = await r.open()
        linger = struct.pack("ii", 1, 0)
        far.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        await far.aclose()
        await r.until(b"+IPCLOSE: 0,1\r\n")


async def test_our_close_is_a_fin_and_a_lost_network_a_reset() -> None:
    async with rig() as r:
        async with await r.open() as far:
            await r.dte.ask(b"AT+CIPCLOSE=0\r")
            assert await far.receive_some() == b""
        async with await r.open() as far:
            r.module.lose_network()
            with pytest.raises(trio.BrokenResourceError):
                await far.receive_some()


async def test_opens_that_fail() -> None:
    async with rig() as r:
        await r.dte.ask(b"AT+NETOPEN\r")
        await r.listener.aclose()
        await r.until(b"+CIPOPEN: 1,4\r\n", b'AT+CIPOPEN=1,"TCP","far.example",80\r')


async def test_a_slow_reader_closes_the_window() -> None:
    async with rig() as r, await r.open() as far:
        sent = 0
        with trio.move_on_after(0.5):
            while True:
                await far.send_all(b"x" * 10_000)
                sent += 10_000
        link = r.module.dce.stack.tcp(0)
        assert link is not None
        assert link.received_total == 64240
        assert link.room() == 0
        assert sent >= 64240 - 10_000


async def test_a_server_of_the_module_and_udp() -> None:
    async with rig() as r:
        await r.dte.ask(b"ATE0;+CIPRXGET=1\r")
        await r.dte.ask(b"AT+NETOPEN\r")
        await r.dte.ask(b"AT+SERVERSTART=8080,0\r")
        port = r.internet.server_ports[8080]
        async with await trio.open_tcp_stream("127.0.0.1", port) as client:
            await r.until(b"+CLIENT: 0,0,127.0.0.1:")
            await client.send_all(b"GET")
            await r.until(b"+CIPRXGET: 1,0\r\n")
            await r.dte.ask(b"AT+CIPCLOSE=0\r")
            assert await client.receive_some() == b""
        assert b"+SERVERSTOP: 0,0" in await r.dte.ask(b"AT+SERVERSTOP=0\r")
        peer = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with peer:
            await peer.bind(("127.0.0.1", 0))
            await r.dte.ask(b'AT+CIPOPEN=1,"UDP",,,0\r')
            target = b'"here",%d' % peer.getsockname()[1]
            await r.dte.ask(b"AT+CIPSEND=1,2," + target + b"\r")
            await r.dte.ask(b"hi")
            data, source = await peer.recvfrom(100)
            assert data == b"hi"
            await peer.sendto(b"there", source)
            await r.until(b"+CIPRXGET: 1,1\r\n")
        said = await r.until(b"OK", b'AT+CDNSGIP="here"\r')
        assert b'"here","127.0.0.1"' in said


# -- ports of this host -----------------------------------------------------------------


async def test_a_server_has_its_place_and_keeps_it() -> None:
    async with trio.open_nursery() as nursery:
        internet = SocketInternet(nursery, servers={80: ("127.0.0.1", 0)})
        told: list[tuple[int, tuple[str, int]]] = []
        internet.on_listen = lambda port, where: told.append((port, where))
        first = internet.listen(80, lambda _remote, _address: None)
        assert first is not None
        port = internet.server_ports[80]
        assert internet.listen(80, lambda _remote, _address: None) is not None
        assert internet.server_ports[80] not in (80, port)
        first.close()
        internet.server_ports[80] = port
        assert internet.listen(80, lambda _remote, _address: None) is not None
        assert internet.server_ports[80] == port
        assert told == [(80, ("127.0.0.1", each)) for each in (port, told[1][1][1], port)]
        nursery.cancel_scope.cancel()


class _Inbox:
    """What a UDP link of the module gets."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.arrival = trio.Event()

    def datagram(self, data: bytes, source: tuple[str, int]) -> None:
        """Take one."""
        self.got.append(data)
        self.arrival.set()


async def test_a_udp_port_of_the_module_is_taken_once_on_whatever_port_of_the_host() -> None:
    async with trio.open_nursery() as nursery:
        internet = SocketInternet(nursery, any_port=True)
        inbox, other = _Inbox(), _Inbox()
        first = internet.bind(5000, inbox)
        assert first is not None
        assert internet.bind(5000, other) is None
        second = internet.bind(0, other)
        assert second is not None
        assert set(internet.udp_ports) == {5000, max(internet.udp_ports)}
        second.send_to(b"hello", ("127.0.0.1", internet.udp_ports[5000]))
        with trio.fail_after(5):
            await inbox.arrival.wait()
        assert inbox.got == [b"hello"]
        first.close()
        assert 5000 not in internet.udp_ports
        assert internet.bind(5000, other) is not None
        nursery.cancel_scope.cancel()


async def test_a_name_with_several_addresses() -> None:
    async with trio.open_nursery() as nursery:
        hosts = {"two": "127.0.0.1,127.0.0.2", "six": "::1", "port": "127.0.0.3:80"}
        internet = SocketInternet(nursery, hosts=hosts)
        found: dict[str, list[str]] = {}
        with trio.fail_after(5):
            for name in hosts:
                done = trio.Event()

                def note(addresses: Sequence[str], name: str = name) -> None:
                    found[name] = list(addresses)
                    done.set()  # noqa: B023 - waited for in this turn

                internet.resolve(name, note)
                await done.wait()
        assert found == {
            "two": ["127.0.0.1", "127.0.0.2"],
            "six": ["::1"],
            "port": ["127.0.0.3"],
        }
        assert internet.mapped("two", 80) == ("127.0.0.1", 80)
        nursery.cancel_scope.cancel()

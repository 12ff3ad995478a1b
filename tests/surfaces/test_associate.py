"""SOCKS5's UDP ASSOCIATE, on real sockets (RFC 1928 section 7)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from .stand import FAR, Stand, proxy, reset, stand, until

pytestmark = pytest.mark.timeout(40)


class Association:
    """A SOCKS5 client that has asked for one."""

    def __init__(self, control: trio.SocketStream, port: int) -> None:
        self.control = control
        self.sock = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
        self._relay = ("127.0.0.1", port)

    async def send(self, data: bytes, port: int, host: str = FAR, *, fragment: int = 0) -> None:
        name = host.encode("latin-1")
        head = bytes((0, 0, fragment, 3, len(name))) + name + port.to_bytes(2, "big")
        await self.sock.sendto(head + data, self._relay)

    async def receive(self, limit_s: float = 10) -> bytes | None:
        """The next datagram with its header, or None."""
        with trio.move_on_after(limit_s):
            data: bytes = await self.sock.recv(65535)
            return data
        return None


def from_far(data: bytes, port: int) -> bytes:
    return b"\0\0\0\x03" + bytes((len(FAR),)) + FAR.encode() + port.to_bytes(2, "big") + data


@asynccontextmanager
async def associated(directory: Path, **keys: Any) -> AsyncIterator[tuple[Stand, Association]]:
    async with stand(directory, sections=proxy("socks5", **keys)) as s:
        for port in range(1, 8):
            s.internet.listen_udp(FAR, port, lambda data: [data.upper()])
        control = await s.connect("proxy")
        await control.send_all(b"\x05\x01\x00" + b"\x05\x03\x00\x01" + bytes(6))
        got = b""
        while len(got) < 12:
            got += await control.receive_some()
        assert got[:10] == b"\x05\x00" + b"\x05\x00\x00\x01\x7f\x00\x00\x01"
        a = Association(control, int.from_bytes(got[10:], "big"))
        yield s, a
        a.sock.close()
        await control.aclose()


async def test_datagrams_go_to_several_destinations_and_come_back_from_them(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with associated(tmp_path) as (s, a):
        for port in (1, 2, 1):
            await a.send(b"hello %d" % port, port)
            assert await a.receive() == from_far(b"HELLO %d" % port, port)
        assert len(s.module.dce.stack.any_open()) == 2


async def test_the_end_of_the_connection_is_the_end_of_the_association(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with associated(tmp_path) as (s, a):
        await a.send(b"x", 1)
        assert await a.receive() == from_far(b"X", 1)
        await a.control.send_eof()
        assert await a.control.receive_some() == b""
        await s.wait_free()
        await a.send(b"x", 1)
        assert s.module.commands["+CIPOPEN"] == 1


async def test_a_reset_of_the_connection_ends_it_too(
    patient_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with associated(tmp_path) as (s, a):
        await a.send(b"x", 1)
        assert await a.receive() == from_far(b"X", 1)
        await reset(a.control)
        await s.wait_free()
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_fifth_destination_takes_the_place_of_the_one_longest_silent(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with associated(tmp_path) as (s, a):
        for port in (1, 2, 3, 4, 1, 5, 6):
            await a.send(b"x", port)
            assert await a.receive() == from_far(b"X", port)
        await until(lambda: len(s.module.dce.stack.any_open()) == 4, 10)


async def test_a_silent_destination_gives_its_link_back(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with associated(tmp_path) as (s, a):
        await a.send(b"x", 1)
        assert await a.receive() == from_far(b"X", 1)
        await trio.sleep(61)
        await s.wait_free()
        await a.send(b"y", 1)
        assert await a.receive() == from_far(b"Y", 1)


async def test_what_is_not_to_be_carried_is_dropped(
    patient_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules = ["far.example.com:1-3"]
    async with associated(tmp_path, allow_destinations=rules) as (s, a):
        await a.send(b"x", 1)
        assert await a.receive() == from_far(b"X", 1)
        await a.send(b"x", 4)
        await a.send(b"x", 1, 'x"\r\nAT+CPOF\r')
        await a.send(b"x", 1, fragment=1)
        await a.send(b"x" * 1501, 1)
        await a.send(b"", 1)
        await a.send(b"x", 1, "nowhere.example.com")
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as stranger:
            a.sock, own = stranger, a.sock
            await a.send(b"x", 1)
            a.sock = own
        assert await a.receive(5) is None
        await a.send(b"y" * 1400, 2)
        assert await a.receive() == from_far(b"Y" * 1400, 2)
        assert s.module.commands["+CPOF"] == 0
    assert "dropped" in caplog.text


async def test_a_lost_network_ends_links_and_not_the_association(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with associated(tmp_path) as (s, a):
        await a.send(b"x", 1)
        assert await a.receive() == from_far(b"X", 1)
        s.module.lose_network()
        await trio.sleep(20)
        await a.send(b"y", 1)
        assert await a.receive() == from_far(b"Y", 1)

"""Servers on the module are there in every session, and it is said where they are, and why
not."""

import logging
from ipaddress import ip_network
from pathlib import Path

import pytest
import trio

from modemproxy.config import Endpoint, Server
from modemproxy.emulator.output import Piece
from modemproxy.journal import ModuleUp, ServerArmed, ServerNotArmed
from modemproxy.module.servers import Arrival, ServerKeeper, ServerPort, why_unreachable

from .far_bench import PORT, WEB, serving, talk
from .recovery_bench import RecoveryBench, recovering
from .rig import HOSTILE, rig, until

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("autojump_clock")]

CONFIGURED = Server(
    name="web",
    port=PORT,
    connect=Endpoint("127.0.0.1", 80),
    allow=(ip_network("0.0.0.0/0"),),
)


# arming


async def test_four_servers_are_armed_and_said() -> None:
    ports = [ServerPort(index, 9000 + index, f"s{index}") for index in range(4)]
    async with serving(*ports) as (r, _):
        listening = {i: s.port for i, s in r.module.dce.stack.servers.items()}
        assert listening == {0: 9000, 1: 9001, 2: 9002, 3: 9003}
        await until(lambda: len(r.events(ServerArmed)) == 4, 1)
        [event] = [event for event in r.events(ServerArmed) if event.index == 0]
        assert (event.port, event.address) == (9000, r.session.address)
        assert "server s0: the module listens on 10." in event.text


@pytest.mark.parametrize("way", ["wrong", "unknown"])
async def test_firmware_without_a_backlog_listens_without_one(way: str) -> None:
    async with serving(server_backlog=way, complaints=True) as (r, _):
        assert await talk(r.internet.connect_to_server(PORT), HOSTILE) == HOSTILE
        assert r.events(ServerNotArmed) == []


@pytest.mark.parametrize("way", ["wrong", "unknown"])
async def test_all_its_servers_listen_at_once(way: str) -> None:
    """All of them were told a backlog before the first one was refused for it."""
    ports = [ServerPort(index, 9000 + index, f"s{index}") for index in range(4)]
    async with serving(*ports, server_backlog=way, complaints=True) as (r, _):
        await until(lambda: len(r.events(ServerArmed)) == 4, 1)
        assert r.events(ServerNotArmed) == []


async def test_one_that_is_refused_is_tried_again_every_half_minute() -> None:
    async with rig(servers=(WEB,)) as r:
        stack = r.module.dce.stack
        stack.listen(3, PORT)  # somebody else's, just now
        await until(lambda: r.events(ServerNotArmed), 5)
        await trio.sleep(100)
        [event] = r.events(ServerNotArmed)
        assert "next try in 30 s" in event.text
        stack.entrance.stop(3)
        began = trio.current_time()
        await until(lambda: r.events(ServerArmed), 31)
        assert trio.current_time() - began > 1


async def test_an_ok_that_was_lost_is_found_out() -> None:
    lost: list[bytes] = []
    async with rig(servers=(), complaints=True) as r:

        def tap(piece: Piece, data: bytes) -> bytes:
            if r.module.dce.stack.servers and not lost and b"OK" in data:
                lost.append(data)
                return b""
            return data

        r.module.dce.out.tap = tap
        keeper = ServerKeeper(r.session.scheduler, (WEB,), "192.0.2.1", r.journal)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeper.keep)
            await until(lambda: r.events(ServerArmed), 60)
            nursery.cancel_scope.cancel()
        assert lost
        assert len(r.events(ServerArmed)) == 1
        assert r.failure is None


# being reached


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("10.1.2.3", "1918"),
        ("172.16.0.1", "1918"),
        ("192.168.1.1", "1918"),
        ("100.64.0.1", "carrier NAT"),
        ("100.127.255.254", "carrier NAT"),
        ("169.254.3.4", "link-local"),
        ("fe80::1", "link-local"),
        ("fd00::1", "4193"),
        ("100.128.0.1", ""),
        ("172.32.0.1", ""),
        ("8.8.8.8", ""),
        ("2a00:1450::1", ""),
        ("", ""),
        ("what is that", ""),
    ],
)
def test_an_address_that_nobody_reaches_is_known(address: str, words: str) -> None:
    reason = why_unreachable(address)
    assert words in reason
    assert bool(reason) == bool(words)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "modemproxy.module.servers"]


async def test_a_private_address_is_said_once_a_session(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "modemproxy.module.servers")
    async with serving() as (r, _):
        assert warnings(caplog) == [
            "far clients cannot reach web (port 8080) from the Internet: "
            f"address {r.session.address} is private (RFC 1918)"
        ]


async def test_nobody_is_warned_without_a_server(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "modemproxy.module.servers")
    async with rig() as r:
        await trio.sleep(1)
        assert r.module.dce.stack.servers == {}
    assert warnings(caplog) == []


@pytest.mark.parametrize(
    ("peer", "host", "port"),
    [
        ("192.0.2.1:57202", "192.0.2.1", 57202),
        ("[2001:db8::1]:80", "2001:db8::1", 80),
        ("2001:db8::1:80", "2001:db8::1", 80),
        ("192.0.2.1", "192.0.2.1", 0),
        ("", "", 0),
        ("192.0.2.1:x", "192.0.2.1:x", 0),
    ],
)
def test_the_peer_of_an_announcement(peer: str, host: str, port: int) -> None:
    assert Arrival.announced(1, peer) == Arrival(1, host, port)


# after every recovery


async def recovered(b: RecoveryBench, sessions: int) -> None:
    """A far client is served, in the session with that number."""
    await b.until(lambda: len(b.events(ModuleUp)) >= sessions, 400)
    await b.served_far(PORT, 60)
    assert len(b.events(ServerArmed)) == len(b.events(ModuleUp))


@pytest.mark.parametrize(
    ("fault", "params"),
    [
        ("lose_network", {}),
        ("reboot", {"banner": "RDY"}),
        ("reboot", {"banner": "none"}),
        ("vanish", {"for_s": 20, "elsewhere": True}),
        ("deaf", {"for_s": 40}),
        ("new_address", {}),
    ],
    ids=str,
)
async def test_servers_listen_again_after_every_recovery(
    tmp_path: Path, fault: str, params: dict[str, object]
) -> None:
    async with recovering(tmp_path, servers=(CONFIGURED,)) as b:
        await b.session(60)
        await recovered(b, 1)
        b.faults.inject(fault, **params)
        await recovered(b, 2)
        assert await b.served(60) < 60

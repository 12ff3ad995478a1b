"""The doctor on hosts whose ports cannot be had."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from modemproxy.config import Endpoint, Forward
from modemproxy.errors import ConfigError
from modemproxy.operate.doctor import listeners
from modemproxy.operate.doctor.holders import Holder, holder_of_port
from tests.operate.clinic import Clinic, forward

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Clinic]:
    async with trio.open_nursery() as nursery:
        yield Clinic(nursery, tmp_path)
        nursery.cancel_scope.cancel()


def taken_port(protocol: str) -> socket.socket:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    sock = socket.socket(socket.AF_INET, kind)
    sock.bind(("127.0.0.1", 0))
    if protocol == "tcp":
        sock.listen()
    return sock


@pytest.mark.parametrize(("protocol", "flag"), [("tcp", "t"), ("udp", "u")])
async def test_a_port_of_this_host_that_is_taken(
    clinic: Clinic, protocol: str, flag: str
) -> None:
    with taken_port(protocol) as sock:
        number = sock.getsockname()[1]
        wanted = Forward(
            name="mqtt",
            protocol="udp" if protocol == "udp" else "tcp",
            listen=Endpoint("127.0.0.1", number),
            connect=Endpoint("broker.example.com", 1883),
        )
        report = await clinic.examine(forwards=(wanted, forward("other")))
    report.fails(
        "host ports",
        f"mqtt: cannot listen on 127.0.0.1:{number}: Address already in use",
        f"ss -l{flag}np",
    )


def test_who_has_a_port_is_named(tmp_path: Path) -> None:
    net = tmp_path / "net"
    net.mkdir()
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid\n"
    row = "   0: 0100007F:{:04X} 00000000:0000 {} 00000000:00000000 00:0 0 0 0 {} 1 0 10 0\n"
    rows = (row.format(1883, "01", 1), row.format(1884, "0A", 2), row.format(1883, "0A", 3))
    (net / "tcp").write_text(head + "".join(rows))
    process = tmp_path / "55"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text("mosquitto\n")
    (process / "fd/4").symlink_to("socket:[3]")
    assert holder_of_port("tcp", 1883, tmp_path) == Holder(55, "mosquitto")
    assert holder_of_port("tcp", 1884, tmp_path) is None
    assert holder_of_port("udp", 1883, tmp_path) is None


async def test_an_address_that_is_not_ours(clinic: Clinic) -> None:
    wanted = Forward(
        name="mqtt",
        listen=Endpoint("192.0.2.1", 1883),
        connect=Endpoint("broker.example.com", 1883),
    )
    report = await clinic.examine(forwards=(wanted,))
    report.fails("host ports", "cannot listen on 192.0.2.1:1883", "none of this host's")


async def test_a_port_that_is_not_for_this_user(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, where: Endpoint) -> None:
        raise ConfigError([f"{name}: cannot listen on {where}: Permission denied"])

    monkeypatch.setattr(listeners, "bind_tcp", refuse)
    monkeypatch.setattr(listeners, "user_name", lambda: "alice")
    wanted = Forward(
        name="web", listen=Endpoint("127.0.0.1", 80), connect=Endpoint("203.0.113.1", 80)
    )
    report = await clinic.examine(forwards=(wanted,))
    report.fails("host ports", "Permission denied", "below 1024 are not for alice")

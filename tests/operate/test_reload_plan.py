"""What a dry run sees: the plan, and what is plainly in its way. Nothing runs here."""

import os
from pathlib import Path

import pytest

from modemproxy.config import Config, Endpoint, load
from modemproxy.operate.reload_conflicts import conflicts
from modemproxy.operate.reload_plan import Plan, overlap, plan_of

from .steered import HEAD, forward, forwards

TCP = "  sl  local_address rem_address   st tx_queue\n"


def config(tmp_path: Path, text: str, head: str = HEAD) -> Config:
    file = tmp_path / "m.yaml"
    file.write_text(head + text)
    return load(file)


def plan(tmp_path: Path, old: str, new: str, *, inside: int = 0, service: bool = True) -> Plan:
    before, after = config(tmp_path, old), config(tmp_path, new)
    return plan_of(before, after, lambda name: inside, in_service=service)


def system(tmp_path: Path, *lines: str, udp: tuple[str, ...] = (), low: int = 1024) -> Path:
    """Show sockets as the kernel does."""
    proc = tmp_path / "proc"
    for folder in ("net", "sys/net/ipv4"):
        (proc / folder).mkdir(parents=True)
    (proc / "net/tcp").write_text(TCP + "".join(f"{line}\n" for line in lines))
    (proc / "net/udp").write_text(TCP + "".join(f"{line}\n" for line in udp))
    (proc / "sys/net/ipv4/ip_unprivileged_port_start").write_text(f"{low}\n")
    return proc


def listens(address: str, port: int, state: str = "0A") -> str:
    tail = "00000000:00000000 00:00000000 00000000 0 0 7"
    return f"   0: {address}:{port:04X} 00000000:0000 {state} {tail}"


LOOPBACK, ANY = "0100007F", "00000000"


@pytest.mark.parametrize(
    ("address", "state", "taken"),
    [
        (LOOPBACK, "0A", True),
        (ANY, "0A", True),
        (LOOPBACK, "01", False),
        ("0200007F", "0A", False),
    ],
)
def test_a_port_of_somebody_else_is_a_conflict(
    tmp_path: Path, address: str, state: str, taken: bool
) -> None:
    proc = system(tmp_path, listens(address, 8000, state))
    p = plan(tmp_path, forwards(forward()), forwards(forward(listen="127.0.0.1:8000")))
    expected = ["far: 127.0.0.1:8000 is taken by another program"] if taken else []
    assert conflicts(p, [], proc) == expected
    ours = [Endpoint("127.0.0.1", 8000), Endpoint("0.0.0.0", 8000), Endpoint("127.0.0.2", 8000)]
    assert conflicts(p, ours, proc) == []


def test_udp_and_tcp_are_not_in_each_others_way_and_dns_needs_both(tmp_path: Path) -> None:
    proc = system(tmp_path, udp=(listens(LOOPBACK, 5353, "07"),))
    old = forwards(forward())
    tcp = forwards(forward(), forward("x", "127.0.0.1:5353"))
    assert conflicts(plan(tmp_path, old, tcp), [], proc) == []
    dns = old + "dns: {listen: '127.0.0.1:5353'}\n"
    assert conflicts(plan(tmp_path, old, dns), [], proc) == [
        "dns: 127.0.0.1:5353 is taken by another program"
    ]
    metrics = old + "metrics: {listen: '127.0.0.1:5353'}\n"
    assert conflicts(plan(tmp_path, old, metrics), [], proc) == []


def test_low_ports_need_a_right(tmp_path: Path) -> None:
    proc = system(tmp_path, low=1024)
    p = plan(tmp_path, forwards(forward()), forwards(forward(listen="127.0.0.1:80")))
    (proc / str(os.getpid())).mkdir()
    status = proc / str(os.getpid()) / "status"
    status.write_text("CapEff:\t0000000000000000\n")
    assert conflicts(p, [], proc) == [
        "far: 127.0.0.1:80: this user may not listen on ports below 1024"
    ]
    status.write_text("CapEff:\t0000000000000400\n")
    assert conflicts(p, [], proc) == []


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        (("127.0.0.1", 80), ("127.0.0.1", 80), True),
        (("127.0.0.1", 80), ("0.0.0.0", 80), True),
        (("127.0.0.1", 80), ("127.0.0.2", 80), False),
        (("127.0.0.1", 80), ("127.0.0.1", 81), False),
        (("127.0.0.1", 0), ("127.0.0.1", 0), False),
        (("::", 80), ("0.0.0.0", 80), False),
        (("::", 80), ("::1", 80), True),
    ],
)
def test_addresses_that_meet(one: tuple[str, int], other: tuple[str, int], meet: bool) -> None:
    assert overlap(Endpoint(*one), Endpoint(*other)) is meet
    assert overlap(Endpoint(*other), Endpoint(*one)) is meet


def test_a_plan_names_everything_once(tmp_path: Path) -> None:
    server = "servers:\n  - {name: s, port: 1, connect: 'a:1', allow: [0.0.0.0/0]}\n"
    old = forwards(forward("same"), forward("rules"), forward("gone")) + server
    new = forwards(
        forward("same"), forward("rules", idle_timeout_s=5), forward("new", "127.0.0.2:0")
    )
    p = plan(tmp_path, old, new + server, inside=2)
    assert (p.added, p.removed, p.replaced) == (["new"], ["gone"], [])
    assert (p.changed, p.kept, p.kept_servers) == (["rules"], ["same"], ["s"])
    assert not p.reset
    assert p.words == [
        "rules: idle_timeout_s 0 -> 5 (old rules for its 2 connections)",
        "gone: removed (its 2 connections may finish)",
        "new: added, tcp 127.0.0.2:0 to far.example.com:80",
    ]


def test_another_protocol_at_the_same_place_is_another_listener(tmp_path: Path) -> None:
    p = plan(tmp_path, forwards(forward()), forwards(forward(protocol="udp")))
    assert p.replaced == ["far"]
    assert p.words == ["far: moved, tcp 127.0.0.1:0 -> udp 127.0.0.1:0 (no connections)"]


def test_every_key_of_the_modem_has_its_rule(tmp_path: Path) -> None:
    old = config(tmp_path, forwards(forward()))
    for keys, reset in (
        ("baudrate: 921600", True),
        ("flow_control: rtscts", True),
        ("apn: x", True),
        ("ip_type: IPV6", True),
        ("dns: [9.9.9.9]", True),
        ("pin: '1234'", False),
        ("power_command: [/bin/true]", False),
    ):
        new = config(tmp_path, forwards(forward()), HEAD.replace("}", f", {keys}}}", 1))
        assert plan_of(old, new, lambda name: 3).reset is reset, keys
        assert plan_of(old, new, lambda name: 3, in_service=False).reset

"""Reload: what changed changes, what did not is not touched, and a wrong file is refused."""

import random
import socket
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.surfaces.stand import end_of

from .steered import (
    HEAD,
    Steered,
    echo,
    forward,
    forwards,
    free_port,
    send_and_take,
    steered,
    talks,
)

pytestmark = pytest.mark.timeout(60)

BULK = random.Random(6).randbytes(30_000)


async def is_refused(s: Steered, listen: str) -> bool:
    host, _, port = listen.rpartition(":")
    try:
        stream = await trio.open_tcp_stream(host, int(port))
    except OSError:
        return True
    await stream.aclose()
    return False


async def test_an_unchanged_forwards_transfer_goes_on_and_a_changed_one_is_replaced(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    text = forwards(forward("kept"), forward("moved", far_port=81))
    async with steered(tmp_path, text, wan_latency_s=0.05) as s:
        s.play(80, echo)
        s.play(81, echo)
        kept, moved = await s.client("kept"), await s.client("moved")
        old = (await s.surfaces())["moved"]["listen"]
        got: list[bytes] = []

        async def transfer() -> None:
            got.append(await send_and_take(kept, BULK))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(transfer)
            assert await talks(moved)
            assert not got
            text = forwards(forward("kept"), forward("moved", "127.0.0.2:0", far_port=82))
            answer = await s.reload(text)
            assert answer["ok"]
            assert answer["kept"] == ["kept"]
            assert not answer["reset"]
            [words] = answer["changes"]
            assert words.startswith("moved: moved, tcp 127.0.0.1:0 -> tcp 127.0.0.2:0")
            assert "its 1 connection may finish" in words
            assert not got
        assert got == [BULK]
        assert await talks(moved)
        assert await is_refused(s, old)
        s.play(82, echo)
        again = await s.client("moved")
        assert await talks(again)


async def test_other_rules_are_for_those_who_come_later(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        s.play(81, echo)
        before = await s.client()
        assert await talks(before)
        where = (await s.surfaces())["far"]["listen"]
        answer = await s.reload(forwards(forward(far_port=81, max_clients=2)))
        assert answer["changes"] == [
            "far: connect far.example.com:80 -> far.example.com:81; max_clients 0 -> 2 "
            "(old rules for its 1 connection)"
        ]
        assert (await s.surfaces())["far"]["listen"] == where
        later = await s.client()
        assert await talks(before)
        assert await talks(later)
        status = (await s.ask("status"))["status"]
        targets = [each["target"] for each in status["connections"]]
        assert targets == ["far.example.com:80", "far.example.com:81"]
        third = await s.client()
        assert (await end_of(third))[1] == "RST"  # those from before count
        await before.aclose()


async def test_a_wrong_file_is_refused_whole_with_every_mistake(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        client = await s.client()
        wrong = forwards(forward("new"), "  - {listen: '127.0.0.1:x', conect: 'a:1'}\n")
        answer = await s.reload(wrong)
        assert not answer["ok"]
        assert len(answer["problems"]) == 3
        assert all(str(s.file) in problem for problem in answer["problems"])
        assert any("did you mean 'connect'" in problem for problem in answer["problems"])
        assert answer["error"] == "\n".join(answer["problems"])
        assert list(await s.surfaces()) == ["far"]
        assert await talks(client)
        s.file.unlink()
        assert "cannot be read" in (await s.reload())["error"]
        assert await talks(client)


async def test_a_port_that_can_not_be_had_refuses_all_of_it(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        client = await s.client()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            new = forwards(
                forward(listen="127.0.0.2:0"),
                forward("free", "127.0.0.3:0"),
                forward("taken", f"127.0.0.1:{port}"),
            )
            dry = await s.reload(new, dry_run=True)
            assert dry["conflicts"] == [f"taken: 127.0.0.1:{port} is taken by another program"]
            answer = await s.reload()
            assert answer["problems"] == [
                f"taken: cannot listen on 127.0.0.1:{port}: Address already in use"
            ]
        assert list(await s.surfaces()) == ["far"]
        assert await talks(client)
        assert await talks(await s.client())
        assert (await s.reload())["ok"]  # it is free now
        assert list(await s.surfaces()) == ["far", "free", "taken"]


async def test_a_dry_run_says_it_all_and_changes_nothing(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward(), forward("gone"))) as s:
        s.play(80, echo)
        client = await s.client("gone")
        assert await talks(client)
        before = await s.surfaces()
        head = HEAD.replace("}", ", baudrate: 921600, pin: '1234'}", 1)
        s.write(forwards(forward(), forward("new", far_port=81, rate=1000)), head)
        answer = await s.ask("reload", dry_run=True)
        assert answer == {
            "ok": True,
            "dry_run": True,
            "conflicts": [],
            "kept": ["far"],
            "reset": True,
            "changes": [
                "modem.baudrate 115200 -> 921600",
                "modem.pin changed",
                "the module is brought up anew: 1 connection reset",
                "gone: removed (its 1 connection may finish)",
                "new: added, tcp 127.0.0.1:0 to far.example.com:81",
            ],
        }
        after = await s.surfaces()
        assert {name: each["listen"] for name, each in after.items()} == {
            name: each["listen"] for name, each in before.items()
        }
        assert await talks(client)


async def test_nothing_has_changed(patient_clock: MockClock, tmp_path: Path) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        answer = await s.reload()
        assert answer == {"ok": True, "changes": [], "kept": ["far"], "reset": False}


async def test_another_speed_brings_the_module_up_anew(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        client = await s.client()
        assert await talks(client)
        s.write(forwards(forward()), HEAD.replace("}", ", apn: other}", 1))
        answer = await s.reload()
        assert answer["reset"]
        assert (await end_of(client))[1] == "RST"
        again = await s.client()  # waits for the new session
        assert await talks(again)
        status = (await s.ask("status"))["status"]
        assert status["module"]["sessions"] == 2
        assert status["module"]["state"] == "up"


async def test_a_ports_queue_goes_with_it_to_another_name_and_kind(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    port = free_port()
    where = f"127.0.0.1:{port}"
    async with steered(tmp_path, forwards(forward("one", where))) as s:
        s.play(80, echo)
        client = await s.client("one")
        assert await talks(client)
        answer = await s.reload(forwards(forward("two", where)))
        assert answer["ok"], answer
        assert len(answer["changes"]) == 2
        second = await s.client("two")
        assert await talks(second)
        proxy = f"proxies:\n  - {{name: two, protocol: socks5, listen: '{where}'}}\n"
        assert (await s.reload(proxy))["ok"]
        assert (await s.surfaces())["two"]["kind"] == "socks5"
        third = await s.client("two")
        await third.send_all(b"\x05\x01\x00")
        assert await third.receive_some() == b"\x05\x00"
        assert await talks(client)


async def test_addresses_that_overlap_take_turns_and_come_back_if_that_fails(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    port = free_port()
    narrow, wide = f"127.0.0.1:{port}", f"0.0.0.0:{port}"
    everyone: Any = {"allow": ["0.0.0.0/0"]}
    async with steered(tmp_path, forwards(forward(listen=narrow))) as s:
        s.play(80, echo)
        with socket.socket() as other:
            other.bind(("127.0.0.9", port))
            other.listen()
            answer = await s.reload(forwards(forward(listen=wide, **everyone)))
            assert "cannot listen on" in answer["error"]
            assert (await s.surfaces())["far"]["listen"] == narrow
            assert await talks(await s.client())
        answer = await s.reload()
        assert answer["ok"], answer
        assert (await s.surfaces())["far"]["listen"] == wide
        async with await trio.open_tcp_stream("127.0.0.1", port) as client:
            assert await talks(client)


async def test_udp_and_dns_listeners_move_and_change(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    def text(udp: str, dns: str, **keys: Any) -> str:
        return (
            forwards(forward("u", udp, protocol="udp", **keys)) + f"dns: {{listen: '{dns}'}}\n"
        )

    async with steered(tmp_path, text("127.0.0.1:0", "127.0.0.1:0")) as s:
        before = await s.surfaces()
        answer = await s.reload(text("127.0.0.1:0", "127.0.0.2:0", max_clients=1))
        assert answer["ok"], answer
        after = await s.surfaces()
        assert after["u"]["listen"] == before["u"]["listen"]
        assert after["dns"]["listen"].startswith("127.0.0.2:")
        assert (await s.reload(forwards(forward())))["ok"]
        assert list(await s.surfaces()) == ["far"]


async def test_links_are_kept_for_others_at_once(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward(), forward("vip"))) as s:
        s.play(80, echo)
        head = "\nmodem: {port: /dev/emulated}\ntimeouts: {shutdown_s: 4, queue_s: 1}\n"
        s.write(forwards(forward(), forward("vip", reserve=9)), head)
        assert (await s.reload())["ok"]
        first, second = await s.client(), await s.client()
        assert await talks(first)
        assert (await end_of(second))[1] == "RST"
        assert (await s.reload(forwards(forward(), forward("vip"))))["ok"]
        third = await s.client()
        assert await talks(third)

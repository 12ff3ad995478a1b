"""A second AT port on the same module (protocol.md 15, and 18 line 60)."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import Bench, ByHand, bench
from modemproxy.emulator.far_stream import FarStream

OK = b"\r\nOK\r\n"
OPEN = b'AT+CIPOPEN=0,"TCP","a.example",80\r'
HINT = b"\r\n+CIPRXGET: 1,0\r\n"


async def two_ports(nursery: trio.Nursery, **options: Any) -> tuple[Bench, ByHand]:
    b = bench(nursery, **({"boot_echo": False} | options))
    other = ByHand()
    nursery.start_soon(b.module.second.serve, other)
    await trio.testing.wait_all_tasks_blocked()
    return b, other


async def open_link(b: Bench) -> FarStream:
    far: list[FarStream] = []

    async def keep(stream: FarStream) -> None:
        far.append(stream)
        await trio.sleep_forever()

    b.internet.listen_tcp("a.example", 80, keep)
    await b.dte.ask(OPEN)
    return far[0]


async def test_both_see_the_same_network_links_and_settings(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, other = await two_ports(nursery)
    await other.ask(b"AT+CIPRXGET=1\r")
    assert await other.ask(b"AT+NETOPEN\r") == OK + b"\r\n+NETOPEN: 0\r\n"
    assert await b.dte.ask(b"AT+CIPRXGET?\r") == b"\r\n+CIPRXGET: 1\r\n" + OK
    far = await open_link(b)
    await far.send_all(b"shared")
    await b.dte.heard()
    await other.heard()
    assert await other.ask(b"AT+CIPRXGET=2,0,3\r") == b"\r\n+CIPRXGET: 2,0,3,3\r\nsha" + OK
    assert await b.dte.ask(b"AT+CIPRXGET=2,0,3\r") == b"\r\n+CIPRXGET: 2,0,3,0\r\nred" + OK


async def test_answers_and_late_results_go_only_to_who_asked(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, other = await two_ports(nursery, open_delay_s=1)
    b.module.preset.network_open()
    b.internet.listen_tcp("a.example", 80, _hold)
    assert await other.ask(OPEN) == OK
    assert await b.dte.ask(b"AT\r") == OK
    assert await other.heard(2) == b"\r\n+CIPOPEN: 0,0\r\n"
    assert await b.dte.heard() == b""
    assert await other.ask(b"AT+CIPSEND=0,5\r") == b"\r\n>"
    assert await b.dte.ask(b"AT+CIPCLOSE?\r") == b"\r\n+CIPCLOSE: 1,0,0,0,0,0,0,0,0,0\r\n" + OK
    assert await other.ask(b"AT\rxy") == OK + b"\r\n+CIPSEND: 0,5,5\r\n"
    assert await b.dte.heard() == b""


async def _hold(stream: FarStream) -> None:
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("catr", "first", "second"), [(0, True, True), (1, True, False), (2, False, True)]
)
async def test_catr_says_who_hears_what_nobody_asked_for(
    autojump_clock: MockClock, nursery: trio.Nursery, catr: int, first: bool, second: bool
) -> None:
    b, other = await two_ports(nursery, catr=catr)
    assert await b.dte.ask(b"AT+CATR?\r") == b"\r\n+CATR: %d\r\n" % catr + OK
    await b.dte.ask(b"AT+CIPRXGET=1;+NETOPEN\r")
    far = await open_link(b)
    await b.dte.heard()
    await far.send_all(b"x")
    assert await b.dte.heard() == (HINT if first else b"")
    assert await other.heard() == (HINT if second else b"")
    await b.dte.ask(b"AT+CIPRXGET=0\r")
    pushed = b"\r\nRECV FROM:203.0.113.1:80\r\n+IPD1\r\ny"
    await b.dte.heard()
    await other.heard()
    await far.send_all(b"y")
    assert await b.dte.heard() == (pushed if first else b"")
    assert await other.heard() == (pushed if second else b"")


async def test_echo_and_result_format_are_each_port_s_own(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, other = await two_ports(nursery, boot_echo=True)
    await other.ask(b"ATE0;V0\r")
    assert await other.ask(b"AT\r") == b"0\r"
    assert await b.dte.ask(b"AT\r") == b"AT\r" + OK
    b.module.reboot(banner=False)
    await b.dte.heard(5)
    assert await other.ask(b"AT\r") == b"AT\r" + OK


async def test_a_reboot_is_heard_on_both_and_half_a_command_is_forgotten(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, other = await two_ports(nursery)
    await other.ask(b"AT+CIP")
    await b.dte.ask(b"AT+CRESET\r")
    for said in (await b.dte.heard(10), await other.heard()):
        assert said.startswith(b"\x00\r\n*ATREADY: 1\r\n")
    assert await other.ask(b"AT\r") == OK


async def test_only_a_port_with_a_client_collects_lines(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, other = await two_ports(nursery)
    await b.dte.ask(b"AT+NETOPEN\r")
    other.unplug()
    await trio.testing.wait_all_tasks_blocked()
    b.module.lose_network()
    assert len(b.module.second.port.out) == 0
    assert b"CIPEVENT" in await b.dte.heard()


async def test_time_goes_on_for_the_second_port_alone(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, other = await two_ports(nursery, netopen_delay_s=3)
    b.dte.unplug()
    await trio.testing.wait_all_tasks_blocked()
    assert await other.ask(b"AT+NETOPEN\r") == OK
    assert await other.heard(4) == b"\r\n+NETOPEN: 0\r\n"


SCRIPT = """
import argparse, trio
from modemproxy.emulator import command
parser = argparse.ArgumentParser()
command.add_arguments(parser)
trio.run(command.run, parser.parse_args())
"""


@pytest.mark.slow
async def test_emulate_with_two_ttys(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    line = [sys.executable, "-c", SCRIPT, "--tty", str(one), "--tty2", str(two), "--trace"]
    root = Path(__file__).parents[2]
    with trio.fail_after(20):
        with (tmp_path / "err").open("wb") as err:
            process = await trio.lowlevel.open_process(
                line, stdout=subprocess.PIPE, stderr=err, cwd=root
            )
        assert process.stdout is not None
        async with process.stdout:
            said = b""
            while not said.endswith(b"ready\n"):
                said += await process.stdout.receive_some()
            tty = trio.lowlevel.FdStream(os.open(two, os.O_RDWR | os.O_NOCTTY))
            async with tty:
                await tty.send_all(b"ATE0\r")
                got = b""
                while not got.endswith(OK):
                    got += await tty.receive_some()
            process.terminate()
            assert await process.wait() == 0, (tmp_path / "err").read_text()
    assert said.count(b" -> /dev/pts/") == 2
    assert "2> b'ATE0" in (tmp_path / "err").read_text()
    assert not one.is_symlink()
    assert not two.is_symlink()

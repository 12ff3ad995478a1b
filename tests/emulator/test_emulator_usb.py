"""Power and the USB device (protocol.md 15, and 18 line 12)."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import ByHand, bench
from modemproxy.emulator.faults_cable import MemoryCable
from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.emulator.pty import serve_pty, serve_second_pty

OK = b"\r\nOK\r\n"


class Served(ByHand):
    """A hand whose device may vanish."""

    gone = False

    async def run(self, module: EmulatedModule) -> None:
        await module.serve(self)
        self.gone = True


@pytest.mark.parametrize("line", [b"AT+CFUN=1,1\r", b"AT+CFUN=6\r", b"AT+CRESET\r"])
async def test_a_usb_device_vanishes_with_a_restart_and_comes_back(
    autojump_clock: MockClock, nursery: trio.Nursery, line: bytes
) -> None:
    module = EmulatedModule(
        Profile(usb=True, boot_delay_s=5, usb_delay_s=7), internet=MemoryInternet(nursery)
    )
    nursery.start_soon(module.keep_time)
    first, second = Served(), Served()
    nursery.start_soon(first.run, module)
    assert await first.ask(b"ATE0\r") == b"ATE0\r" + OK
    assert await first.ask(line) == OK
    started = trio.current_time()
    await module.presence.wait_gone()
    await trio.testing.wait_all_tasks_blocked()
    assert first.gone
    nursery.start_soon(second.run, module)
    await trio.testing.wait_all_tasks_blocked()
    assert second.gone, "nobody can open what is not there"
    await module.presence.wait_here()
    assert trio.current_time() - started == pytest.approx(12.05)
    third = Served()
    nursery.start_soon(third.run, module)
    assert await third.ask(b"AT\r") == b"AT\r" + OK, "echo is on again"


async def test_what_a_usb_module_says_before_its_device_is_back_is_lost(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    module = EmulatedModule(Profile(usb=True), internet=MemoryInternet(nursery))
    nursery.start_soon(module.keep_time)
    module.reboot()
    await module.presence.wait_here()
    dte = Served()
    nursery.start_soon(dte.run, module)
    assert await dte.heard(60) == b""


@pytest.mark.parametrize("usb", [True, False])
async def test_cpof_is_for_good_until_somebody_presses_the_key(
    autojump_clock: MockClock, nursery: trio.Nursery, usb: bool
) -> None:
    module = EmulatedModule(Profile(usb=usb), internet=MemoryInternet(nursery))
    nursery.start_soon(module.keep_time)
    dte = Served()
    nursery.start_soon(dte.run, module)
    assert await dte.ask(b"ATE0;+CPOF\r") == b"ATE0;+CPOF\r" + OK
    assert await dte.heard(300) == b""
    assert dte.gone is usb
    assert module.presence.here is not usb
    module.power_on()
    await module.presence.wait_here()
    if usb:
        dte = Served()
        nursery.start_soon(dte.run, module)
    else:
        assert (await dte.heard(10)).startswith(b"\x00\r\n*ATREADY: 1\r\n")
    assert await dte.ask(b"AT\r") == b"AT\r" + OK
    module.power_on()
    assert await dte.heard(100) == b"", "the key of a module that is on does nothing"


async def test_asking_what_a_reset_takes_resets_nothing(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = bench(nursery, boot_echo=False).dte
    assert await dte.ask(b"AT+CRESET=?\r") == OK
    assert await dte.ask(b"AT+CPOF=?\r") == OK
    assert await dte.ask(b"AT+CPOF?\r") == b"\r\nERROR\r\n"
    await dte.heard(1)
    assert await dte.ask(b"AT\r") == OK


async def test_both_ports_vanish_with_the_device(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, usb=True, boot_echo=False)
    nursery.start_soon(b.module.keep_time)
    other = ByHand()
    ended = trio.Event()

    async def serve() -> None:
        await b.module.second.serve(other)
        ended.set()

    nursery.start_soon(serve)
    await other.ask(b"AT+CRESET\r")
    await ended.wait()
    assert not b.module.presence.here


async def test_a_cable_in_memory_goes_and_comes_with_the_device(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    profile = Profile(usb=True, boot_echo=False, boot_delay_s=5, usb_delay_s=7)
    module = EmulatedModule(profile, internet=MemoryInternet(nursery))
    cable = MemoryCable(module, nursery)
    nursery.start_soon(module.keep_time)
    nursery.start_soon(module.presence.move, cable)
    dte = cable.open()
    await dte.send_all(b"AT+CRESET\r")
    assert await dte.receive_some() == OK
    assert await dte.receive_some() == b""
    with pytest.raises(FileNotFoundError):
        cable.open()
    await module.presence.wait_here()
    await trio.testing.wait_all_tasks_blocked()
    dte = cable.open()
    await dte.send_all(b"AT\r")
    assert await dte.receive_some() == OK


@pytest.mark.slow
async def test_the_ttys_of_a_usb_module_go_and_come(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    profile = Profile(usb=True, boot_echo=False, boot_delay_s=0.1, usb_delay_s=0.1)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            module = EmulatedModule(profile, internet=MemoryInternet(nursery))
            async with (
                serve_pty(module, link=one) as port,
                serve_second_pty(module, link=two),
            ):
                old = os.readlink(one)
                user = trio.lowlevel.FdStream(os.open(one, os.O_RDWR | os.O_NOCTTY))
                await user.send_all(b"AT+CRESET\r")
                await module.presence.wait_gone()
                # as long as it is open, no other tty has its number
                while one.is_symlink() and os.readlink(one) == old:
                    await trio.lowlevel.checkpoint()
                with pytest.raises(trio.BrokenResourceError):
                    await user.send_all(b"AT\r")
                await user.aclose()
                await module.presence.wait_here()
                while not (one.is_symlink() and two.is_symlink()):
                    await trio.lowlevel.checkpoint()
                assert os.readlink(one) == port.path
                for link in (one, two):
                    user = trio.lowlevel.FdStream(os.open(link, os.O_RDWR | os.O_NOCTTY))
                    await user.send_all(b"AT\r")
                    got = b""
                    while not got.endswith(OK):
                        got += await user.receive_some()
                    await user.aclose()
            nursery.cancel_scope.cancel()


SCRIPT = """
import argparse, trio
from modemproxy.emulator import command
parser = argparse.ArgumentParser()
command.add_arguments(parser)
trio.run(command.run, parser.parse_args())
"""


@pytest.mark.slow
async def test_a_signal_cuts_and_restores_the_power(tmp_path: Path) -> None:
    link = tmp_path / "modem"
    options = ["--option", "boot_delay_s=0.05", "--option", "boot_echo=no"]
    line = [sys.executable, "-c", SCRIPT, "--tty", str(link), *options]
    root = Path(__file__).parents[2]
    with trio.fail_after(20):
        process = await trio.lowlevel.open_process(line, stdout=subprocess.PIPE, cwd=root)
        assert process.stdout is not None
        async with process.stdout:
            said = b""
            while not said.endswith(b"ready\n"):
                said += await process.stdout.receive_some()
            user = trio.lowlevel.FdStream(os.open(link, os.O_RDWR | os.O_NOCTTY))
            await user.send_all(b"AT+CPOF\r")
            got = b""
            while not got.endswith(OK):
                got += await user.receive_some()
            process.send_signal(signal.SIGUSR1)
            while b"*ATREADY: 1" not in got:
                got += await user.receive_some()
            await user.aclose()
            process.terminate()
            assert await process.wait() == 0

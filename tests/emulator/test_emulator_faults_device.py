"""Faults of the module's device: it vanishes, returns, and takes no bytes."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.faults import Fault, FaultBox
from modemproxy.emulator.faults_cable import MemoryCable
from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.emulator.pty import serve_pty
from tests.emulator.faultbench import OK


async def exchange(stream: trio.abc.Stream, line: bytes = b"AT\r") -> bytes:
    await stream.send_all(line)
    await trio.sleep(0.1)
    return bytes(await stream.receive_some(4096))


async def test_a_device_vanishes_and_comes_back(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    module = EmulatedModule(Profile(boot_echo=False), internet=MemoryInternet(nursery))
    cable = MemoryCable(module, nursery)
    faults = FaultBox(module, cable)
    nursery.start_soon(faults.run)
    first = cable.open()
    assert await exchange(first) == OK
    name = cable.name
    faults.inject("vanish", for_s=5, elsewhere=True)
    assert await first.receive_some() == b""
    with pytest.raises(trio.BrokenResourceError):
        await first.send_all(b"AT\r")
    with pytest.raises(FileNotFoundError):
        cable.open()
    await trio.sleep(5.1)
    assert cable.name != name
    assert await exchange(cable.open()) == OK
    faults.inject("vanish", restarts=True)
    faults.clear()
    await trio.sleep(10)
    assert await exchange(cable.open()) == OK


async def test_a_restart_can_take_the_device_away(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    module = EmulatedModule(internet=MemoryInternet(nursery))
    cable = MemoryCable(module, nursery)
    faults = FaultBox(module, cable)
    nursery.start_soon(faults.run)
    faults.add(Fault("reboot", unplug=True, boot_s=4, on_command="+CSQ"))
    port = cable.open()
    await port.send_all(b"AT+CSQ\r")
    assert await port.receive_some() == b""
    await trio.sleep(4.5)
    assert await exchange(cable.open()) == b"AT\r" + OK


async def test_one_user_at_a_time_and_closing_is_not_pulling(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    module = EmulatedModule(Profile(boot_echo=False), internet=MemoryInternet(nursery))
    cable = MemoryCable(module, nursery)
    first = cable.open()
    with pytest.raises(OSError, match="in use"):
        cable.open()
    await first.send_all(b"AT+CSQ")
    await first.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await first.receive_some()
    assert await exchange(cable.open(), b"\r") == b"\r\n+CSQ: 22,0\r\n" + OK


async def test_a_write_blocks_while_the_module_takes_nothing(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    module = EmulatedModule(Profile(boot_echo=False), internet=MemoryInternet(nursery))
    cable = MemoryCable(module, nursery, capacity=64)
    faults = FaultBox(module, cable)
    nursery.start_soon(faults.run)
    port = cable.open()
    faults.inject("blocked", for_s=10)
    start = trio.current_time()
    await port.send_all(b"AT\r" * 100)
    assert trio.current_time() - start == pytest.approx(10)
    await trio.sleep(0.1)
    assert (await port.receive_some()).startswith(OK)


@pytest.mark.slow
async def test_a_tty_comes_back_with_another_number(tmp_path: Path) -> None:
    link = tmp_path / "modem"
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            module = EmulatedModule(internet=MemoryInternet(nursery))
            async with serve_pty(module, link=link) as port:
                faults = FaultBox(module, port)
                nursery.start_soon(faults.run)
                numbers = [port.path]
                for _ in range(2):
                    gone = faults.inject("vanish", elsewhere=True)
                    assert not link.is_symlink()
                    gone.lift()
                    numbers.append(port.path)
                    assert str(link.readlink()) == port.path
                assert numbers[0] != numbers[1] != numbers[2]
            nursery.cancel_scope.cancel()

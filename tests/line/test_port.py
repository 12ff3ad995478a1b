"""The tty adapter on a real pseudo-terminal; a real clock, because bytes sit in the kernel."""

import array
import contextlib
import errno
import fcntl
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from modemproxy.errors import LineClosed
from modemproxy.line.port import SerialPort, StreamPort, describe_holders

pytestmark = pytest.mark.slow

_TIOCGEXCL = 0x80045440


class Pty:
    """A pseudo-terminal whose other end is ours."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        self.path = os.ttyname(slave)
        os.close(slave)

    def is_exclusive(self) -> bool:
        """As the kernel keeps it; only root may open to look, others are told by EBUSY."""
        flag = array.array("i", [0])
        try:
            slave = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            return error.errno == errno.EBUSY
        fcntl.ioctl(slave, _TIOCGEXCL, flag)
        os.close(slave)
        return bool(flag[0])

    def write(self, data: bytes) -> None:
        os.write(self.master, data)

    async def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            await trio.lowlevel.wait_readable(self.master)
            data += os.read(self.master, size)
        return data

    def hang_up(self) -> None:
        os.close(self.master)
        self.master = -1


@pytest.fixture
def tty() -> Iterator[Pty]:
    it = Pty()
    yield it
    if it.master >= 0:
        it.hang_up()


async def opened(tty: Pty, baudrate: int = 115200) -> SerialPort:
    return await SerialPort.open(tty.path, baudrate=baudrate, rtscts=False)


async def receive(port: SerialPort, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += await port.receive_some()
    return data


async def test_all_byte_values_pass_both_ways(tty: Pty) -> None:
    everything = bytes(range(256)) * 4
    async with await opened(tty) as port:
        tty.write(everything)
        assert await receive(port, len(everything)) == everything
        await port.send_all(everything)
        assert await tty.read(len(everything)) == everything


async def test_more_than_the_kernel_holds_is_written_as_it_is_read(tty: Pty) -> None:
    data = bytes(range(256)) * 1000
    async with await opened(tty) as port, trio.open_nursery() as nursery:
        nursery.start_soon(port.send_all, data)
        assert await tty.read(len(data)) == data


@pytest.mark.parametrize(
    "baudrate", [9600, 57600, 115200, 230400, 460800, 921600, 1842000, 3000000, 3686400]
)
async def test_the_speed_is_read_back_from_the_kernel(tty: Pty, baudrate: int) -> None:
    async with await opened(tty, baudrate) as port:
        assert port.actual_baudrate == baudrate
        await port.set_line(baudrate=115200, rtscts=False)
        assert port.actual_baudrate == 115200
        await port.set_line(baudrate=baudrate, rtscts=False)
        assert port.actual_baudrate == baudrate
        tty.write(b"\x11\x13\r\n\x00\xff")
        assert await receive(port, 6) == b"\x11\x13\r\n\x00\xff"


async def test_the_line_is_strictly_raw(tty: Pty) -> None:
    async with await opened(tty):
        iflag, oflag, cflag, lflag, *_, cc = termios.tcgetattr(tty.master)
    assert iflag & termios.IGNBRK
    assert not iflag & (termios.IXON | termios.IXOFF | termios.ICRNL | termios.INLCR)
    assert not iflag & (termios.ISTRIP | termios.PARMRK | termios.INPCK | termios.BRKINT)
    assert not oflag & termios.OPOST
    assert not lflag & (termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
    assert cflag & termios.CS8 == termios.CS8
    assert cc[termios.VMIN] in (1, b"\x01")


async def test_a_hangup_ends_reading_and_breaks_writing(tty: Pty) -> None:
    async with await opened(tty) as port:
        tty.write(b"last words")
        assert await port.receive_some() == b"last words"
        tty.hang_up()
        with contextlib.suppress(trio.BrokenResourceError):
            assert await port.receive_some() == b""
        with pytest.raises(trio.BrokenResourceError):
            await port.send_all(b"AT\r")


async def test_a_hangup_wakes_a_reader_that_waits(tty: Pty) -> None:
    ended = trio.Event()

    async def read() -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            assert await port.receive_some() == b""
        ended.set()

    async with await opened(tty) as port, trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        tty.hang_up()
        with trio.fail_after(5):
            await ended.wait()


async def test_closing_gives_exclusivity_back_and_drops_what_was_not_sent(tty: Pty) -> None:
    port = await opened(tty)
    assert tty.is_exclusive()
    await port.send_all(b"x" * 1000)
    await port.aclose()
    assert not tty.is_exclusive()
    async with await opened(tty):
        assert tty.is_exclusive()


async def test_closing_wakes_and_ends_use(tty: Pty) -> None:
    port = await opened(tty)
    await port.aclose()
    with pytest.raises((trio.ClosedResourceError, trio.BrokenResourceError)):
        await port.receive_some()


HOLDER = """\
import sys, trio
from modemproxy.line.port import SerialPort
async def main():
    async with await SerialPort.open(sys.argv[1], baudrate=115200, rtscts=False):
        print("held", flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)
trio.run(main)
"""


@pytest.fixture
def holder(tty: Pty) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has the port open."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tty.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.stdin.close()
        process.wait(10)


async def test_a_second_open_fails_names_the_holder_and_disturbs_nothing(
    tty: Pty, holder: subprocess.Popen[bytes]
) -> None:
    before = termios.tcgetattr(tty.master)
    for _ in range(2):
        with pytest.raises(LineClosed, match=rf"in use by .*\(pid {holder.pid}\)"):
            await opened(tty, 9600)
    assert tty.is_exclusive()
    assert termios.tcgetattr(tty.master) == before


async def test_a_port_is_free_again_when_its_holder_is_gone(
    tty: Pty, holder: subprocess.Popen[bytes]
) -> None:
    assert holder.stdin is not None
    holder.stdin.close()
    holder.wait(10)
    async with await opened(tty):
        pass


def test_a_holder_that_cannot_be_seen_is_still_spoken_of(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    assert describe_holders("/dev/ttyUSB2", tmp_path).startswith("another process (root can")


async def test_a_missing_device_and_one_that_is_no_tty(tmp_path: Path) -> None:
    missing = tmp_path / "ttyUSB9"
    with pytest.raises(LineClosed, match=re.escape(f"{missing}: no such device")):
        await SerialPort.open(str(missing), baudrate=115200, rtscts=False)
    missing.write_bytes(b"")
    with pytest.raises(LineClosed, match="not a serial device"):
        await SerialPort.open(str(missing), baudrate=115200, rtscts=False)


async def test_unsent_bytes_are_counted(tty: Pty) -> None:
    async with await opened(tty) as port:
        assert port.unsent == 0


async def test_a_stream_is_a_port_without_a_speed() -> None:
    near, far = trio.testing.memory_stream_pair()
    port = StreamPort(near)
    await port.set_line(baudrate=9600, rtscts=True)
    await port.wait_send_all_might_not_block()
    await port.send_all(b"AT\r")
    assert await far.receive_some() == b"AT\r"
    await far.send_all(b"OK")
    assert await port.receive_some() == b"OK"
    await port.aclose()
    assert await far.receive_some() == b""

"""Serial settings that cost latency, set to the quick side where the kernel lets us.

An FTDI adapter keeps received bytes for up to 16 ms before it passes them on, which is
three times what the module itself takes for an answer. Its driver has a knob for that in
sysfs (root's, unless a udev rule opened it), and follows the tty's low_latency flag,
which needs no root on most kernels. Other drivers ignore or refuse both: nothing is lost.
"""

import fcntl
import struct
from pathlib import Path
from typing import Final

_TIOCGSERIAL: Final = 0x541E
_TIOCSSERIAL: Final = 0x541F
_ASYNC_LOW_LATENCY: Final = 0x2000
_FLAGS_OFFSET: Final = 16  # struct serial_struct: four ints before the flags
_STRUCT_BYTES: Final = 128
_SYSFS: Final = Path("/sys/bus/usb-serial/devices")


def reduce_latency(fd: int, device: str, sysfs: Path = _SYSFS) -> list[str]:
    """Ask for low latency every way there is.

    Args:
        fd: the open tty; stays the caller's.
        device: its real path (``/dev/ttyUSB0``), for the driver's knob.
        sysfs: where the knobs of USB serial adapters are.

    Returns:
        What was changed or could not be, in words for the log; empty where there is
        nothing to set.
    """
    return [*_set_flag(fd), *_set_timer(sysfs / Path(device).name / "latency_timer")]


def _set_flag(fd: int) -> list[str]:
    settings = bytearray(_STRUCT_BYTES)
    try:
        fcntl.ioctl(fd, _TIOCGSERIAL, settings)
    except OSError:
        return []  # a driver without the notion: a pty, CDC-ACM
    (flags,) = struct.unpack_from("i", settings, _FLAGS_OFFSET)
    if flags & _ASYNC_LOW_LATENCY:
        return []
    struct.pack_into("i", settings, _FLAGS_OFFSET, flags | _ASYNC_LOW_LATENCY)
    try:
        fcntl.ioctl(fd, _TIOCSSERIAL, bytes(settings))
    except OSError as error:
        return [f"low_latency refused ({error.strerror})"]
    return ["low_latency set"]


def _set_timer(knob: Path) -> list[str]:
    try:
        before = knob.read_text().strip()
    except OSError:
        return []  # no such adapter
    if before == "1":
        return []
    try:
        knob.write_text("1")
    except OSError as error:
        return [f"latency timer stays {before} ms ({error.strerror}: a udev rule can set it)"]
    return [f"latency timer {before} -> 1 ms"]

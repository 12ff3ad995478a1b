"""Sleeping with a grain of a tenth of a millisecond (Linux timerfd).

``trio.sleep_until`` rests on epoll, whose grain is 1 ms; a paced line needs better. One
FineTimer serves one task. Python has timerfd from 3.13 only, so this goes through ctypes.
"""

import ctypes
import os
from typing import Final

import trio

_CLOCK_MONOTONIC: Final = 1
_FLAGS: Final = os.O_NONBLOCK | os.O_CLOEXEC
_NS: Final = 1_000_000_000

#: Waking up takes about this long (measured: 0.1 to 0.2 ms), so the alarm is set earlier.
_LEAD_S: Final = 100e-6


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class FineTimer:
    """Something to ``await`` until a time of ``trio.current_time()``; close it after use."""

    def __init__(self) -> None:
        self._fd = int(_LIBC.timerfd_create(_CLOCK_MONOTONIC, _FLAGS))
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def close(self) -> None:
        """Release the file descriptor."""
        os.close(self._fd)

    async def __call__(self, when: float) -> None:
        """Sleep until ``when`` (seconds); a checkpoint also when that is past."""
        delay = when - trio.current_time() - _LEAD_S
        if delay <= 0:
            await trio.lowlevel.checkpoint()
            return
        self._arm(max(1, int(delay * _NS)))
        await trio.lowlevel.wait_readable(self._fd)

    def _arm(self, nanoseconds: int) -> None:
        # setting the timer anew also forgets an expiry that was never read
        spec = _Itimerspec(_Timespec(0, 0), _Timespec(*divmod(nanoseconds, _NS)))
        if _LIBC.timerfd_settime(self._fd, 0, ctypes.byref(spec), None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")

"""Sends, and what can be done to them on their way."""

from collections.abc import Callable

import pytest
import trio

from modemproxy.emulator.output import Piece
from modemproxy.module.link import Link

from .rig import HOSTILE, Rig

CHUNK = 1460
BULK = (HOSTILE * 60)[:20000]
OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
BUSY = b"\r\n+CIPERROR: 8\r\n"

Tap = Callable[[Piece, bytes], bytes]


def replacing(what: bytes, by: bytes, times: int = 1) -> Tap:
    """Make a tap that replaces pieces which contain ``what``, that many times."""
    left = times

    def tap(piece: Piece, data: bytes) -> bytes:
        nonlocal left
        if what in data and left:
            left -= 1
            return by
        return data

    return tap


async def send_out(link: Link, data: bytes) -> None:
    """Send, and wait until it is with the far side."""
    await link.send_all(data)
    await link.wait_delivered()


async def assert_reset(link: Link, data: bytes, match: str | None = None) -> None:
    """Send; the link must break for it."""
    with pytest.raises(trio.BrokenResourceError, match=match):
        await send_out(link, data)


class Refuser:
    """Refuses CIPSEND commands of one link on their way into the module.

    The command is changed into one that gets an ERROR and has no effect.
    """

    def __init__(self, r: Rig, number: int, times: float) -> None:
        self.left = times
        self.seen = 0
        self._command = b"AT+CIPSEND=%d," % number
        r.module.dce.input.tap = self

    def __call__(self, data: bytes) -> bytes:
        if data.startswith(self._command) and self.left:
            self.left -= 1
            self.seen += 1
            return b"AT+CIPSEND=99,1\r"
        return data


class LateResult:
    """Holds the first send result of link 9 back, and has it come with a later piece.

    Args:
        r: its module.
        beside: what that piece begins with; how many of them go by before.
        instead: the piece itself is lost.
    """

    def __init__(self, r: Rig, beside: bytes, skip: int = 0, *, instead: bool = False) -> None:
        self.held = b""
        self.came = False
        self._beside = beside
        self._skip = skip
        self._instead = instead
        r.module.dce.out.tap = self

    def __call__(self, piece: Piece, data: bytes) -> bytes:
        if not self.held:
            if b"+CIPSEND: 9," in data:
                self.held = data
                return b""
        elif not self.came and data.startswith(self._beside):
            self._skip -= 1
            if self._skip < 0:
                self.came = True
                return self.held if self._instead else self.held + data
        return data

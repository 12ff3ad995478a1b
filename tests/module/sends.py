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

"""Everything the module says passes here, piece by piece.

A *piece* is a whole line, a prompt, or a payload with its header, so that pieces may be put
in any order without ever tearing one apart: a URC lands at a line boundary by construction.
``tap`` sees each piece before it is queued and may change or drop it (for faults).

Byte templates: protocol.md section 1, performance.md B1.
"""

from collections.abc import Callable
from enum import Enum
from itertools import cycle
from random import Random
from typing import Final

from modemproxy.emulator.profile import Profile


class Piece(Enum):
    """What kind of thing is being said."""

    ECHO = "echo"
    LINE = "line"
    PROMPT = "prompt"
    PAYLOAD = "payload"
    URC = "urc"
    RAW = "raw"


#: Numeric forms of final result codes for ATV0.
_NUMERIC: Final = {"OK": "0", "CONNECT": "1", "NO CARRIER": "3", "ERROR": "4"}

Tap = Callable[[Piece, bytes], bytes]


class Output:
    """The queue of bytes towards the DTE.

    Attributes:
        verbose: ATV.
        quiet: ATQ1: no final result codes.
        tap: called with every piece; what it returns is sent instead.
        wake: called when something was queued.
        hears_urcs: False while transparent data flows.
        plugged: False while nobody is there to hear (the first port says it anyway).
        urc_codes: values of AT+CATR that mean this port.
    """

    def __init__(self, profile: Profile, rng: Random, wake: Callable[[], None]) -> None:
        self.profile = profile
        self.verbose = True
        self.quiet = False
        self.tap: Tap | None = None
        self.wake = wake
        self.hears_urcs = True
        self.plugged = True
        self.urc_codes: set[int] = set()
        self._rng = rng
        self._buffer = bytearray()
        self._extra = cycle(profile.urc_everywhere)

    def set_profile(self, profile: Profile) -> None:
        """Use other options from the next piece on."""
        self.profile = profile
        self._extra = cycle(profile.urc_everywhere)

    def __len__(self) -> int:
        return len(self._buffer)

    def put(self, piece: Piece, data: bytes) -> None:
        """Queue one piece."""
        if self.tap is not None:
            data = self.tap(piece, data)
        if data:
            self._buffer += data
            self.wake()

    def put_past(self, data: bytes) -> None:
        """Queue bytes that ``tap`` has seen already."""
        self._buffer += data
        self.wake()

    def take(self, limit: int | None = None) -> bytes:
        """Hand over what is queued, at most ``limit`` bytes of it."""
        data = bytes(self._buffer[:limit])
        del self._buffer[: len(data)]
        return data

    def clear(self) -> None:
        """Forget what was queued: the power went."""
        self._buffer.clear()

    def info(self, *lines: str) -> None:
        """Say the information text of an answer: only the first line has a leading CR LF."""
        for index, line in enumerate(lines):
            self._boundary("line")
            head = "\r\n" if index == 0 and self.verbose else ""
            self.put(Piece.LINE, f"{head}{line}\r\n".encode("latin-1"))

    def payload(self, header: str, data: bytes) -> None:
        """Say the header of a read and its bytes; nothing ever comes between the two."""
        self._boundary("line")
        head = f"\r\n{header}\r\n" if self.verbose else f"{header}\r\n"
        self.put(Piece.PAYLOAD, head.encode("latin-1") + data)

    def trailer(self) -> None:
        """Say what stands between a payload and its OK, beyond the OK's own CR LF."""
        extra = self.profile.trailer[2:].encode()
        if extra:
            self.put(Piece.LINE, extra)
        self._boundary("payload")

    def final(self, word: str) -> None:
        """Say a final result code."""
        if self.quiet:
            return
        self._boundary("line")
        numeric = _NUMERIC.get("CONNECT" if word.startswith("CONNECT ") else word)
        if self.verbose or numeric is None:
            self.put(Piece.LINE, f"\r\n{word}\r\n".encode("latin-1"))
        else:
            self.put(Piece.LINE, f"{numeric}\r".encode())

    def prompt(self) -> None:
        """Ask for data."""
        self._boundary("prompt")
        self.put(Piece.PROMPT, self.profile.prompt_text.encode())
        self._boundary("entry")

    def urc(self, line: str) -> None:
        """Say something unasked; also the late results of commands."""
        self._boundary("line")
        self.put(Piece.URC, f"\r\n{line}\r\n".encode("latin-1"))

    def push(self, header: bytes, data: bytes) -> None:
        """Say received bytes unasked (direct push)."""
        self.put(Piece.URC, header + data)

    def _boundary(self, place: str) -> None:
        profile = self.profile
        if not profile.urc_everywhere or place not in profile.urc_places:
            return
        if profile.urc_everywhere_p >= 1 or self._rng.random() < profile.urc_everywhere_p:
            self.put(Piece.URC, f"\r\n{next(self._extra)}\r\n".encode("latin-1"))

r"""Transcripts: a dialogue as a text, and a player that is the module's end of it.

::

    > AT+CIPSEND=3,5        the DTE sends this line and CR
    < +CIPRXGET: 1,4        the module sends CR LF, this line, CR LF
    <| \r\n>                the module sends exactly these bytes
    >| hello                the DTE sends exactly these bytes
    @ 2.5                   virtual seconds pass, in which the DTE says nothing
    ! hangup                the line dies
    = words                 what a recorded line meant; for ``tests/replay.py``, not here
    # words                 a comment

``\r \n \\ \xNN`` are escapes (not in ``>`` lines). ``{n}`` stands for n bytes: any are
taken from the DTE, ``filler(n)`` comes from the module; ``{nx}`` is n of ``x``. ``*`` in a
``>`` line is any byte (a masked secret). This is what ``modemproxy.line.wirelog`` writes,
so a log replays.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import trio
import trio.testing

from tests.strategies import pieces

FOLDER = Path(__file__).parent / "transcripts"
#: Cuts of what the module says; 0 is whole.
CHOPS = (0, 1, 2, 3, 7)

_PARTS = re.compile(r"\{(\d+)(x?)\}|([^{]+|\{)")
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_SIMPLE = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\", b"0": b"\0"}


class Mismatch(AssertionError):
    """The DTE said something else than the transcript."""


@dataclass(frozen=True)
class Step:
    """One line of a transcript.

    Attributes:
        kind: ``>``, ``<``, ``@``, ``!`` or ``=``.
        data: the bytes; of the DTE's, None is any byte.
        text: the words of ``=``; the command of ``>``, which exact bytes have not.
    """

    number: int
    kind: str
    data: tuple[int | None, ...] = ()
    pause_s: float = 0.0
    text: str = ""


def filler(size: int) -> bytes:
    """What the module sends for ``{n}``: every byte value, over and over."""
    return (bytes(range(256)) * (size // 256 + 1))[:size]


def load(name: str) -> list[Step]:
    return parse((FOLDER / f"{name}.txt").read_text())


def parse(text: str) -> list[Step]:
    """Read a transcript; what is no notation is refused with its line number."""
    return [
        _step(number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]


def _step(number: int, line: str) -> Step:
    sign, _, rest = line.partition(" ")
    if sign == ">":
        known = (None if char == "*" else ord(char) for char in rest)
        return Step(number, ">", (*known, 0x0D), text=rest)
    if sign == ">|":
        return Step(number, ">", tuple(_exact(rest, anything=True)))
    if sign == "<":
        return Step(number, "<", tuple(b"\r\n" + _unescape(rest) + b"\r\n"))
    if sign == "<|":
        return Step(number, "<", tuple(_exact(rest, anything=False)))
    if sign == "@":
        return Step(number, "@", pause_s=float(rest))
    if sign == "=":
        return Step(number, "=", text=rest)
    if (sign, rest) == ("!", "hangup"):
        return Step(number, "!")
    raise ValueError(f"line {number}: no transcript: {line!r}")


def _exact(text: str, *, anything: bool) -> Iterator[int | None]:
    for match in _PARTS.finditer(text):
        if match[1] is None:
            yield from _unescape(match[3])
        elif match[2]:
            yield from b"x" * int(match[1])
        elif anything:
            yield from [None] * int(match[1])
        else:
            yield from filler(int(match[1]))


def _unescape(text: str) -> bytes:
    def real(match: re.Match[bytes]) -> bytes:
        return bytes([int(match[1], 16)]) if match[1] else _SIMPLE[match[2]]

    return _ESCAPE.sub(real, text.encode("latin-1"))


def show(data: bytes) -> str:
    """Write what the DTE sent in the notation."""
    text = data[:-1]
    if data[-1:] == b"\r" and text.isascii() and text.decode().isprintable():
        return f"> {text.decode()}"
    return ">| " + data.decode("latin-1").encode("unicode_escape").decode()


def _show_expected(data: tuple[int | None, ...]) -> str:
    return show(bytes(0x2A if byte is None else byte for byte in data))


class Player:
    """Plays the module's end of a transcript on a stream."""

    def __init__(self, stream: trio.abc.Stream, steps: list[Step], chop: int = 0) -> None:
        self._stream = stream
        self._steps = steps
        self._chop = chop
        self._heard = bytearray()
        #: Where in the transcript it is, for a test that waits for it.
        self.reached = 0
        self.finished = trio.Event()

    async def run(self) -> None:
        """Play to the end.

        Raises:
            Mismatch: at the first byte that differs.
        """
        for step in self._steps:
            if step.kind == ">":
                await self._expect(step)
            elif step.kind == "<":
                await self._say(bytes(byte for byte in step.data if byte is not None))
            elif step.kind == "@":
                await self._pause(step)
            elif step.kind == "!":
                await self._stream.aclose()
            self.reached += 1
        await trio.testing.wait_all_tasks_blocked()
        self.finished.set()

    async def expect_silence(self) -> None:
        """Fail if the DTE said more than the transcript has."""
        if any(step.kind == "!" for step in self._steps):
            return
        await self._pause(Step(0, "@", pause_s=60.0))

    async def _say(self, data: bytes) -> None:
        for piece in pieces(data, self._chop):
            with suppress(trio.BrokenResourceError):
                await self._stream.send_all(piece)
            await trio.testing.wait_all_tasks_blocked()

    async def _expect(self, step: Step) -> None:
        while True:
            self._compare(step)
            if len(self._heard) >= len(step.data):
                del self._heard[: len(step.data)]
                return
            data = await self._stream.receive_some()
            if not data:
                raise self._mismatch(step, "the DTE closed the line")
            self._heard += data

    def _compare(self, step: Step) -> None:
        for at, (byte, expected) in enumerate(zip(self._heard, step.data, strict=False)):
            if expected is not None and byte != expected:
                raise self._mismatch(step, f"differs at byte {at}")

    async def _pause(self, step: Step) -> None:
        with trio.move_on_after(step.pause_s):
            while not self._heard and (data := await self._stream.receive_some()):
                self._heard += data
        if self._heard:
            raise self._mismatch(step, "silence was due")

    def _mismatch(self, step: Step, what: str) -> Mismatch:
        due = _show_expected(step.data) if step.data else f"@ {step.pause_s:g}"
        return Mismatch(
            f"line {step.number}: {what} at {trio.current_time():g} s\n"
            f"  expected  {due}\n"
            f"  got       {show(bytes(self._heard))}"
        )

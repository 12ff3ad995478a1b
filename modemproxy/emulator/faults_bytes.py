"""Faults of the line: bytes lost, changed, or coming in dribs and drabs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from modemproxy.emulator.faults_kind import Event, Filter, fault
from modemproxy.emulator.faults_params import BadValue, number
from modemproxy.emulator.faults_said import Said
from modemproxy.emulator.output import Piece

Where = Literal["any", "payload", "header", "lines"]
_MB = 1_000_000

#: Given the bytes, where to begin, and how many; returns what comes instead.
Damage = Callable[[bytearray, int, int], bytes]


class _OfBytes(Filter):
    """Damages bytes of one direction, by piece or so many times in a megabyte."""

    per_link: ClassVar[bool] = True
    lingers: ClassVar[bool] = True
    direction: Literal["in", "out"]
    where: Where
    least: int
    most: int
    per_mb: float

    def begin(self) -> None:
        """Choose the first place."""
        self._passed = 0
        self._more = 0
        self._next = self._gap()

    def said(self, said: Said) -> bytes:
        """Damage what the module says."""
        if self.direction != "out" or not self.concerns(said.link):
            return said.data
        start, end = self._part(said)
        return self._pass(said.data, start, end, said.piece.value)

    def incoming(self, data: bytes, payload: int) -> bytes:
        """Damage what the DTE says."""
        if self.direction != "in":
            return data
        if payload and not self.concerns(self.site.sent_link):
            return data
        bounds = {"any": (0, len(data)), "payload": (0, payload)}
        start, end = bounds.get(self.where, (payload, len(data)))
        return self._pass(data, start, end, "payload" if payload else "command")

    def damage(self, data: bytearray, start: int, count: int) -> None:
        """Do it to ``count`` bytes from ``start``."""
        raise NotImplementedError

    def _part(self, said: Said) -> tuple[int, int]:
        """Return from where to where a piece may be hit."""
        size = len(said.data)
        if self.where == "any":
            return 0, size
        if said.piece is not Piece.PAYLOAD:
            return (0, size) if self.where == "lines" else (0, 0)
        end = said.header_end()
        return {"header": (0, end), "payload": (end, size)}.get(self.where, (0, 0))

    def _pass(self, data: bytes, start: int, end: int, what: str) -> bytes:
        if end <= start:
            return data
        if not self.per_mb:
            return self._hit_once(data, start, end, what)
        return self._hit_by_chance(data, start, end, what)

    def _hit_once(self, data: bytes, start: int, end: int, what: str) -> bytes:
        count = min(self.rng.randint(self.least, self.most), end - start)
        place = self.rng.randint(start, end - count)
        if not self.strike(f"{count} bytes of {what}"):
            return data
        damaged = bytearray(data)
        self.damage(damaged, place, count)
        return bytes(damaged)

    def _hit_by_chance(self, data: bytes, start: int, end: int, what: str) -> bytes:
        """Damage at places of an even density, across pieces."""
        hits: list[tuple[int, int]] = []
        position = start
        while position < end:
            if not self._more:
                skip = min(self._next, end - position)
                self._next, position = self._next - skip, position + skip
                if self._next or position >= end:
                    continue
                self._next = self._gap()
                if not self.strike(f"in {what}"):
                    continue
                self._more = self.rng.randint(self.least, self.most)
            count = min(self._more, end - position)
            hits.append((position, count))
            self._more, position = self._more - count, position + count
        damaged = bytearray(data)
        for place, count in reversed(hits):
            self.damage(damaged, place, count)
        return bytes(damaged)

    def _gap(self) -> int:
        return 1 + int(self.rng.expovariate(self.per_mb / _MB)) if self.per_mb else 0

    def _check(self) -> None:
        if self.most < self.least:
            raise BadValue(f"is less than least ({self.least})", "most")


@fault("lose_bytes")
@dataclass(eq=False)
class LoseBytes(_OfBytes):
    """Bytes are lost on the line, towards the module (in) or from it (out)."""

    direction: Literal["in", "out"] = "out"  # towards the module, or from it
    where: Where = "any"  # payload, header (out: of a read; in: commands), lines (no read)
    least: int = number(1, least=1)  # bytes each time
    most: int = number(1, least=1)  # at most
    per_mb: float = 0.0  # so many times in a megabyte; 0: in each piece, with "probability"

    def __post_init__(self) -> None:
        self._check()

    def damage(self, data: bytearray, start: int, count: int) -> None:
        """Take them out."""
        del data[start : start + count]


@fault("garble_bytes")
@dataclass(eq=False)
class GarbleBytes(_OfBytes):
    """Bytes are changed on the line, towards the module (in) or from it (out)."""

    direction: Literal["in", "out"] = "out"  # towards the module, or from it
    where: Where = "any"  # payload, header (out: of a read; in: commands), lines (no read)
    least: int = number(1, least=1)  # bytes each time
    most: int = number(1, least=1)  # at most
    per_mb: float = 0.0  # so many times in a megabyte; 0: in each piece, with "probability"
    bits: Literal["one", "all"] = "one"  # flip one bit of each, or make each a random other

    def __post_init__(self) -> None:
        self._check()

    def damage(self, data: bytearray, start: int, count: int) -> None:
        """Change them."""
        for index in range(start, start + count):
            mask = (
                1 << self.rng.randrange(8) if self.bits == "one" else self.rng.randint(1, 255)
            )
            data[index] ^= mask


@fault("overrun")
@dataclass(eq=False)
class Overrun(LoseBytes):
    """The host's receiver overruns: runs of what the module says are lost."""

    most: int = number(64, least=1)  # at most
    per_mb: float = number(1.0, least=0.001)  # so many times in a megabyte


@fault("slicer")
@dataclass(eq=False)
class SliceUp(Event):
    """What the module says comes in slices, with pauses between them."""

    stands: ClassVar[bool] = True
    least: int = number(1, least=1)  # bytes
    most: int = number(7, least=1)  # bytes
    pause_s: float = 0.0005  # between two of them

    def __post_init__(self) -> None:
        if self.most < self.least:
            raise BadValue(f"is less than least ({self.least})", "most")

    def detail(self) -> str:
        """Say how small."""
        return f"{self.least}-{self.most} bytes"

    def begin(self) -> None:
        """Cut."""
        self.site.wire.slicer = self._slices

    def end(self) -> None:
        """Stop cutting."""
        if self.site.wire.slicer == self._slices:
            self.site.wire.slicer = None

    def _slices(self, data: bytes) -> Iterator[tuple[float, bytes]]:
        position = 0
        while position < len(data):
            size = self.rng.randint(self.least, self.most)
            yield self.pause_s, data[position : position + size]
            position += size

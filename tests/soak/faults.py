"""Faults at random: what can happen to a line, a module and its network.

What is never done here, because nobody could know of it (AT has no checksum):

* a payload byte is never changed, in either direction; it may only be lost;
* no burst and no wrong count is of two bytes, by which the documented trailers of a read
  differ (rulings.md 3), nor of 17 or 20, as reports have, which would stand for them;
* digits are changed only in the length of a read's header (matrix row F29): a link number
  or a counter that was changed into another valid one is indistinguishable;
* nothing is held up for longer than 15 s (row F54): a module that comes to a CIPSEND after
  our wait for its prompt and for its own time-out takes the next words for payload;
* foreign bytes come only while no data entry is near: there they would be payload.
"""

from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

import trio

from modemproxy.emulator.output import Piece
from tests.soak.boxed import draw_boxed
from tests.soak.damage import READ_HEADER, change_length
from tests.soak.line_faults import LineFaults
from tests.soak.stage import Stage

_RUBBISH: Final = bytes(0x80 | (i * 7 & 0x7F) for i in range(256))
Tap = Callable[[Piece, bytes], bytes]


class Faults(LineFaults):
    """Injects faults into one world; see ``LineFaults`` for what it takes."""

    def __init__(self, stage: Stage, rng: Random, say: Callable[[str], None]) -> None:
        super().__init__(stage, rng, say)
        self._taps: list[Tap] = []
        self._input_taps: list[Callable[[bytes], bytes]] = []
        self._say_on = stage.module.dce.out.tap
        self._hear_on = stage.module.dce.input.tap
        stage.module.dce.out.tap = self._tap
        stage.module.dce.input.tap = self._input_tap

    async def run(self, count: int, over_s: float) -> None:
        """Inject ``count`` faults at random times; return when the last is over."""
        async with trio.open_nursery() as nursery:
            started = trio.current_time()
            for _ in range(count):
                at = started + self._rng.uniform(0.5, over_s)
                boxed = self._rng.random() < _BOXED_P
                fault = Faults.boxed if boxed else self._rng.choice(_OWN)
                nursery.start_soon(self._inject, at, fault)

    async def _inject(self, at: float, fault: "Fault") -> None:
        await trio.sleep_until(at)
        await fault(self)

    async def keep_time(self) -> None:
        """Be the box's clock, for ever."""
        await self._box.run()

    def clear(self) -> None:
        """End everything that still stands."""
        self._box.clear()
        self._box.log.clear()  # it would grow for as long as the world lasts

    def _tap(self, piece: Piece, data: bytes) -> bytes:
        if self._say_on is not None:
            data = self._say_on(piece, data)
        for tap in list(self._taps):
            data = tap(piece, data) if data else b""
        return data

    def _input_tap(self, data: bytes) -> bytes:
        for tap in list(self._input_taps):
            data = tap(data)
        return self._hear_on(data) if self._hear_on is not None else data

    # -- the emulator's own faults --

    async def boxed(self) -> None:
        """One out of the box, until its time is over."""
        name, given = draw_boxed(self._rng, may_hide=self._may_hide())
        if not self._may(name, f"{name} {given}"):
            return
        active = self._box.inject(name, **given)
        await trio.sleep(given.get("for_s", 0.0))
        if "for_s" in given:
            active.lift()

    # -- the module --

    async def short_confirm(self) -> None:
        count = self._rng.choice((-1, 0, 1, 100, 1000))
        self._say(f"next send confirmed with {count}")
        self._stage.module.confirm_next(count)
        await trio.lowlevel.checkpoint()

    async def storm(self) -> None:
        """URCs at a high rate: hints for any link, and news nobody needs."""
        lines = [f"+CIPRXGET: 1,{n}" for n in range(10)]
        lines += ["+CPIN: READY", "SMS DONE", "PB DONE", "+CREG: 1", "+CGEV: NW DETACH"]
        count = self._rng.choice((3, 20, 150))
        self._say(f"{count} URCs")
        for _ in range(count):
            self._stage.module.inject(f"\r\n{self._rng.choice(lines)}\r\n".encode())
            await trio.sleep(0.004)

    async def foreign_command(self) -> None:
        """Another process on this host says something to the module."""
        dce = self._stage.module.dce
        word = self._rng.choice((b"AT\r", b"AT+CSQ\r", b"AT+CGMI\r"))
        self._say(f"foreign {word!r}")
        with trio.move_on_after(5):
            while dce.busy or dce.input.entry is not None:  # noqa: ASYNC110
                await trio.sleep(0.0017)
            # Who waits while the module is at rest had a damaged answer: another's OK would
            # complete it, and nobody could tell.
            channel = self._stage.lifecycle._channel
            if channel is None or channel._dte.in_flight is None:
                dce.receive(word)

    # -- what the module says --

    async def lose_pieces(self) -> None:
        """Some of the next things said are lost as a whole."""
        kinds = self._rng.choice(
            (
                {Piece.URC},
                {Piece.PROMPT},
                {Piece.LINE},
                {Piece.PAYLOAD} if self._may_hide() else {Piece.LINE},
                {Piece.LINE, Piece.URC, Piece.PROMPT},
            )
        )
        if Piece.URC in kinds and not self._may_hide():
            kinds = {Piece.LINE}
        left = self._rng.choice((1, 1, 2, 5))
        if not self._may(
            "lose_pieces", f"the next {left} of {sorted(k.value for k in kinds)} lost"
        ):
            return

        def tap(piece: Piece, data: bytes) -> bytes:
            nonlocal left
            if left <= 0 or piece not in kinds:
                return data
            left -= 1
            return b""

        await self._tap_for("lose_pieces", tap, self._seconds(10))

    async def garble_lines(self) -> None:
        """Some of what the module says is rubbish; never a payload."""
        chance, rng = self._rng.choice((0.1, 0.5)), self._rng
        self._say(f"lines garbled with p={chance}")
        lose_reports = self._may_hide()

        def tap(piece: Piece, data: bytes) -> bytes:
            spared = piece is Piece.PAYLOAD or (piece is Piece.URC and not lose_reports)
            if spared or rng.random() >= chance:
                return data
            at = rng.randrange(len(data))
            return data[:at] + data[at : at + 3].translate(_RUBBISH) + data[at + 3 :]

        await self._tap_for("garble_lines", tap, self._seconds(5))

    async def wrong_length(self) -> None:
        """A digit of a read's length is another one."""
        done = False
        if not self._may("wrong_length", "a wrong length in a read's header"):
            return

        def tap(piece: Piece, data: bytes) -> bytes:
            nonlocal done
            if done or piece is not Piece.PAYLOAD or not data.startswith(READ_HEADER):
                return data
            done = True
            return change_length(data, self._rng)

        await self._tap_for("wrong_length", tap, self._seconds(10))

    async def _tap_for(self, name: str, tap: Tap, seconds: float) -> None:
        self._taps.append(tap)
        with self._exclusive.working(name):
            await trio.sleep(seconds)
        self._taps.remove(tap)

    # -- what the module hears --

    async def garble_commands(self) -> None:
        """Some commands reach the module as rubbish; never a payload."""
        rng, dce = self._rng, self._stage.module.dce
        chance = rng.choice((0.1, 0.4))
        self._say(f"commands garbled with p={chance}")

        def tap(data: bytes) -> bytes:
            if dce.input.entry is not None or not data.startswith(b"AT") or len(data) > 100:
                return data
            if rng.random() >= chance:
                return data
            at = rng.randrange(len(data) - 1)
            return data[:at] + data[at : at + 2].translate(_RUBBISH) + data[at + 2 :]

        self._input_taps.append(tap)
        await trio.sleep(self._seconds(5))
        self._input_taps.remove(tap)


Fault = Callable[[Faults], Awaitable[None]]

_OWN: Final[tuple[Fault, ...]] = (
    Faults.short_confirm,
    Faults.storm,
    Faults.foreign_command,
    *(Faults.lose_pieces,) * 2,
    Faults.garble_lines,
    Faults.wrong_length,
    Faults.garble_commands,
    *(Faults.lose_bytes,) * 3,
    Faults.hold,
    Faults.slice,
    Faults.refuse_writes,
)
_BOXED_P: Final = 0.7

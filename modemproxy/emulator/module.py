"""The emulated module as a thing on a line: drives the core with trio.

``serve(stream)`` plugs a DTE in. Three tasks: bytes in, timers, bytes out. The module's
state belongs to the object, not to a client: it survives like a module whose host restarts.
What it says while nobody is plugged in is lost, as on a real line.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import trio

from modemproxy.emulator.chapters import HANDLERS
from modemproxy.emulator.dce import Dce
from modemproxy.emulator.faults_intercept import Interceptable
from modemproxy.emulator.faults_wire import Wire
from modemproxy.emulator.internet import Internet
from modemproxy.emulator.output import Piece
from modemproxy.emulator.pacing import PacedDirection, Sleeper, receive_paced
from modemproxy.emulator.presence import Presence
from modemproxy.emulator.presets import Presets
from modemproxy.emulator.profile import DEFAULT, Profile
from modemproxy.emulator.secondport import SecondPort

#: What is left of bytes received at another speed: rubbish, and never a CR.
_GARBLED: Final = bytes(0x80 | (value * 7 & 0x7F) for value in range(256))


class EmulatedModule:
    """One emulated A76XX. Make it inside ``trio.run``: it reads trio's clock.

    Args:
        profile: the dialect.
        internet: the far side.
        seed: of everything random.

    Attributes:
        dce: the core, for tests that look inside.
        preset: makes unusual initial states.
        presence: whether the device is there; only a USB one (``usb``) ever goes.
        wire: the line, for faults that stop it or cut what is said into slices.
        handlers: the table of commands, for faults that answer instead.
        after_step: called when input or timers were worked on, before anything is sent.
        bytes_in, bytes_out: from and to the DTE.
        dte_baudrate: the speed the DTE uses, None when it is always right; asked for every
            chunk. Bytes at another speed than the module's are garbled or ignored.
        trace: called with ``">"`` or ``"<"`` and the bytes, as they pass.
    """

    def __init__(
        self, profile: Profile = DEFAULT, *, internet: Internet, seed: int = 0
    ) -> None:
        self.handlers = Interceptable(HANDLERS)
        self.dce = Dce(profile, internet, self.handlers, clock=trio.current_time, seed=seed)
        self.dce.ctx.on_change = self._changed
        self.preset = Presets(self.dce)
        self.presence = Presence()
        self.dce.on_presence = self.presence.change
        self._second: SecondPort | None = None
        self.wire = Wire()
        self.after_step: Callable[[], None] = lambda: None
        self.bytes_in = 0
        self.bytes_out = 0
        self.dte_baudrate: Callable[[], int | None] = lambda: None
        self.trace: Callable[[str, bytes], None] = lambda _direction, _data: None
        self._output = trio.Event()
        self._output_since = trio.current_time()
        self._timers = trio.Event()
        self._sleeping: tuple[float, trio.CancelScope] | None = None
        self._one_client = trio.Lock()
        self._one_clock = trio.Lock()

    # -- the record --

    @property
    def profile(self) -> Profile:
        """The dialect in force."""
        return self.dce.profile

    @property
    def baudrate(self) -> int:
        """The module's own speed now."""
        return self.dce.baudrate

    @property
    def complaints(self) -> list[str]:
        """What the DTE did against the rules, in words, in order."""
        return self.dce.ctx.complaints

    @property
    def unknown(self) -> list[str]:
        """Commands that got ERROR because nobody knows them."""
        return self.dce.ctx.unknown

    @property
    def commands(self) -> Counter[str]:
        """How often each command came, by name (``+CIPSEND``; ``AT`` for a bare one)."""
        return self.dce.ctx.commands

    # -- events --

    def reboot(self, *, banner: bool = True) -> None:
        """Restart on its own: links, network and settings are gone."""
        self.dce.reboot(banner=banner)

    def power_on(self) -> None:
        """Press the power key of a module that is off (AT+CPOF)."""
        self.dce.power_on()

    def set_dtr(self, on: bool) -> None:
        """Change DTR; what a falling one does, AT&D says (transparent mode only)."""
        self.dce.set_dtr(on)

    def lose_network(self, *, urc: bool = True) -> None:
        """Lose the PDP context; with ``urc`` it says so (+CIPEVENT)."""
        self.dce.ctx.touch()
        self.dce.stack.lose(urc=urc)

    def inject(self, raw: bytes) -> None:
        """Say exactly these bytes now, at the next boundary of a piece."""
        self.dce.ctx.touch()
        self.dce.out.put(Piece.RAW, raw)

    def set_profile(self, **changes: Any) -> None:  # noqa: ANN401 - any field's own type
        """Change options of the dialect from now on."""
        profile = replace(self.dce.profile, **changes)
        self.dce.ctx.profile = profile
        for port in self.dce.ports:
            port.out.set_profile(profile)

    def confirm_next(self, *counts: int) -> None:
        """Have the next sends confirmed with these ``cnf`` (-1: the link is dead)."""
        self.dce.forced_confirms.extend(counts)

    # -- the line --

    @property
    def second(self) -> SecondPort:
        """The second AT port, made when it is first asked for."""
        if self._second is None:
            self._second = SecondPort(self)
        return self._second

    async def serve(
        self,
        stream: trio.abc.Stream,
        *,
        pace: bool = False,
        sleeper: Callable[[], Sleeper] = lambda: trio.sleep_until,
    ) -> None:
        """Plug a DTE in until its stream ends or breaks, or the USB device vanishes.

        Args:
            stream: the line; it is not closed.
            pace: 10 bits per byte at the module's speed, each direction for itself.
            sleeper: makes one sleeper per task, for a finer grain than trio's.

        Cancellation: unplugs at any byte. A second client waits for the first to leave.
        """
        async with self._one_client:
            self.dce.advance()
            self.dce.out.clear()
            self.wire.forget()
            try:
                with self.presence.while_here():
                    await self._serve(stream, pace=pace, sleeper=sleeper)
            except* (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # the client left: an end like any other

    async def _serve(
        self, stream: trio.abc.Stream, *, pace: bool, sleeper: Callable[[], Sleeper]
    ) -> None:
        rate: Callable[[], int | None] = (lambda: self.dce.baudrate) if pace else lambda: None
        inward = PacedDirection(rate, sleeper())
        outward = PacedDirection(rate, sleeper())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.keep_time, sleeper())
            nursery.start_soon(self._send, stream, outward)
            await self._receive(stream, inward)
            nursery.cancel_scope.cancel()

    async def _receive(self, stream: trio.abc.Stream, direction: PacedDirection) -> None:
        while True:
            data, at = await receive_paced(stream, direction)
            if not data:
                return
            if self.wire.reading.held:
                await self.wire.reading.wait_free()
                at = None
            self.bytes_in += len(data)
            self.trace(">", data)
            if self._same_speed() or self._follow_speed(data):
                self.dce.receive(data, at)
            elif self.profile.wrong_speed == "garble":
                self.dce.receive(data.translate(_GARBLED), at)
            self.after_step()

    async def _send(self, stream: trio.abc.Stream, direction: PacedDirection) -> None:
        out = self.dce.out
        queued = False
        while True:
            if not len(out):
                self.dce.output_sent()
                self._output = trio.Event()
                queued = False
                await self._output.wait()
            data = self.dce.take_output(direction.chunk_bytes())
            self.wire.took(len(data))
            since = None if queued else self._output_since
            await direction.wait_passed(len(data), queued=queued, since=since)
            queued = True
            if data:
                await self._put(stream, data)

    async def _put(self, stream: trio.abc.Stream, data: bytes) -> None:
        sent = data if self._same_speed() else data.translate(_GARBLED)
        self.bytes_out += len(sent)
        self.trace("<", sent)
        await self.wire.send(stream, sent)

    async def keep_time(self, sleep_until: Sleeper = trio.sleep_until) -> None:
        """Run the module's timers until cancelled, also while nobody is plugged in.

        ``serve`` does it for as long as it runs; of several callers one works.

        Args:
            sleep_until: how to sleep.
        """
        async with self._one_clock:
            try:
                await self._run_timers(sleep_until)
            finally:
                self._sleeping = None

    async def _run_timers(self, sleep_until: Sleeper) -> None:
        while True:
            deadline = self.dce.next_deadline()
            if deadline is None:
                self._timers = trio.Event()
                await self._timers.wait()
                continue
            with trio.CancelScope() as scope:
                self._sleeping = (deadline, scope)
                await sleep_until(deadline)
            self._sleeping = None
            self.dce.advance()
            self.after_step()

    def _same_speed(self) -> bool:
        speed = self.dte_baudrate()
        return speed is None or speed == self.dce.baudrate

    def _follow_speed(self, data: bytes) -> bool:
        speed = self.dte_baudrate()
        return speed is not None and self.dce.follow_speed(speed, data)

    def _changed(self) -> None:
        """Wake whoever has something to do: output was queued, or a timer set."""
        if len(self.dce.out):
            # the exact time of the cause: lateness in waking up must not add up
            if not self._output.is_set():
                self._output_since = self.dce.ctx.now
            self._output.set()
        self._timers.set()
        if self._sleeping is not None:
            deadline = self.dce.next_deadline()
            if deadline is not None and deadline < self._sleeping[0]:
                self._sleeping[1].cancel()

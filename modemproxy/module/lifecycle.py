"""The module over the years: one session after the other, for as long as the proxy runs.

``supervise()`` opens the port, brings the module up, runs the session, and starts again
when anything of that fails. What it does about a failure, and after what pause, says the
ladder (``ladder.py``). A failure that leaves the line usable keeps it open: the pause is
spent listening (``vigil.py``), and a change for the better ends it. ``SessionGate`` is
where clients wait for a session; they never see the line itself.

On ``stop()`` the session is left in order: links broken, NETCLOSE, port closed. All of
it is bounded: a module that answers nothing is left alone when the time is up.
"""

import logging
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import trio

from modemproxy.config import Config
from modemproxy.errors import (
    BringUpFailed,
    LineClosed,
    LineError,
    NetworkError,
    WriteBlocked,
    first_error,
)
from modemproxy.journal import (
    FlowControlDropped,
    Journal,
    ModuleDown,
    ModuleUp,
    RestartLoop,
    RungTaken,
)
from modemproxy.line.channel import AtChannel, open_channel
from modemproxy.line.port import Port, SerialPort
from modemproxy.module.bringup import bring_up
from modemproxy.module.habits import Habits
from modemproxy.module.ladder import LOOP_WINDOW_S, Ladder, Rung, Step, Trouble, trouble_of
from modemproxy.module.opens import Patience
from modemproxy.module.remedies import run_power_command
from modemproxy.module.session import Session, say_goodbye
from modemproxy.module.state import StateStore
from modemproxy.module.subscriber import PinRefusedForGood
from modemproxy.module.sync import SPEEDS
from modemproxy.module.vigil import Vigil

log = logging.getLogger(__name__)

OpenPort = Callable[[], Awaitable[Port]]

#: Where a restarting module is only watched, events are recorded at these counts.
_LOOP_EVENTS: Final = frozenset(2**n for n in range(2, 20))


class SessionGate:
    """Where clients wait for the module to be up."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._opened = trio.Event()

    @property
    def session(self) -> Session | None:
        """The session, if there is one right now."""
        return self._session

    async def wait_session(self) -> Session:
        """Wait for a session; the caller bounds the wait."""
        await trio.lowlevel.checkpoint()
        while self._session is None:
            await self._opened.wait()
        return self._session

    @contextmanager
    def opened(self, session: Session) -> Iterator[None]:
        """Let clients in for as long as the body runs and the session has not failed."""
        self._session = session
        session.on_failed = self._shut
        self._opened.set()
        try:
            yield
        finally:
            self._shut()

    def _shut(self) -> None:
        self._session = None
        if self._opened.is_set():
            self._opened = trio.Event()


class Lifecycle:
    """Keeps one module in service.

    Attributes:
        gate: where clients wait for a session.
        journal: what happened.
    """

    def __init__(
        self,
        config: Config,
        *,
        state: StateStore,
        open_port: OpenPort | None = None,
        journal: Journal | None = None,
    ) -> None:
        """Args:
        config: the whole configuration.
        state: marks of earlier runs.
        open_port: opens the line; the configured tty when left out.
        journal: is told what happens.
        """
        self.gate = SessionGate()
        self.journal = journal or Journal()
        self._config = config
        self._state = state
        self._open_port = open_port or self._open_tty
        self._ladder = Ladder(has_power=bool(config.modem.power_command))
        self._patience = Patience()
        self._habits = Habits()
        self._next = Step(Rung.REOPEN, 0.0)
        self._modem = config.modem
        self._quiet_until = -math.inf
        self._up_since: float | None = None
        self._stopping = False
        self._until_stop: trio.CancelScope | None = None
        self._channel: AtChannel | None = None
        self._last_problem = ""

    def stop(self) -> None:
        """Leave the session in order, and let ``supervise()`` return."""
        self._stopping = True
        if self._until_stop is not None:
            self._until_stop.cancel()

    def abort(self) -> None:
        """Stop waiting for the module: whatever is on the line ends now."""
        if self._channel is not None:
            self._channel.abort(LineClosed("the proxy is stopping"))

    async def supervise(self) -> None:
        """Run sessions until ``stop()``; raises only what is a bug."""
        while not self._stopping:
            failure: BaseException | None = None
            try:
                if self._next.rung is Rung.POWER:
                    await self._run_power_command()
                await self._use_port()
            except* LineError as group:
                failure = first_error(group)
            if failure is not None:
                self._climb(failure)
                with self._stoppable():
                    await trio.sleep(self._next.pause_s)

    async def _use_port(self) -> None:
        """Open the port and serve on it until a stop, or a failure that needs a new port.

        Raises:
            LineError: the line ended (alone or in a group).
        """
        port = await self._open_port()
        async with open_channel(port) as channel:
            self._channel = channel
            channel.on_resync = self._note_resync
            try:
                while (failure := await self._serve(channel)) is not None:
                    self._climb(failure)
                    await self._watch_over(channel, failure)
                    if self._next.rung in (Rung.POWER, Rung.REOPEN):
                        return
            finally:
                self._channel = None

    async def _watch_over(self, channel: AtChannel, failure: BaseException) -> None:
        """Pause; a module that answers is asked how it is."""
        vigil = Vigil(channel, failure)
        ask = trouble_of(failure) is not Trouble.SILENT
        with self._stoppable():
            speeds = tuple(dict.fromkeys((self._modem.baudrate, SPEEDS[0])))
            await vigil.wait(self._next.pause_s, ask=ask, speeds=speeds)
        if vigil.better:
            log.info("no need to wait longer: %s", vigil.better)

    async def _serve(self, channel: AtChannel) -> BaseException | None:
        """One session, from bring-up to its end; None when it was left in order.

        Returns:
            A failure that leaves the line usable.

        Raises:
            LineError: the line ended (alone or in a group).
        """
        session: Session | None = None
        failure: BaseException | None = None
        self._up_since = None
        try:
            with self._stoppable():
                session = await self._bring_up(channel)
                self._up_since = trio.current_time()
                with self.gate.opened(session):
                    await session.run()
        except* (NetworkError, BringUpFailed) as group:
            failure = first_error(group)
        finally:
            self._note_pending(channel, session)
        if isinstance(failure, PinRefusedForGood):
            await self._stay_down(failure)
            return None
        if failure is None and session is not None:
            await say_goodbye(channel, session)
        return failure

    def _note_pending(self, channel: AtChannel, session: Session | None) -> None:
        """A payload that is pending forbids to speak for a while, to this run and the next."""
        if session is None or session.left_payload_pending:
            self._quiet_until = max(self._quiet_until, channel.quiet_until)
        else:
            self._state.clear_session()

    async def _stay_down(self, failure: BaseException) -> None:
        log.critical("%s", failure)
        with self._stoppable():
            await trio.sleep_forever()

    async def _bring_up(self, channel: AtChannel) -> Session:
        config = self._config
        started = trio.current_time()
        readiness = await bring_up(
            channel,
            self._modem,
            connect_s=config.timeouts.connect_s,
            state=self._state,
            rung=self._next.rung,
            quiet_until=self._quiet_until,
            habits=self._habits,
        )
        self._state.note_session()
        self._last_problem = ""
        took_s = trio.current_time() - started
        self.journal.record(
            ModuleUp(readiness.model, readiness.address, readiness.baudrate, took_s)
        )
        timeouts = config.timeouts
        return Session(
            channel,
            readiness,
            connect_s=timeouts.connect_s,
            stall_s=timeouts.stall_s,
            journal=self.journal,
            patience=self._patience,
            habits=self._habits,
        )

    async def _open_tty(self) -> Port:
        modem = self._config.modem
        return await SerialPort.open(modem.port, baudrate=modem.baudrate, rtscts=False)

    async def _run_power_command(self) -> None:
        with self._stoppable():
            await run_power_command(self._config.modem.power_command)

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """A scope that ``stop()`` cancels."""
        with trio.CancelScope() as self._until_stop:
            if self._stopping:
                self._until_stop.cancel()
            yield

    def _note_resync(self, reason: str) -> None:
        self.journal.record(RungTaken("R1", "bringing the line back into step", reason))

    # -- what to do about a failure -----------------------------------------------------

    def _climb(self, failure: BaseException) -> None:
        """Decide the next step, and say so once."""
        now = trio.current_time()
        up_for_s = 0.0 if self._up_since is None else now - self._up_since
        self._up_since = None
        if isinstance(failure, WriteBlocked) and self._modem.flow_control == "rtscts":
            self._modem = replace(self._modem, flow_control="none")
            self.journal.record(FlowControlDropped())
        step = self._next = self._ladder.next_step(failure, now=now, up_for_s=up_for_s)
        problem = str(failure)
        if problem != self._last_problem:
            self.journal.record(ModuleDown(problem))
            self._last_problem = problem
        if step.restarts in _LOOP_EVENTS:
            self.journal.record(RestartLoop(step.restarts, LOOP_WINDOW_S))
        elif not step.restarts and not step.looking:
            rung = step.rung
            self.journal.record(RungTaken(rung.label, rung.action, problem, step.pause_s))

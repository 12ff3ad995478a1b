"""The module over the years: one session after the other, for as long as the proxy runs.

``supervise()`` opens the port, brings the module up, runs the session, and starts again
when anything of that fails. What it does about a failure, and after what pause, says the
ladder (``ladder.py``). A failure that leaves the line usable keeps it open. A pause is
spent listening (``vigil.py``), and a change for the better ends it. ``SessionGate`` is
where clients wait for a session; they never see the line itself.

On ``stop()`` the session is left in order: links broken, NETCLOSE, port closed. All of
it is bounded: a module that answers nothing is left alone when the time is up.
"""

import logging
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

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
from modemproxy.journal import FlowControlDropped, Journal
from modemproxy.line.channel import AtChannel, open_channel
from modemproxy.line.meter import LineMeter
from modemproxy.line.port import Port, SerialPort
from modemproxy.module import rights
from modemproxy.module.bringup import bring_up
from modemproxy.module.condition import Condition, ModuleState
from modemproxy.module.gate import SessionGate
from modemproxy.module.habits import Habits
from modemproxy.module.ladder import Rung
from modemproxy.module.opens import Patience
from modemproxy.module.pool import turn_away
from modemproxy.module.recovery import Recovery
from modemproxy.module.remedies import run_power_command
from modemproxy.module.servers import FarClient, ServerPort
from modemproxy.module.session import Session, say_goodbye
from modemproxy.module.state import StateStore
from modemproxy.module.subscriber import PinRefusedForGood
from modemproxy.module.vigil import sit_out, watch_over

log = logging.getLogger(__name__)

__all__ = ["Lifecycle", "OpenPort", "SessionGate"]

OpenPort = Callable[[], Awaitable[Port]]


class Lifecycle:
    """Keeps one module in service.

    Attributes:
        gate: where clients wait for a session.
        journal: what happened.
        condition: the module's state.
        meter: counts what the line is used for, over all sessions.
    """

    def __init__(
        self,
        config: Config,
        *,
        state: StateStore,
        open_port: OpenPort | None = None,
        journal: Journal | None = None,
        on_far_client: Callable[[FarClient], None] = turn_away,
    ) -> None:
        """Args:
        config: the whole configuration.
        state: marks of earlier runs.
        open_port: opens the line; the configured tty when left out.
        journal: is told what happens.
        on_far_client: is handed every far client of the module's servers, at once; it
            must not wait, and closes the link in the end.
        """
        self.gate = SessionGate()
        self.journal = journal or Journal()
        self.condition = Condition()
        self.meter = LineMeter()
        self._config = config
        self._on_far_client = on_far_client
        self._state = state
        self._open_port = open_port or self._open_tty
        has_power = bool(config.modem.power_command)
        self._recovery = Recovery(self.journal, self.condition, has_power=has_power)
        self._servers = rights.servers_of(config)
        self._patience = Patience()
        self._habits = Habits()
        self._modem = config.modem
        self._quiet_until = -math.inf
        self._up_since: float | None = None
        self._stopping = False
        self._until_stop: trio.CancelScope | None = None
        self._channel: AtChannel | None = None
        self._again = False
        self._state_to_be: StateStore | None = None

    def stop(self) -> None:
        """Leave the session in order, and let ``supervise()`` return."""
        self._stopping = True
        self.condition.become(ModuleState.STOPPED, "the proxy is stopping")
        if self._until_stop is not None:
            self._until_stop.cancel()

    def abort(self) -> None:
        """Stop waiting for the module: whatever is on the line ends now."""
        if self._channel is not None:
            self._channel.abort(LineClosed("the proxy is stopping"))

    def change(self, config: Config) -> None:
        """Go on with another configuration.

        Links and servers follow at once. What else it says of the modem needs a new
        session, which resets every connection; see ``rights.restart_keys``.
        """
        old, new, self._config = self._config.modem, config.modem, config
        if old.port != new.port:
            self._state_to_be = self._state.beside(new.port)
        keys = rights.restart_keys(old, new, in_service=self.gate.session is not None)
        self._recovery.ladder.has_power = bool(new.power_command)
        if keys:
            self._modem = new
            self._begin_again(f"the configuration was changed (modem: {', '.join(keys)})")
        else:
            self._modem = rights.with_live_keys(self._modem, new)
        self.change_servers(rights.servers_of(config, self._servers))

    def change_servers(self, servers: Sequence[ServerPort]) -> None:
        """Have the module listen there instead; those inside stay."""
        self._servers = tuple(servers)
        if (session := self.gate.session) is not None:
            rights.apply(session, self._config, self._servers)

    def _begin_again(self, why: str) -> None:
        self._again = True
        self._recovery.start_over(has_power=bool(self._modem.power_command))
        self.condition.become(ModuleState.STARTING, why)
        log.info("the module is brought up anew: %s", why)
        if (session := self.gate.session) is not None:
            session.on_failed()  # nobody else gets in
            session.pool.fail_all(why)
        if self._until_stop is not None:
            self._until_stop.cancel()

    async def supervise(self) -> None:
        """Run sessions until ``stop()``; raises only what is a bug."""
        self._quiet_until = trio.current_time() + self._state.small_send_due_s
        while not self._stopping:
            failure: BaseException | None = None
            try:
                if self._recovery.next.rung is Rung.POWER:
                    await self._run_power_command()
                await self._use_port()
            except* LineError as group:
                failure = first_error(group)
            if failure is not None and not self._again:
                self._climb(failure)
                with self._stoppable():
                    await sit_out(
                        self._recovery.next,
                        self._open_port,
                        silent_until=self._quiet_until,
                        baudrate=self._modem.baudrate,
                    )

    async def _use_port(self) -> None:
        """Open the port and serve on it until a stop, or a failure that needs a new port.

        Raises:
            LineError: the line ended (alone or in a group).
        """
        self._again = False
        if self._state_to_be is not None:
            self._state, self._state_to_be = self._state_to_be, None
            self._patience, self._habits = Patience(), Habits()
        port = await self._open_port()
        async with open_channel(port) as channel:
            self._channel = self.condition.line = channel
            channel.on_resync = self._recovery.note_resync
            channel.on_small_send = self._state.note_small_send
            try:
                while not self._again:
                    if (failure := await self._serve(channel)) is None or self._again:
                        return
                    self._climb(failure)
                    await self._watch_over(channel, failure)
                    if self._recovery.next.rung in (Rung.POWER, Rung.REOPEN):
                        return
            finally:
                self._channel = self.condition.line = None

    async def _watch_over(self, channel: AtChannel, failure: BaseException) -> None:
        """Pause; a module that answers is asked how it is."""
        with self._stoppable():
            pause_s = self._recovery.next.pause_s
            await watch_over(channel, failure, pause_s, self._modem.baudrate)

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
        self.condition.become(ModuleState.DOWN, str(failure))
        log.critical("%s", failure)
        with self._stoppable():
            await trio.sleep_forever()

    async def _bring_up(self, channel: AtChannel) -> Session:
        started = trio.current_time()
        readiness = await bring_up(
            channel,
            self._modem,
            connect_s=self._config.timeouts.connect_s,
            state=self._state,
            rung=self._recovery.next.rung,
            quiet_until=self._quiet_until,
            habits=self._habits,
        )
        self._state.note_session()
        self._recovery.note_up(readiness, trio.current_time() - started)
        config = self._config  # it may have changed meanwhile
        return Session(
            channel,
            readiness,
            connect_s=config.timeouts.connect_s,
            stall_s=config.timeouts.stall_s,
            journal=self.journal,
            patience=self._patience,
            habits=self._habits,
            reserve=rights.reserve_of(config),
            servers=self._servers,
            on_far_client=self._on_far_client,
            meter=self.meter,
        )

    async def _open_tty(self) -> Port:
        modem = self._config.modem
        return await SerialPort.open(modem.port, baudrate=modem.baudrate, rtscts=False)

    async def _run_power_command(self) -> None:
        with self._stoppable():
            await run_power_command(self._config.modem.power_command)

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """A scope that ``stop()`` and a changed configuration cancel."""
        with trio.CancelScope() as self._until_stop:
            if self._stopping or self._again:
                self._until_stop.cancel()
            yield

    def _climb(self, failure: BaseException) -> None:
        """Decide what to do about a failure."""
        up_since, self._up_since = self._up_since, None
        if isinstance(failure, WriteBlocked) and self._modem.flow_control == "rtscts":
            self._modem = replace(self._modem, flow_control="none")
            self.journal.record(FlowControlDropped())
        self._recovery.climb(failure, up_since=up_since)

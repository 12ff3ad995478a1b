"""The module over the years: one session after the other, for as long as the proxy runs.

``supervise()`` opens the port, brings the module up, runs the session, and starts again
when anything of that fails, after a pause that grows and is jittered. ``SessionGate`` is
where clients wait for a session; they never see the line itself.

On ``stop()`` the session is left in order: links broken, NETCLOSE, port closed. All of
it is bounded: a module that answers nothing is left alone when the time is up.
"""

import logging
import math
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

import trio

from modemproxy.config import Config
from modemproxy.errors import (
    BringUpFailed,
    LineError,
    ModemProxyError,
    NetworkError,
    first_error,
)
from modemproxy.line.channel import AtChannel, open_channel
from modemproxy.line.port import Port, SerialPort
from modemproxy.module.bringup import bring_up
from modemproxy.module.session import Session, say_goodbye
from modemproxy.module.state import StateStore
from modemproxy.module.subscriber import PinRefusedForGood

log = logging.getLogger(__name__)

OpenPort = Callable[[], Awaitable[Port]]

_FIRST_PAUSE_S: Final = 0.5
_PAUSE_LIMIT_S: Final = 300.0
#: A device that is not there is looked for often: looking costs nothing.
_DEVICE_PAUSE_S: Final = 2.0
_STABLE_S: Final = 60.0


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


class Backoff:
    """How long to wait before the next try: doubling, jittered, forgotten when stable."""

    def __init__(self) -> None:
        self._pause_s = _FIRST_PAUSE_S

    def next_pause(self, *, device_missing: bool, up_for_s: float) -> float:
        """Return the seconds to wait after a failure."""
        if up_for_s >= _STABLE_S:
            self._pause_s = _FIRST_PAUSE_S
        pause = self._pause_s
        self._pause_s = min(_PAUSE_LIMIT_S, self._pause_s * 2)
        if device_missing:
            pause = min(pause, _DEVICE_PAUSE_S)
        return pause * random.uniform(0.8, 1.2)


class Lifecycle:
    """Keeps one module in service.

    Attributes:
        gate: where clients wait for a session.
    """

    def __init__(
        self, config: Config, *, state: StateStore, open_port: OpenPort | None = None
    ) -> None:
        """Args:
        config: the whole configuration.
        state: marks of earlier runs.
        open_port: opens the line; the configured tty when left out.
        """
        self.gate = SessionGate()
        self._config = config
        self._state = state
        self._open_port = open_port or self._open_tty
        self._backoff = Backoff()
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
            self._channel.abort("the proxy is stopping")

    async def supervise(self) -> None:
        """Run sessions until ``stop()``; raises only what is a bug."""
        while not self._stopping:
            started = trio.current_time()
            try:
                await self._attempt()
            except* PinRefusedForGood as group:
                log.critical("%s", _describe(group))
                await self._pause(math.inf)
            except* (LineError, NetworkError, BringUpFailed) as group:
                self._report(_describe(group))
                pause = self._next_pause(group, trio.current_time() - started)
                log.debug("next try in %.1f s", pause)
                await self._pause(pause)

    async def _attempt(self) -> None:
        port = await self._open_port()
        async with open_channel(port) as channel:
            self._channel = channel
            session: Session | None = None
            try:
                with self._stoppable():
                    session = await self._bring_up(channel)
                    with self.gate.opened(session):
                        await session.run()
                if session is not None:
                    await say_goodbye(channel, session)
            finally:
                self._channel = None
                if session is not None and not session.left_payload_pending:
                    self._state.clear_session()

    async def _bring_up(self, channel: AtChannel) -> Session:
        config = self._config
        started = trio.current_time()
        readiness = await bring_up(
            channel, config.modem, connect_s=config.timeouts.connect_s, state=self._state
        )
        self._state.note_session()
        self._last_problem = ""
        log.info(
            "module up in %.1f s: %s, address %s, %d baud",
            trio.current_time() - started,
            readiness.model or "unknown model",
            readiness.address,
            readiness.baudrate,
        )
        timeouts = config.timeouts
        return Session(
            channel, readiness, connect_s=timeouts.connect_s, stall_s=timeouts.stall_s
        )

    async def _open_tty(self) -> Port:
        modem = self._config.modem
        return await SerialPort.open(modem.port, baudrate=modem.baudrate, rtscts=False)

    async def _pause(self, seconds: float) -> None:
        with self._stoppable():
            await trio.sleep(seconds)

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """A scope that ``stop()`` cancels."""
        with trio.CancelScope() as self._until_stop:
            if self._stopping:
                self._until_stop.cancel()
            yield

    def _report(self, problem: str) -> None:
        """Log a failure once, not with every try that fails the same way."""
        level = logging.DEBUG if problem == self._last_problem else logging.WARNING
        log.log(level, "not in service: %s", problem)
        self._last_problem = problem

    def _next_pause(self, group: BaseExceptionGroup[ModemProxyError], up_for_s: float) -> float:
        device_missing = isinstance(first_error(group), LineError)
        return self._backoff.next_pause(device_missing=device_missing, up_for_s=up_for_s)


def _describe(group: BaseException) -> str:
    return str(first_error(group))

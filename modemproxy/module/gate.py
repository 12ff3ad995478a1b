"""Where clients wait for the module to be up."""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from modemproxy.module.session import Session


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

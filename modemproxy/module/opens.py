"""Opens: those under way, and what became of the last: can anything be reached any more?"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import trio

from modemproxy.at.results import TcpipErr
from modemproxy.errors import LinkRefused

_REMEMBERED: Final = 4
#: A client that leaves sooner has not learned anything.
_PATIENT_S: Final = 5.0


class OpensUnderWay:
    """Lets nobody wait for a link of a session that is over.

    What is on the line in that moment may outlast the session by far: a module that is
    deaf has its whole time-out.
    """

    def __init__(self) -> None:
        self._scopes: set[trio.CancelScope] = set()
        self._reason = ""

    @contextmanager
    def until_ended(self, target: str) -> Iterator[None]:
        """Cut the body short when the session ends.

        Raises:
            LinkRefused: it ended.
        """
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                yield
            finally:
                self._scopes.remove(scope)
        if scope.cancelled_caught:
            raise LinkRefused(target, self._reason)

    def end(self, reason: str) -> None:
        """The session is over: wake all of them."""
        self._reason = reason
        for scope in self._scopes:
            scope.cancel()


@dataclass(slots=True)
class OpenRecord:
    """How opens ended, over one session.

    Attributes:
        unanswered: how many in a row ended without any answer from their far side.
        last_unanswered: where the last of them went.
        worked: far sides that were reached, the last one last.
        stuck: numbers that the module neither opens nor closes, since it opened any.
    """

    unanswered: int = 0
    last_unanswered: str = ""
    worked: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    stuck: set[int] = field(default_factory=set)

    def note(self, target: str, err: int | None) -> None:
        """An open ended with the module's ``<err>``, None where it said only ERROR."""
        if err == TcpipErr.TIMEOUT:
            self._note_unanswered(target)
            return
        self.unanswered = 0  # the far side, or somebody on the way, said something
        if err == 0:
            if target in self.worked:
                self.worked.remove(target)
            self.worked.append(target)

    def note_given_up(self, target: str, *, after_s: float) -> None:
        """An open was given up after so many seconds without a result."""
        if after_s >= _PATIENT_S:
            self._note_unanswered(target)

    def _note_unanswered(self, target: str) -> None:
        self.unanswered += 1
        self.last_unanswered = target

    @property
    def witness(self) -> str:
        """The far side to try when opens go unanswered: another one that worked, if any."""
        others = [target for target in self.worked if target != self.last_unanswered]
        return others[-1] if others else self.last_unanswered


@dataclass(slots=True)
class Patience:
    """How long not to suspect the network for unanswered opens; over all sessions.

    Far sides that are down look the same, and taking the network down for them each time
    would reset the others: every time in vain doubles the patience.
    """

    until: float = 0.0
    rest_s: float = 30.0

    def spend(self, now: float) -> None:
        """The network was taken down for it."""
        self.until = now + self.rest_s
        self.rest_s = min(1800.0, self.rest_s * 2)

    def restore(self) -> None:
        """An open was answered."""
        self.until, self.rest_s = 0.0, 30.0

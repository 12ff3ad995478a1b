"""Names looked up by the module, remembered for a while and asked once at a time.

The module does not say how long an address holds, nor why it has none: an address is kept
for a minute, "not found" for ten seconds. Whoever asks what is being asked already waits
for the same answer.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

import trio

from modemproxy.errors import LookupFailed, ModemProxyError
from modemproxy.module.lifecycle import SessionGate
from modemproxy.module.session import Session
from modemproxy.surfaces.guard import contained

FOUND_S: Final = 60.0
NOT_FOUND_S: Final = 10.0
#: How long a question waits for the module to be in service; clients ask again after 5 s.
SERVICE_S: Final = 4.0
_MOST_PENDING: Final = 32
_MOST_KEPT: Final = 1000
#: ``+CDNSGIP: 0,10``: the module's resolver found nothing.
_DNS_ERROR: Final = 10


class NotFound(Exception):
    """There is no such name, as far as the module can tell."""


class Unavailable(Exception):
    """The name could not be looked up now; the text says why."""


@dataclass(slots=True)
class _Answer:
    """What is known of a name: no addresses means that there is none."""

    addresses: tuple[str, ...]
    until: float


@dataclass(slots=True)
class _Question:
    """A look-up under way."""

    done: trio.Event = field(default_factory=trio.Event)
    answer: _Answer | None = None
    problem: str = "the proxy is stopping"


class Resolver:
    """Looks names up through the module.

    Attributes:
        asked: how many questions the module was asked.
    """

    def __init__(self, gate: SessionGate) -> None:
        """Args: gate: where sessions are waited for."""
        self.asked = 0
        self._gate = gate
        self._known: OrderedDict[str, _Answer] = OrderedDict()
        self._pending: dict[str, _Question] = {}

    async def look_up(self, name: str, tasks: trio.Nursery) -> tuple[tuple[str, ...], int]:
        """Find the addresses of a name.

        Args:
            name: in its one safe spelling (``proxying.hosts.clean_host``).
            tasks: where the module is asked: the one who asked first may give up.

        Returns:
            The addresses as text, and for how many seconds they hold.

        Raises:
            NotFound: the module found none.
            Unavailable: it could not be asked.
        """
        await trio.lowlevel.checkpoint()
        answer = self._remembered(name) or await self._ask(name, tasks)
        if not answer.addresses:
            raise NotFound
        return answer.addresses, math.ceil(answer.until - trio.current_time())

    def _remembered(self, name: str) -> _Answer | None:
        answer = self._known.get(name)
        if answer is not None and answer.until <= trio.current_time():
            del self._known[name]
            return None
        return answer

    async def _ask(self, name: str, tasks: trio.Nursery) -> _Answer:
        question = self._pending.get(name)
        if question is None:
            if len(self._pending) >= _MOST_PENDING:
                raise Unavailable(f"{_MOST_PENDING} names are being looked up already")
            question = self._pending[name] = _Question()
            tasks.start_soon(self._ask_module, name, question)
        await question.done.wait()
        if question.answer is None:
            raise Unavailable(question.problem)
        return question.answer

    async def _ask_module(self, name: str, question: _Question) -> None:
        try:
            with contained(f"looking up {name}"):
                await self._answer(name, question)
        finally:
            del self._pending[name]
            question.done.set()

    async def _answer(self, name: str, question: _Question) -> None:
        """Ask the module, and remember what it says."""
        session: Session | None = None
        with trio.move_on_after(SERVICE_S):
            session = await self._gate.wait_session()
        if session is None:
            question.problem = "the module is not in service"
            return
        self.asked += 1
        try:
            found = tuple(await session.resolve(name))
        except LookupFailed as error:
            question.problem = str(error)
            if error.code == _DNS_ERROR:
                question.answer = self._remember(name, (), NOT_FOUND_S)
        except ModemProxyError as error:
            question.problem = str(error)
        else:
            question.answer = self._remember(name, found, FOUND_S)

    def _remember(self, name: str, addresses: tuple[str, ...], seconds: float) -> _Answer:
        self._known.pop(name, None)
        if len(self._known) >= _MOST_KEPT:
            self._known.popitem(last=False)
        answer = self._known[name] = _Answer(addresses, trio.current_time() + seconds)
        return answer

"""What a fault can do, and the catalogue of all of them by name.

A kind of fault is a dataclass: its fields are the parameters, the first line of its docstring
is what ``--list-faults`` shows. *Filters* are asked about each matching thing while they are
armed; *events* happen, and some of them stand until they are lifted.
"""

from collections.abc import Callable
from random import Random
from typing import ClassVar, Final, TypeVar

from modemproxy.emulator.entry import Done
from modemproxy.emulator.faults_said import Said
from modemproxy.emulator.faults_site import Site
from modemproxy.emulator.reply import Reply
from modemproxy.emulator.syntax import Call

#: Goes on with a command: the next filter, in the end the module itself.
Proceed = Callable[[Call], Reply | None]


class Kind:
    """Common to all kinds.

    Attributes:
        per_link: it can be limited to a link.
        site: the module.
        rng: the dice of this fault alone.
        link: the link it is limited to, None for all.
        strike: asked by a filter that is about to do something, with a detail for the log;
            False: it must not (dice, limits).
        spent: says whether it has struck as often as it may.
        cause: the link of the command or send that set it off, None for none.
    """

    name: ClassVar[str] = ""
    per_link: ClassVar[bool] = False
    site: Site
    rng: Random
    link: int | None
    strike: Callable[[str], bool]
    spent: Callable[[], bool]
    cause: int | None

    def begin(self) -> None:
        """Be armed (filters), or happen (events)."""

    def end(self) -> None:
        """Be lifted."""

    def concerns(self, link: int | None) -> bool:
        """Whether something about this link is its business."""
        return self.link is None or self.link == link


class Filter(Kind):
    """Changes what passes; override what it is about.

    Attributes:
        lingers: it still has something to do when it has struck for the last time.
    """

    lingers: ClassVar[bool] = False

    def said(self, said: Said) -> bytes:
        """Return what is said instead of a piece."""
        return said.data

    def called(self, call: Call, proceed: Proceed) -> Reply | None:
        """Answer a command, or ``proceed`` with it or another."""
        return proceed(call)

    def sending(self, call: Call, done: Done) -> Done:
        """Return what gets the payload of a send instead of ``done``."""
        return done

    def incoming(self, data: bytes, payload: int) -> bytes:
        """Return what is received instead of ``data``, of which ``payload`` bytes are such."""
        return data


class Event(Kind):
    """Happens.

    Attributes:
        stands: it lasts until it is lifted, or for ``for_s`` seconds.
        abrupt: it ends what the module is doing, so it happens between two steps.
        needs_cable: it is about the device, not the module.
    """

    stands: ClassVar[bool] = False
    abrupt: ClassVar[bool] = False
    needs_cable: ClassVar[bool] = False

    def possible(self) -> bool:
        """Whether it can happen now; asked before the dice and the limits."""
        return True

    def detail(self) -> str:
        """Return what the log says of it."""
        return ""


KINDS: Final[dict[str, type[Kind]]] = {}
KindT = TypeVar("KindT", bound=Kind)


def fault(name: str) -> Callable[[type[KindT]], type[KindT]]:
    """Enter a kind into the catalogue."""

    def enter(kind: type[KindT]) -> type[KindT]:
        kind.name = name
        KINDS[name] = kind
        return kind

    return enter

"""An open: the dialogue about one number, and what can come between.

The module may give the number to a far client while our open of it waits, is under way, or
has been accepted. The far client keeps it: our open goes on with another number, and what
the module still says about the first is about nobody's link.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Generic, TypeVar

import trio

from modemproxy.at.commands import Setting
from modemproxy.at.results import Refused, TcpipErr, tcpip_error_text
from modemproxy.errors import CommandError, LinkRefused
from modemproxy.module.life import LineContext
from modemproxy.module.opens import OpenRecord
from modemproxy.module.pooled import PooledLink

LinkT = TypeVar("LinkT", bound=PooledLink)

_OK_LIMIT_S: Final = 9.0
#: Local ports tried, when the module says that one is taken.
_PORTS_TRIED: Final = 5
_PORT_TAKEN: Final = 6


class Outcome(Enum):
    """How an open of one number ended, where it did not fail."""

    OPEN = "open"
    STUCK = "the module neither opens nor closes it"
    LOST = "a far client has the number"


@dataclass(frozen=True, slots=True)
class Plan(Generic[LinkT]):
    """What is to be opened.

    Attributes:
        target: the far side, for the log.
        make_link: makes the link for a number.
        command: makes the command for a number; each one has another local port, if any.
        reaches: success tells that the far side can be reached.
    """

    target: str
    make_link: Callable[[int], LinkT]
    command: Callable[[int], Setting]
    reaches: bool = True


@dataclass(slots=True, eq=False)
class Opening:
    """An open of one number.

    Attributes:
        link: the link that will be.
        plan: what is opened.
        due: a result of the module may come.
        err: the result, once there is one.
        accepted: the module said OK.
        lost: a far client has the number.
        since: when the last command was asked for.
    """

    link: PooledLink
    plan: Plan[PooledLink]
    due: bool = False
    done: trio.Event = field(default_factory=trio.Event)
    err: int | None = None
    accepted: bool = False
    lost: bool = False
    since: float = 0.0
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    @property
    def number(self) -> int:
        """The link number."""
        return self.link.number

    def begin(self) -> None:
        """The module is asked; again perhaps."""
        self.due, self.err, self.done = True, None, trio.Event()
        self.accepted = False
        self.since = trio.current_time()

    def note_result(self, err: int) -> None:
        """``+CIPOPEN: <link>,<err>``."""
        self.due, self.err = False, err
        self.done.set()

    def lose(self) -> None:
        """A far client has the number: stop waiting for what the module says about it."""
        self.lost = True
        if not self.done.is_set():
            self.scope.cancel()


async def ask(context: LineContext, opening: Opening, opens: OpenRecord) -> int | None:
    """Have the module open a number; once it has a result, return its ``<err>``.

    Args:
        context: what the links of the session share.
        opening: the open; whoever hears the module notes the result there.
        opens: is told how it ended.

    Returns:
        None if the module said at once that the number is open.

    Raises:
        LinkRefused: the module refused it in other words.
        LineError: the line ended.
    """
    err = await _ask_once(context, opening, opens)
    for _ in range(_PORTS_TRIED - 1):
        if err != _PORT_TAKEN or opening.plan.reaches:
            break
        err = await _ask_once(context, opening, opens)
    return err


async def _ask_once(context: LineContext, opening: Opening, opens: OpenRecord) -> int | None:
    plan = opening.plan
    opening.begin()
    try:
        limit_s = _OK_LIMIT_S if plan.reaches and context.habits.link_ok_first else None
        await context.scheduler.execute(plan.command(opening.number), limit_s=limit_s)
    except Refused as error:
        opening.due = False
        return _refused(context, plan, error, opens)
    except CommandError as error:
        if opening.err is None:  # else its result is here, and only the OK was lost
            raise LinkRefused(plan.target, error.reason) from error
    opening.accepted = True
    await opening.done.wait()
    if plan.reaches:
        opens.note(plan.target, opening.err)
    if opening.err == TcpipErr.NOT_OPENED:
        context.on_network_closed("CIPOPEN: network not opened")
    return opening.err


def _refused(
    context: LineContext, plan: Plan[PooledLink], error: Refused, opens: OpenRecord
) -> int | None:
    """What a refusal means: None for a number that is open, or a port that is taken."""
    if error.failure.is_network_closed:
        context.on_network_closed(str(error))
    if plan.reaches:
        opens.note(plan.target, error.code)
    if error.failure.is_err(TcpipErr.NOT_SUPPORTED):
        return None
    if error.code == _PORT_TAKEN:
        return _PORT_TAKEN
    raise LinkRefused(plan.target, error.reason, error.code) from error


def refusal(target: str, err: int) -> LinkRefused:
    """Make the error for a result of the module."""
    return LinkRefused(target, tcpip_error_text(err), err)

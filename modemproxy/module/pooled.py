"""What the pool and the session know of a link, of whatever kind."""

from collections.abc import Callable
from typing import Any, Protocol

from modemproxy.at.urcs import SendConfirmed


class PooledLink(Protocol):
    """A link under one of the ten numbers."""

    @property
    def number(self) -> int:
        """The link number, 0 to 9."""

    @property
    def target(self) -> str:
        """The far side, for the log."""

    @property
    def far_closed(self) -> bool:
        """The module's socket is closed already."""

    @property
    def drained(self) -> bool:
        """Nothing unread can be left in the module under this number."""

    def start(self) -> None:
        """The open succeeded: take part in sharing the line."""

    def abort(self) -> None:
        """Close now."""

    def fail(self, reason: str, *, everywhere: bool = False) -> None:
        """Break the link, alone or with all others; the first reason counts."""

    def note_hint(self) -> None:
        """``+CIPRXGET: 1,<link>``."""

    def note_far_close(self, reason: int, *, heard: bool = True) -> None:
        """``+IPCLOSE: <link>,<reason>``, or found out without it (not ``heard``)."""

    def note_send_result(self, result: SendConfirmed) -> None:
        """``+CIPSEND: <link>,<requested>,<confirmed>``."""

    def sent_within(self, seconds: float, now: float) -> bool:
        """Whether a send is under way, or ended less than ``seconds`` ago."""

    @property
    def result_due(self) -> bool:
        """The result line of a send is still to come."""

    def on_close(self, callback: Callable[[Any], None]) -> None:
        """Have ``callback`` called once with the link, when its owner closes it."""

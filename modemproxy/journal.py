"""What happened, as typed events with their time: kept, logged, told to listeners. (floor 0)

An event is a fact an operator asks for later ("why was everything reset at 03:12?"). Each
is written to the log as one line at the moment it is recorded, so the log and the events
never tell two stories.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

log = logging.getLogger(__name__)

#: Events kept in memory; the oldest give way.
KEPT: Final = 1000


class Event:
    """Base of all events.

    Attributes:
        level: of its line in the log.
    """

    __slots__ = ()
    level: ClassVar[int] = logging.INFO

    @property
    def text(self) -> str:
        """What happened, in words."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ModuleUp(Event):
    """Service began."""

    model: str
    address: str
    baudrate: int
    took_s: float

    @property
    def text(self) -> str:
        """With all that was found."""
        model = self.model or "unknown model"
        return (
            f"module up in {self.took_s:.1f} s: {model}, address {self.address}, "
            f"{self.baudrate} baud"
        )


@dataclass(frozen=True, slots=True)
class ModuleDown(Event):
    """Service ended, or could not begin."""

    level: ClassVar[int] = logging.WARNING
    reason: str

    @property
    def text(self) -> str:
        """The reason."""
        return f"not in service: {self.reason}"


@dataclass(frozen=True, slots=True)
class RungTaken(Event):
    """A step of the recovery ladder.

    Attributes:
        rung: its name, ``R1`` to ``R7``.
        action: what is done.
        reason: why.
        pause_s: how long is waited before.
    """

    level: ClassVar[int] = logging.WARNING
    rung: str
    action: str
    reason: str
    pause_s: float = 0.0

    @property
    def text(self) -> str:
        """Rung, action and reason."""
        when = f" in {self.pause_s:.1f} s" if self.pause_s >= 1 else ""
        return f"recovery {self.rung}: {self.action}{when} ({self.reason})"


@dataclass(frozen=True, slots=True)
class RestartLoop(Event):
    """The module restarts again and again."""

    level: ClassVar[int] = logging.ERROR
    restarts: int
    within_s: float

    @property
    def text(self) -> str:
        """What that usually means."""
        return (
            f"the module restarted {self.restarts} times within {self.within_s:.0f} s: most "
            "likely its power supply is too weak (it needs 2 A for moments); backing off"
        )


@dataclass(frozen=True, slots=True)
class LinkBroken(Event):
    """A connection was reset, and why."""

    link: int
    target: str
    reason: str

    @property
    def text(self) -> str:
        """Link, far side and cause."""
        return f"link {self.link} -> {self.target} reset: {self.reason}"


@dataclass(frozen=True, slots=True)
class FlowControlDropped(Event):
    """RTS/CTS is configured and cannot work."""

    level: ClassVar[int] = logging.ERROR

    @property
    def text(self) -> str:
        """What to do about it."""
        return (
            "the module took no byte although nothing was wrong with the port: RTS/CTS flow "
            "control is configured, but CTS is not wired; going on WITHOUT flow control "
            "until the program is restarted (set modem.flow_control: none, or wire CTS)"
        )


@dataclass(frozen=True, slots=True)
class LineLosesBytes(Event):
    """Answers of the module come with bytes missing."""

    level: ClassVar[int] = logging.WARNING
    within_s: float

    @property
    def text(self) -> str:
        """What to do about it."""
        return (
            f"three answers within {self.within_s:.0f} s came with bytes missing or wrong: the "
            "line is too fast for its wiring or for this host (wire RTS and CTS and set "
            "modem.flow_control: rtscts, or lower modem.baudrate)"
        )


@dataclass(frozen=True, slots=True)
class ServerArmed(Event):
    """A server on the module listens."""

    index: int
    port: int
    address: str
    name: str = ""

    @property
    def text(self) -> str:
        """Where far clients come in."""
        who = self.name or self.index
        return f"server {who}: the module listens on {self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class ServerNotArmed(Event):
    """A server on the module does not listen."""

    level: ClassVar[int] = logging.WARNING
    name: str
    port: int
    reason: str
    retry_s: float

    @property
    def text(self) -> str:
        """Why, and when it is tried again."""
        return (
            f"server {self.name}: the module does not listen on port {self.port} "
            f"({self.reason}); next try in {self.retry_s:.0f} s"
        )


@dataclass(frozen=True, slots=True)
class FarClientRefused(Event):
    """A far client was turned away before anybody saw it."""

    level: ClassVar[int] = logging.WARNING
    server: int
    peer: str
    why: str

    @property
    def text(self) -> str:
        """Who, where and why."""
        return f"far client {self.peer} of server {self.server} refused: {self.why}"


@dataclass(frozen=True, slots=True)
class GaveWay(Event):
    """An idle datagram link was closed, because somebody waited for a link."""

    target: str
    for_whom: str

    @property
    def text(self) -> str:
        """Which one, and for whom."""
        return f"the idle datagram link to {self.target} gave way to {self.for_whom}"


@dataclass(frozen=True, slots=True)
class DatagramsMerged(Event):
    """The module accepted package mode, and was seen not to keep datagrams apart."""

    level: ClassVar[int] = logging.WARNING

    @property
    def text(self) -> str:
        """What that means."""
        return (
            "the module merges UDP datagrams although it accepted package mode: boundaries "
            "are kept only while one answer is awaited at a time"
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """An event and when it happened (seconds since the epoch)."""

    at: float
    event: Event


class Journal:
    """Keeps the last events and passes every one on."""

    def __init__(self, clock: Callable[[], float] = time.time, *, kept: int = KEPT) -> None:
        """Args: clock: the time of day; kept: how many events stay."""
        self._clock = clock
        self._entries: deque[Entry] = deque(maxlen=kept)
        self._listeners: list[Callable[[Entry], None]] = []

    def record(self, event: Event) -> None:
        """Log an event, keep it, and tell the listeners."""
        log.log(event.level, "%s", event.text)
        entry = Entry(self._clock(), event)
        self._entries.append(entry)
        for listener in self._listeners:
            listener(entry)

    def listen(self, listener: Callable[[Entry], None]) -> None:
        """Have ``listener`` called with every event from now on; it must not wait."""
        self._listeners.append(listener)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries))

    def events(self) -> list[Event]:
        """The events that are kept, oldest first."""
        return [entry.event for entry in self._entries]

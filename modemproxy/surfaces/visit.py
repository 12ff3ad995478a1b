"""One client's stay: who, where to, how much, how far it came, how it ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import trio

from modemproxy.errors import ModemProxyError, first_error
from modemproxy.surfaces.access import Denied
from modemproxy.surfaces.causes import CLEAN, who_ended
from modemproxy.surfaces.relay import ClientVanished, Traffic

STOPPING: Final = "reset: the proxy is stopping"


def name_of(host: str, port: int) -> str:
    """Write an address, or a destination, as the log has it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Moved(Protocol):
    """How many bytes went each way."""

    up: int
    down: int


class Visit:
    """A client that was let in.

    Attributes:
        id: its number in the roster; 0 before it was let in.
        kind: how it came in: ``tcp``, ``udp``, ``server``, ``socks5``, ``http``, ``dns``
            or ``connect``.
        surface: the name of the forward, server or proxy.
        peer: the client's ``address:port``.
        host: its address alone.
        target: where it is connected to, or wants to be.
        traffic: what was moved, and how it ended.
        link: the module's number for it, once it has one.
        cause: of its end, in two letters (``causes.py``); empty before.
        note: what else the log is to say.
        began: when it was let in (trio's clock).
    """

    def __init__(
        self,
        surface: str,
        peer: str,
        target: str = "?",
        *,
        kind: str = "tcp",
        moved: Moved | None = None,
    ) -> None:
        """Args: moved: counts its bytes when ``traffic`` does not."""
        self.id = 0
        self.kind = kind
        self.surface = surface
        self.peer = peer
        self.host = peer.rpartition(":")[0].strip("[]")
        self.target = target
        self.traffic = Traffic(end=STOPPING)
        self.link: int | None = None
        self.cause = ""
        self.note = ""
        self.began = trio.current_time()
        self._moved: Moved = moved or self.traffic
        self._phase = "R" if target == "?" else "Q"
        self._asked_at = self._number_at = self._open_at = self._ended_at = None
        self._scope = trio.CancelScope()
        self._kicked = ""

    _asked_at: float | None
    _number_at: float | None
    _open_at: float | None
    _ended_at: float | None

    @property
    def up(self) -> int:
        """Bytes to the far side."""
        return self._moved.up

    @property
    def down(self) -> int:
        """Bytes to the client."""
        return self._moved.down

    # -- how far it has come --------------------------------------------------------------

    def note_asked(self) -> None:
        """It is known what it wants: now it waits for the module and for a link."""
        self._phase = "Q"
        self._asked_at = trio.current_time()

    def note_number(self, number: int) -> None:
        """A link of the module is its own, and is being opened."""
        self._phase = "C"
        self.link = number
        self._number_at = trio.current_time()

    def note_open(self) -> None:
        """Both sides are connected."""
        self._phase = "D"
        self._open_at = trio.current_time()

    @property
    def queued_s(self) -> float | None:
        """How long it waited for the module and a link, seconds; None if it never did."""
        return _between(self._asked_at, self._number_at or self._ended_at)

    @property
    def open_s(self) -> float | None:
        """How long opening took, seconds."""
        return _between(self._number_at, self._open_at or self._ended_at)

    @property
    def transfer_s(self) -> float | None:
        """How long both sides were connected, seconds, until now."""
        return _between(self._open_at, self._ended_at or trio.current_time())

    @property
    def age_s(self) -> float:
        """Since it was let in, seconds."""
        return (self._ended_at or trio.current_time()) - self.began

    # -- its end --------------------------------------------------------------------------

    def kick(self, why: str) -> None:
        """End it from outside: it is reset."""
        self._kicked = self._kicked or why
        self._scope.cancel()

    def note_refused(self, error: BaseException | str) -> None:
        """It was told in its own protocol that it can not have what it wants."""
        self.traffic.end = f"refused: {error}"
        who = "P" if isinstance(error, str) else who_ended(error, self._phase)
        self.cause = who + self._phase

    def note_end(self, words: str, failure: BaseException | None, *, timed_out: bool) -> None:
        """It has ended without an error for whoever serves it."""
        self.traffic.end, self.traffic.timed_out = words, timed_out
        if failure is not None:
            self.cause = who_ended(failure, self._phase) + self._phase

    @contextmanager
    def judged(self) -> Iterator[None]:
        """Find out how it ends; what a client can suffer ends here, being kicked included."""
        self.began = trio.current_time()
        try:
            with self._scope:
                yield
            if self._scope.cancelled_caught:
                self._end(f"reset: {self._kicked}", "K")
            elif not self.cause:
                self._end(self.traffic.end, "")
        except (ModemProxyError, trio.BrokenResourceError, ClientVanished, Denied) as error:
            self._end(f"reset: {error}", who_ended(error, self._phase))
        except BaseException as error:
            stopped = isinstance(first_error(error), trio.Cancelled)
            self._end(self.traffic.end or STOPPING, "D" if stopped else "I")
            raise
        finally:
            self._ended_at = trio.current_time()

    def _end(self, words: str, who: str) -> None:
        """Note how it ended; nobody's doing is an orderly end."""
        self.traffic.end = words
        if who:
            self.cause = who + self._phase
        else:
            self.cause = "c-" if self.traffic.timed_out else CLEAN


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start

"""What is written down while a world runs, for the checker to read afterwards.

Nothing here judges, and nothing here knows the product.
"""

from dataclasses import dataclass, field
from math import inf

#: How a receiving direction ended, as its program saw it.
OPEN, FIN, RST, LEFT = "open", "FIN", "RST", "left"


@dataclass(slots=True)
class End:
    """One program's view of a connection.

    Attributes:
        opened_at: seconds.
        received: the bytes, in order.
        arrivals: (time, length) of each piece received.
        sendings: (time, length) of each piece that the transport took.
        landings: far end only: (time, length) of what reached the module's buffer.
        sent: bytes that the transport took.
        offered: with those of a send that failed, of which some may have gone.
        end: how receiving ended: FIN, RST, LEFT (the program left), OPEN (not yet).
        ended_at: when.
        fin_at: when this program ended its sending side, or None.
        aborted_at: when this program reset the connection, or None.
        reached: far end only: bytes the module's stack handed to the network.
        reset_after_fin: client only: the connection was reset after an orderly EOF.
        left_at_once: client only: it left with the EOF, and would not have heard of that.
    """

    opened_at: float
    received: bytearray = field(default_factory=bytearray)
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    sendings: list[tuple[float, int]] = field(default_factory=list)
    landings: list[tuple[float, int]] = field(default_factory=list)
    sent: int = 0
    offered: int = 0
    end: str = OPEN
    ended_at: float | None = None
    fin_at: float | None = None
    aborted_at: float | None = None
    reached: int = 0
    reset_after_fin: bool = False
    left_at_once: bool = False

    def note_received(self, data: bytes, now: float) -> None:
        """Bytes came."""
        self.received += data
        self.arrivals.append((now, len(data)))

    def note_sent(self, count: int, now: float) -> None:
        """Bytes were taken."""
        self.sent += count
        self.sendings.append((now, count))

    def note_end(self, how: str, now: float) -> None:
        """Receiving is over; the first reason counts."""
        if self.end == OPEN:
            self.end, self.ended_at = how, now

    def forget(self) -> None:
        """Give the bytes and their times back: a link of the module may still know us."""
        self.received = bytearray()
        for pieces in (self.arrivals, self.sendings, self.landings):
            pieces.clear()

    @property
    def ended_itself(self) -> bool:
        """This program was the one that said the end."""
        return self.fin_at is not None or self.aborted_at is not None


@dataclass(slots=True)
class Connection:
    """A client's connection, and what the far host saw of it.

    Attributes:
        number: also in every byte of its streams.
        kind: the role, for people.
        client: the client's view.
        fars: far views; more than one when an open had to be repeated.
        reachable: whether a far host listens there at all.
        half_close_s: the listener's ``half_close_s``, seconds.
        done_at: when the client's program was finished with it, or None.
        proxy_end: what the proxy logged as the end.
        stalls: a program of this connection stops reading for good: it may be reset.
        close_on_fin: the client's FIN ends it all: no answer is waited for.
    """

    number: int
    kind: str
    client: End
    fars: list[End] = field(default_factory=list)
    reachable: bool = True
    half_close_s: float = 30.0
    done_at: float | None = None
    proxy_end: str = ""
    stalls: bool = False
    close_on_fin: bool = False

    @property
    def last_progress(self) -> float:
        """When anything last moved on it."""
        times = [self.client.opened_at]
        for end in (self.client, *self.fars):
            times.append(end.opened_at)
            times += [pieces[-1][0] for pieces in (end.arrivals, end.sendings) if pieces]
            times += [at for at in (end.ended_at, end.fin_at) if at is not None]
        return max(times)


@dataclass(slots=True)
class Levels:
    """Things that must be the same before and after. (I7)"""

    tasks: int
    links: int
    descriptors: int
    memory_bytes: int


@dataclass(slots=True)
class History:
    """A world's record.

    Attributes:
        connections: all of them.
        faults: (time, words) of each.
        clear_at: when the last fault was over, or None if there was none.
        serving_at: when, after that, a new connection first worked.
        recovery_limit_s: how long that may take.
        connect_limit_s: how long a client may wait for its connection or its reset.
        progress_limit_s: how long a connection may stand still.
        ended_at: when the world ended.
        before, after: levels before the first connection and after the last.
        supervisor: how the supervisor ended before it was told to, or "".
        bugs: exceptions that no design provides for, with their text.
        calm: nothing was done to this world that excuses any reset.
        acknowledged: the module tells what the far side acknowledged (CIPACK).
        keeps_data: what is unread can be read after the far side closed.
        stopped_in_s: how long the supervisor took to leave, once told.
    """

    connections: list[Connection] = field(default_factory=list)
    faults: list[tuple[float, str]] = field(default_factory=list)
    clear_at: float | None = None
    serving_at: float | None = None
    recovery_limit_s: float = 90.0
    connect_limit_s: float = 32.0
    progress_limit_s: float = 180.0
    ended_at: float = 0.0
    before: Levels | None = None
    after: Levels | None = None
    supervisor: str = ""
    bugs: list[str] = field(default_factory=list)
    calm: bool = False
    acknowledged: bool = True
    keeps_data: bool = True
    stopped_in_s: float | None = None

    @property
    def arrived_at(self) -> float:
        """When anything last arrived anywhere."""
        ends = (end for c in self.connections for end in (c.client, *c.fars))
        return max((end.arrivals[-1][0] for end in ends if end.arrivals), default=-inf)

    def forget(self) -> None:
        """Give back what was kept to be judged, and has been."""
        for connection in self.connections:
            for end in (connection.client, *connection.fars):
                end.forget()
        self.connections.clear()

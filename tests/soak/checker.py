"""The judge: reads a History and says which invariants it breaks.

I1  what was received is an exact prefix of what was sent, at both ends: no loss inside, no
    duplicate, no other order, no foreign byte (so no AT text either).
I2  a clean end for the client means that everything the far side sent before its own end
    was received.
I3  bytes missing means that the reader saw a reset.
I4  no byte of one connection appears in another.
I5  every connection ends or progresses within its deadline.
I6  a while after the last fault is over, a new connection works.
I7  links, tasks, file descriptors and memory return to their baseline.
I8  the supervisor runs until it is told to stop.
IT  (calm worlds only) nothing is reset without a reason.

What holds for which direction: the module can only close a whole link, so the far side sees
FIN whatever happened (failures.md A5.6). There I1 and I4 hold, and I2/I3 only seen from the
client: one that was told of no loss (FIN, and no reset behind it) has had every byte of its
own handed to the far side's network.

When the far side has not ended and the client had sent FIN, the proxy may end the connection
after ``half_close_s`` of silence (A5.2): only what came in the last moment of that may be lost.
"""

from dataclasses import dataclass
from typing import Final

from tests.soak.history import FIN, OPEN, RST, Connection, End, History, Levels
from tests.soak.stream import Direction, find_block, stream

#: An answer on its way while the wait for it runs out.
_ANSWER_MARGIN_S: Final = 2.0
_ROUNDING_S: Final = 0.1
#: Bytes cross the emulated network in less.
_UNDER_WAY_S: Final = 1.0
#: Memory allocators keep some; tasks and descriptors have no such excuse.
_MEMORY_SLACK_BYTES: Final = 12 << 20


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken invariant."""

    invariant: str
    connection: int | None
    what: str

    def __str__(self) -> str:
        where = "" if self.connection is None else f" connection {self.connection}:"
        return f"{self.invariant}{where} {self.what}"


def judge(history: History) -> list[Violation]:
    """Return everything that is wrong with a history."""
    found: list[Violation] = []
    for connection in history.connections:
        found += judge_connection(connection, history)
    return found + _judge_whole(history)


def judge_connection(connection: Connection, history: History) -> list[Violation]:
    """Judge one connection that is over, or whose world is."""
    judge_one = _Judge(connection, history)
    return judge_one.run()


class _Judge:
    def __init__(self, connection: Connection, history: History) -> None:
        self._connection = connection
        self._history = history
        self._found: list[Violation] = []

    def run(self) -> list[Violation]:
        self._check_bytes()
        if self._connection.client.end == FIN:
            self._check_down_complete()
            self._check_up_complete()
        self._check_deadlines()
        if self._history.calm:
            self._check_no_reset()
        return self._found

    def _blame(self, invariant: str, what: str) -> None:
        about = self._connection
        words = f"{what} [{about.kind}; client {about.client.end}; proxy: {about.proxy_end}]"
        self._found.append(Violation(invariant, about.number, words))

    # -- I1, I4 --

    def _check_bytes(self) -> None:
        connection = self._connection
        offered = max((far.offered for far in connection.fars), default=0)
        self._check_prefix(connection.client, Direction.DOWN, offered, "client")
        for far in connection.fars:
            self._check_prefix(far, Direction.UP, connection.client.offered, "far side")
        talked_to = [far for far in connection.fars if far.received]
        if len(talked_to) > 1:
            self._blame("I1", f"{len(talked_to)} far connections received its bytes")

    def _check_prefix(self, end: End, way: Direction, limit: int, who: str) -> None:
        expected = stream(self._connection.number, way, len(end.received))
        if end.received != expected:
            invariant, what = explain(bytes(end.received), self._connection.number, way)
            self._blame(invariant, f"{who} received {what}")
        elif len(end.received) > limit:
            count = len(end.received)
            self._blame("I1", f"{who} received {count} bytes, {limit} were ever sent")

    # -- I2, I3 --

    def _check_down_complete(self) -> None:
        """The client saw FIN: had it everything?"""
        connection, client = self._connection, self._connection.client
        got = len(client.received)
        if connection.close_on_fin and client.fin_at is not None:
            return
        enders = [far for far in connection.fars if far.ended_itself]
        if not enders and client.fin_at is None:
            self._blame("I2", f"client saw FIN after {got} bytes, and nobody had ended it")
        elif self._answer_given_up():
            early = max((_landed_early(far, client) for far in connection.fars), default=0)
            if got < early:
                self._blame("I2", f"client saw FIN after {got} bytes, {early} were long there")
        elif got < (sent := max((far.sent for far in enders), default=0)):
            self._blame("I2", f"client saw FIN after {got} bytes, the far side sent {sent}")

    def _answer_given_up(self) -> bool:
        """The client had finished, and no answer came for ``half_close_s``."""
        client = self._connection.client
        if client.fin_at is None or client.ended_at is None:
            return False
        since = max([client.fin_at, *(at for at, _ in client.arrivals[-1:])])
        return client.ended_at - since >= self._connection.half_close_s - _ROUNDING_S

    def _check_up_complete(self) -> None:
        """The client saw FIN and no reset behind it: had the far side everything?"""
        client = self._connection.client
        if client.reset_after_fin or client.left_at_once or not self._history.acknowledged:
            return
        reached = max((far.reached for far in self._connection.fars), default=0)
        if reached < client.sent and not self._struck_behind_a_far_close():
            self._blame(
                "I3",
                f"client saw FIN, {reached} of its {client.sent} bytes reached the far side",
            )

    def _struck_behind_a_far_close(self) -> bool:
        """Bytes were under way to a far side that had closed by itself, and something happened.

        Where CIPACK can not be asked any more, far data that came after the last send is
        proof enough for a clean end (rulings.md 1): a fault right behind it has the rest.
        """
        client = self._connection.client
        over = client.ended_at or 0.0
        struck = any(over <= at <= over + _UNDER_WAY_S for at, _ in self._history.faults)
        return struck and any(_left_early(far, client) for far in self._connection.fars)

    # -- I5 --

    def _check_deadlines(self) -> None:
        connection, history = self._connection, self._history
        first = min((far.opened_at for far in connection.fars), default=None)
        over = connection.client.ended_at or connection.done_at
        decided = min((at for at in (first, over) if at is not None), default=history.ended_at)
        waited = decided - connection.client.opened_at
        if waited > history.connect_limit_s:
            self._blame("I5", f"neither connected nor reset for {waited:.1f} s")
        if connection.done_at is None:
            still = history.ended_at - connection.last_progress
            if still > history.progress_limit_s:
                self._blame("I5", f"neither ended nor moved for {still:.0f} s")

    # -- IT --

    def _check_no_reset(self) -> None:
        connection, client = self._connection, self._connection.client
        excused = (
            not connection.reachable
            or connection.stalls
            or connection.close_on_fin
            or client.aborted_at is not None
            or any(_left_early(far, client) for far in connection.fars)
            or "links are in use" in connection.proxy_end
            or "the far side closed" in connection.proxy_end
        )
        if client.end == RST and not excused:
            self._blame("IT", "reset in a calm world")


def _left_early(far: End, client: End) -> bool:
    """A far side that ends it while bytes are on their way to it: that is a reset."""
    return far.aborted_at is not None or (far.ended_itself and far.reached < client.offered)


def _landed_early(far: End, client: End) -> int:
    """Bytes that were in the module so early that the proxy has to find them."""
    assert client.ended_at is not None
    late = client.ended_at - _ANSWER_MARGIN_S
    return sum(count for at, count in far.landings if at <= late)


def explain(received: bytes, connection: int, way: Direction) -> tuple[str, str]:
    """Say which invariant received bytes break, and where they are from."""
    expected = stream(connection, way, len(received))
    at = next(i for i, (a, b) in enumerate(zip(received, expected, strict=True)) if a != b)
    found = find_block(received, at)
    if found is None:
        return "I1", f"bytes at {at} that are nobody's: {received[at : at + 40]!r}"
    position, place = found
    if place.connection != connection:
        return "I4", f"at {position} bytes of connection {place.connection}"
    if place.direction != way:
        return "I4", f"at {position} bytes of the other direction"
    shift = place.offset - position
    if shift > 0:
        return "I1", f"a stream that lost {shift} bytes at {at}"
    if shift < 0:
        return (
            "I1",
            f"a stream with {-shift} bytes too many at {at}: {received[at : at + 40]!r}",
        )
    return "I1", f"changed bytes at {at}: {received[at : at + 40]!r}"


def _judge_whole(history: History) -> list[Violation]:
    found = [Violation("I8", None, bug) for bug in history.bugs]
    if history.supervisor:
        found.append(Violation("I8", None, f"the supervisor ended: {history.supervisor}"))
    found += _judge_recovery(history)
    if history.before is not None and history.after is not None:
        found += _judge_levels(history.before, history.after)
    return found


def _judge_recovery(history: History) -> list[Violation]:
    if history.clear_at is None:
        return []
    served = history.ended_at if history.serving_at is None else history.serving_at
    took = served - history.clear_at
    if history.serving_at is None or took > history.recovery_limit_s:
        never = "never " if history.serving_at is None else ""
        return [
            Violation("I6", None, f"{never}serving again {took:.1f} s after the last fault")
        ]
    return []


def _judge_levels(before: Levels, after: Levels) -> list[Violation]:
    found = []
    for name in ("tasks", "links", "descriptors"):
        was, is_now = getattr(before, name), getattr(after, name)
        if is_now > was:
            found.append(Violation("I7", None, f"{is_now} {name}, {was} at the start"))
    grown = after.memory_bytes - before.memory_bytes
    if grown > _MEMORY_SLACK_BYTES:
        found.append(Violation("I7", None, f"memory grew by {grown / 2**20:.1f} MB"))
    return found


def is_over(connection: Connection) -> bool:
    """Whether the client's program has finished with a connection."""
    return connection.done_at is not None or connection.client.end != OPEN

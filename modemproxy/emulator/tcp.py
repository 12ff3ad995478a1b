"""A TCP link: open, send buffer, receive window, close (manual 15.2.5-15.2.9).

Accounting: ``sent_total`` counts what CIPSEND handed over, ``acked_total`` what the far
socket took (CIPACK says both). Their difference occupies the send buffer.
The receive window is ``room()``: buffer less what is unread or still on the radio.
"""

from collections.abc import Callable

from modemproxy.emulator.context import Context
from modemproxy.emulator.internet import Attempt, Remote, Trouble
from modemproxy.emulator.links import Link, State
from modemproxy.emulator.rx import StreamBuffer
from modemproxy.emulator.timers import Timer
from modemproxy.emulator.wan import Wan

#: <err> of CIPOPEN for each way to fail; a refusal is the profile's choice.
_ERR = {Trouble.UNREACHABLE: 1, Trouble.NO_NAME: 11}
_TIMEOUT = 10
_NETWORK_FAILURE = 1

#: Reasons of +IPCLOSE (protocol.md 6).
REMOTE_CLOSED = 1
_SEND_TIMEOUT = 2


class TcpLink(Link):
    """One TCP connection; the ``internet.Sink`` of its far end.

    Args:
        ctx: shared by the module.
        wan: the radio.
        number: the link number.
        server: index of the accepting server, -1 for CIPOPEN.

    Attributes:
        sent_total, acked_total, received_total: what CIPACK says.
        on_result: told the ``<err>`` of the open, once.
        holds_command: its command is not over before that.
        on_closed: told when the open link ended by itself.
        end_reason: why it did, as ``+IPCLOSE`` says it.
        on_progress: told when ``acked_total`` grew, or the link closed.
    """

    kind = "TCP"

    def __init__(self, ctx: Context, wan: Wan, number: int, *, server: int = -1) -> None:
        profile = ctx.profile
        sizes = profile.receive_buffer_bytes, profile.second_stage_bytes
        self._stream = StreamBuffer.staged(*sizes)
        super().__init__(ctx, number, self._stream, server=server)
        self._wan = wan
        self._remote: Remote | None = None
        self._attempt: Attempt | None = None
        self._timer: Timer | None = None
        self._opened_not_before = ctx.now + profile.open_delay_s
        self._on_radio = 0
        self._ended_early: bool | None = None
        self._refilling = False
        self._end_unsaid = False
        self.end_reason = REMOTE_CLOSED
        self._watching_acks = False
        self.sent_total = self.acked_total = self.received_total = 0
        self.on_result: Callable[[int], None] = lambda _err: None
        self.holds_command = False
        self.on_closed: Callable[[TcpLink], None] = lambda _link: None
        self.on_progress: list[Callable[[], None]] = []

    # -- opening --

    def watch(self, attempt: Attempt | None, timeout_s: float) -> None:
        """Bound an open under way (CIPTIMEOUT's second field, seconds)."""
        self._attempt = attempt
        if self.state is State.OPENING:
            self._timer = self.ctx.timer(self.ctx.now + timeout_s, self._timed_out)

    def adopt(self, remote: Remote, host: str, port: int) -> None:
        """Be a connection that a server accepted."""
        self._remote, self.host, self.port = remote, host, port
        self.state = State.OPEN

    def began(self) -> None:
        """Let the far side send; hear of an end that came while nobody listened."""
        if self._remote is not None:
            self._remote.resume()
        if self._ended_early is not None:
            self._far_end(reset=self._ended_early)

    @property
    def was_reset(self) -> bool:
        """Whether the far side gave up before the connection was anybody's."""
        return self._ended_early is True

    def preload(self, data: bytes) -> None:
        """Start with what the last user of this number left unread (a firmware fault)."""
        self._stream.add(data)

    def connected(self, remote: Remote, ip: str) -> None:
        """The far side is there; say so when the profile's delay has passed."""
        self.ctx.touch()
        if self.state is not State.OPENING:
            remote.abort()
            return
        self._remote, self.host = remote, ip
        self._not_before(self._opened)

    def failed(self, why: Trouble) -> None:
        """There will be no connection."""
        self.ctx.touch()
        if self.state is State.OPENING:
            err = _ERR.get(why, self.ctx.profile.refused_err)
            self._not_before(lambda: self._give_up(err))

    def _not_before(self, action: Callable[[], None]) -> None:
        when = max(self._opened_not_before, self.ctx.now + 2 * self.ctx.profile.wan_latency_s)
        self.ctx.later(when - self.ctx.now, action)

    def _opened(self) -> None:
        if self.state is not State.OPENING or self._remote is None:
            return
        self._stop_timer()
        self.state = State.OPEN
        self.on_result(0)
        self.began()

    def release_command(self) -> None:
        """The network went: a command that waits for the open is over."""
        if self.holds_command and self.state is State.OPENING:
            self._give_up(_NETWORK_FAILURE)

    def _timed_out(self) -> None:
        if self._attempt is not None:
            self._attempt.cancel()
        self._give_up(_TIMEOUT)

    def _give_up(self, err: int) -> None:
        if self.state is State.OPENING:
            self._stop_timer()
            self._abort_remote()
            self.state = State.CLOSED
            self.on_result(err)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    # -- sending --

    def free(self) -> int:
        """Return the room in the send buffer."""
        unacked = self.sent_total - self.acked_total
        return max(0, self.ctx.profile.send_buffer_bytes - unacked)

    def send(self, data: bytes) -> None:
        """Hand bytes to the stack; they cross the radio in their own time."""
        remote = self._remote
        if remote is not None and data:
            self.sent_total += len(data)
            self._wan.up(len(data), lambda: remote.write(data))
            self._watch_acks()

    def _watch_acks(self) -> None:
        """Give the link up when nothing is acknowledged for long (``+IPCLOSE: l,2``)."""
        limit, before = self.ctx.profile.unacked_close_s, self.acked_total
        if not limit or self._watching_acks or before == self.sent_total:
            return
        self._watching_acks = True

        def look() -> None:
            self._watching_acks = False
            if self.is_open and self.acked_total == before:
                self.lost(_SEND_TIMEOUT)
            elif self.is_open:
                self._watch_acks()

        self.ctx.timer(self.ctx.now + limit, look)

    def lost(self, reason: int) -> None:
        """End by the module's own decision; what is unread can be read as after any end."""
        if self.is_open:
            self._abort_remote()
            self._end(reason)

    def acked(self, count: int) -> None:
        """Hear that the far socket took bytes; the news crosses the radio too."""
        self.ctx.touch()
        self._wan.down(0, lambda: self._count_acked(count))

    def _count_acked(self, count: int) -> None:
        self.acked_total += count
        for action in list(self.on_progress):
            action()

    # -- receiving --

    def room(self) -> int:
        """Return the receive window."""
        if self.state is not State.OPEN:
            return 0
        used = len(self._stream) + self._on_radio
        return max(0, self.ctx.profile.receive_buffer_bytes - used)

    def arrived(self, data: bytes) -> None:
        """Take bytes from the far side onto the radio."""
        self.ctx.touch()
        self._on_radio += len(data)
        self._wan.down(len(data), lambda: self._deliver(data))

    def _deliver(self, data: bytes) -> None:
        self._on_radio -= len(data)
        if self.state is not State.OPEN:
            return
        self.received_total += len(data)
        was_empty = self._stream.waiting() == 0
        self._stream.add(data)
        self.received(was_empty=was_empty)

    def read(self, limit: int) -> bytes:
        """Take bytes for the DTE; opens the window again and starts a refill."""
        data = super().read(limit)
        if self._stream.needs_refill() and not self._refilling:
            self._refilling = True
            delay = 0.0 if self.streaming else self.ctx.profile.second_stage_delay_s
            self.ctx.later(delay, self._refill)
        if data and self._remote is not None:
            self._remote.resume()
        return data

    def _refill(self) -> None:
        self._refilling = False
        self._stream.refill()
        if self.ctx.profile.second_stage_urc and self.outlet is None and not self.streaming:
            self.hint(was_empty=True)

    # -- closing --

    def ended(self, *, reset: bool) -> None:
        """The far side closed; comes after its data."""
        self.ctx.touch()
        self._wan.down(0, lambda: self._far_end(reset=reset))

    def _far_end(self, *, reset: bool) -> None:
        if self.state is State.OPENING:
            self._ended_early = reset
            return
        if self.state is State.CLOSED:
            return
        if reset and self.ctx.profile.reset_discards_data:
            self.rx.clear()
        if self._remote is not None:
            self._remote.finish()
        self._end(REMOTE_CLOSED)

    def _end(self, reason: int) -> None:
        self.state = State.CLOSED
        if not self.ctx.profile.keep_data_after_close:
            self.rx.clear()
        self.end_reason, self._end_unsaid = reason, True
        self.settle()
        self._count_acked(0)

    def flush(self) -> None:
        """Say what is buffered, and behind the last of it that the far side has closed."""
        super().flush()
        self.settle()

    def settle(self) -> None:
        """Say that the far side has closed, once the data before that is said."""
        if not self._end_unsaid or (self.streaming and self.rx.waiting()):
            return
        self._end_unsaid = False
        if self.outlet is None:
            self.on_closed(self)
        else:
            self.outlet.ended(self.end_reason)

    def close(self) -> None:
        """Close from our side: FIN behind everything sent; unread data is gone."""
        self.drop_quietly()
        remote, self._remote = self._remote, None
        if remote is not None:
            self._wan.up(0, remote.finish)

    def drop_quietly(self) -> None:
        """Be closed, and give up an open under way."""
        self._stop_timer()
        if self._attempt is not None and self.state is State.OPENING:
            self._attempt.cancel()
        super().drop()

    def drop(self) -> None:
        """Vanish: the far side is reset."""
        self.drop_quietly()
        self._abort_remote()

    def _abort_remote(self) -> None:
        remote, self._remote = self._remote, None
        if remote is not None:
            remote.abort()

"""Pump a client and a link into each other, with TCP's ends kept honest.

``relay()`` returns only on an orderly end; on anything else it raises, and whoever holds
the client's socket resets it. The rules (the module has no half-close: closing a link
ends both directions):

* The far side closed and everything arrived: FIN to the client, then wait for its FIN.
  A byte it still sends can not be delivered: reset.
* The client sent FIN: everything it sent is delivered and acknowledged, then the link
  stays open for the answer, until ``half_close_s`` pass without a byte of it. A client
  that is gone altogether gets no answer: the link is closed at once. A client that only
  reads slowly keeps it open for as long as bytes wait for it.
* Nothing moved in either direction for ``idle_timeout_s``: an orderly end, or a reset if
  bytes wait that the client does not take.
* Anything else (the link broke, the client reset): raises.
"""

from dataclasses import dataclass, field
from typing import Final, Protocol

import trio

from modemproxy.errors import LinkReset, first_error
from modemproxy.surfaces.rate import Rate

#: How long a client may take to answer our FIN with its own.
CLIENT_FIN_S: Final = 5.0
_READ_BYTES: Final = 1460
_GONE_POLL_S: Final = 1.0


class Client(Protocol):
    """The host's side, as the relay needs it."""

    async def send_all(self, data: bytes) -> None:
        """Write; waits for a slow reader."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Read; ``b""`` at FIN."""

    async def send_eof(self) -> None:
        """Send FIN."""

    @property
    def gone(self) -> bool:
        """Closed altogether, as far as that can be known."""


class Far(Protocol):
    """The far side: a link."""

    async def send_all(self, data: bytes) -> None:
        """Queue for the far side."""

    async def wait_delivered(self) -> None:
        """Wait until the far side acknowledged everything."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Read; ``b""`` at a clean end."""

    @property
    def unread(self) -> bool:
        """Bytes are known to wait for ``receive_some()``."""

    async def look(self) -> None:
        """Find out whether bytes wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayOptions:
    """How a listener wants its connections to end.

    Attributes:
        half_close_s: how long an answer may pause after the client's FIN, seconds.
        idle_timeout_s: how long both directions may be silent, seconds; 0 is for ever.
        close_on_fin: the client's FIN ends the connection (``on_client_fin: close``).
        rate: what both directions of all who share it may move; no limit if left out.
    """

    half_close_s: float = 30.0
    idle_timeout_s: float = 0.0
    close_on_fin: bool = False
    rate: Rate = field(default_factory=Rate)


@dataclass(slots=True)
class Traffic:
    """What a relay moved, and how it ended, for the log.

    Attributes:
        up, down: bytes to the far side, and to the client.
        end: how it ended, in words.
        timed_out: it ended because nothing moved any more.
        moved_at: when something last moved (trio's clock).
    """

    up: int = 0
    down: int = 0
    end: str = ""
    timed_out: bool = False
    moved_at: float = field(default_factory=trio.current_time)


class ClientVanished(Exception):
    """The client reset its connection, or closed it without waiting for the answer."""


async def relay(client: Client, far: Far, options: RelayOptions, traffic: Traffic) -> None:
    """Move bytes until the connection has ended in order.

    Args:
        client: the host's side; not closed here.
        far: the link; not closed here.
        options: the listener's wishes.
        traffic: is kept up to date.

    Raises:
        trio.BrokenResourceError: the link broke.
        LinkReset: the client sent what can not be delivered any more.
        ClientVanished: the client is not there any more.
    """
    await _Relay(client, far, options, traffic).run()


class _Relay:
    """One relay: two pumps, and who ends it."""

    def __init__(
        self, client: Client, far: Far, options: RelayOptions, traffic: Traffic
    ) -> None:
        self._client = client
        self._far = far
        self._options = options
        self._piece = options.rate.piece(_READ_BYTES)
        self._traffic = traffic
        self._client_done = trio.Event()
        self._undelivered: trio.BrokenResourceError | None = None
        self._writing = False

    async def run(self) -> None:
        failure: BaseException | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._uplink, nursery.cancel_scope)
                if self._options.idle_timeout_s:
                    nursery.start_soon(self._watch_idle, nursery.cancel_scope)
                await self._downlink()
                self._end("far side closed", nursery.cancel_scope)
        except* (trio.BrokenResourceError, LinkReset, ClientVanished) as group:
            failure = first_error(group)
        if failure is not None:  # not inside: with a Cancelled beside it, it would be a group
            raise failure

    def _end(self, why: str, scope: trio.CancelScope) -> None:
        """An orderly end: nobody has anything more to say."""
        self._traffic.end = self._traffic.end or why
        scope.cancel()

    def _end_early(self, why: str, scope: trio.CancelScope) -> None:
        """Time ends it, not the far side: with bytes left for the client that is a reset."""
        if self._answer_pending and not self._client.gone:
            raise LinkReset(f"{why}, and the client has not taken all of the answer")
        self._end(why, scope)

    @property
    def _answer_pending(self) -> bool:
        return self._writing or self._far.unread

    async def _downlink(self) -> None:
        """Far to client, until the far side's clean end has been passed on."""
        most = self._piece if self._piece < _READ_BYTES else None
        while data := await self._far.receive_some(most):
            await self._write_client(data)
            await self._moved(down=len(data))
        self._check_all_delivered()
        if not self._client_done.is_set():
            await self._pass_end_on()

    async def _pass_end_on(self) -> None:
        try:
            await self._client.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ClientVanished("the client reset its connection") from error
        with trio.move_on_after(CLIENT_FIN_S):
            await self._client_done.wait()
        self._check_all_delivered()

    def _check_all_delivered(self) -> None:
        if self._undelivered is not None:
            raise LinkReset("the far side closed, and the client sent more") from (
                self._undelivered
            )

    async def _write_client(self, data: bytes) -> None:
        self._writing = True
        try:
            await self._client.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ClientVanished("the client reset its connection") from error
        self._writing = False

    async def _uplink(self, scope: trio.CancelScope) -> None:
        """Client to far, until the client's FIN, and what has to happen then."""
        while data := await self._read_client():
            try:
                await self._far.send_all(data)
            except trio.BrokenResourceError as error:
                # What the far side sent before it closed is still to be delivered: the
                # downlink ends this, with a reset, when it has done that.
                self._undelivered = error
                self._client_done.set()
                return
            await self._moved(up=len(data))
        try:
            await self._far.wait_delivered()
        except trio.BrokenResourceError:
            self._client_done.set()
            return  # the link's own verdict, which the downlink gets, decides
        self._client_done.set()
        await self._linger()
        self._end_early("client closed", scope)

    async def _read_client(self) -> bytes:
        try:
            return await self._client.receive_some(self._piece)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ClientVanished("the client reset its connection") from error

    async def _linger(self) -> None:
        """The client will send no more: wait for as long as an answer can matter."""
        if self._options.close_on_fin:
            return
        fin_at = trio.current_time()
        while not self._client.gone:
            if self._answer_overdue(fin_at):
                await self._far.look()  # reports of data get lost
                if self._answer_overdue(fin_at):
                    return
            left = self._answer_left(fin_at)
            await trio.sleep(min(left, _GONE_POLL_S) if left > 0 else _GONE_POLL_S)

    def _answer_left(self, fin_at: float) -> float:
        answered_at = max(fin_at, self._traffic.moved_at)
        return answered_at + self._options.half_close_s - trio.current_time()

    def _answer_overdue(self, fin_at: float) -> bool:
        return self._answer_left(fin_at) <= 0 and not self._answer_pending

    async def _watch_idle(self, scope: trio.CancelScope) -> None:
        limit = self._options.idle_timeout_s
        while (idle_at := self._traffic.moved_at + limit) > trio.current_time():
            await trio.sleep_until(idle_at)
            await self._far.look()
        await self._far.wait_delivered()
        self._traffic.timed_out = True
        self._end_early(f"idle for {limit:g} s", scope)

    async def _moved(self, *, up: int = 0, down: int = 0) -> None:
        """Count, and wait for what it costs: a wait that a limit asks for is no silence."""
        self._traffic.up += up
        self._traffic.down += down
        self._traffic.moved_at = trio.current_time()
        await self._options.rate.pay(up + down)
        self._traffic.moved_at = trio.current_time()

"""The DTE-DCE line driven by trio: the port's one reader, and one exchange at a time.

The reader is the only one that calls ``receive_some``. It parses, sets, and goes on: it
never awaits another task. ``roundtrip()`` puts one command on the line and waits for its
final result code; it is called by one task at a time (the scheduler) and is shielded from
its first byte to its end, so a cancelled caller never poisons the next command.

When an answer does not come, the line is out of step, and nobody gets it before it is in
step again (``resync.py``).

Unsolicited codes go to ``on_urc``, which is synchronous.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar, cast

import trio

from modemproxy.at.commands import Command
from modemproxy.at.dte import (
    AnyCommand,
    Broken,
    Completed,
    Dte,
    Echoed,
    Event,
    Failed,
    PromptReady,
    Stray,
    StrayPrompt,
    Unknown,
)
from modemproxy.at.results import Refused
from modemproxy.at.transfer import SendData
from modemproxy.at.urcs import Urc
from modemproxy.errors import (
    DamagedAnswer,
    LineClosed,
    LineError,
    NoAnswer,
    RemoteProtocolError,
)
from modemproxy.line import resync, wirelog
from modemproxy.line.port import Port
from modemproxy.line.timing import Gather, Latency

log = logging.getLogger(__name__)

ReplyT = TypeVar("ReplyT")

#: A module that takes no byte for this long has its flow control wired wrong.
WRITE_LIMIT_S: Final = 12.0
#: An announced payload that stops coming, or eats its OK, has lost bytes on the line.
PAYLOAD_STALL_S: Final = 2.0


class AtChannel:
    """One serial line to one module.

    Attributes:
        on_urc: called by the reader for everything unsolicited.
        on_oddity: called by the reader with words for what a healthy line never shows
            (an echo, a result nobody asked for): grounds for a suspicion.
        data_entry_s: the module's own bound on a payload that does not come.
        latency: how quickly the module answers.
        late_prompt: a prompt came that nobody waited for.
    """

    def __init__(self, port: Port) -> None:
        """Args: port: stays the caller's to close."""
        self._port = port
        self._dte = Dte()
        self._gather = Gather()
        self._outcome: Event | None = None
        self._wake = trio.Event()
        self._ended: LineError | None = None
        self._closed = trio.Event()
        self._heard_at = 0.0
        self.late_prompt = False
        self.on_urc: Callable[[Urc], None] = lambda urc: None
        self.on_oddity: Callable[[str], None] = lambda what: None
        self.data_entry_s = 16.0
        self.latency = Latency()
        self.commands = 0
        self.bytes_in = 0
        self.bytes_out = 0

    @property
    def port(self) -> Port:
        """The port underneath, for bring-up to set its speed."""
        return self._port

    @property
    def payload_pending(self) -> bool:
        """A send has begun whose payload the module may not have in full."""
        return isinstance(self._dte.in_flight, SendData)

    async def read_forever(self) -> None:
        """Be the line's reader.

        Raises:
            LineClosed: always, when the device hung up or failed. The command in flight
                and every later one end with it too.
        """
        try:
            while data := await self._port.receive_some():
                self._receive(bytes(data))
                pause = self._gather.pause(self._dte.missing, trio.current_time())
                if pause:
                    await trio.sleep(pause)
            raise LineClosed("the device hung up")
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise LineClosed(f"the device failed: {error}") from error
        finally:
            self.abort("the line was closed")

    async def roundtrip(
        self, command: Command[ReplyT], *, limit_s: float | None = None
    ) -> ReplyT:
        """Do one exchange; one task at a time.

        Args:
            command: what to do.
            limit_s: a tighter bound than the command's own, seconds.

        Shielded: cancelling takes effect after the final result code. Bounded by the
        command's own time-out.

        Raises:
            Refused: the module said no.
            NoAnswer: it said nothing; the line is in step again.
            DamagedAnswer: bytes were lost on the line; it is in step again.
            LineClosed, LineSilent: the line is gone.
        """
        await self._write(command)
        event = await self._wait_final(command, limit_s or command.timeout_s)
        if event is None:
            with trio.CancelScope(shield=True):
                await self._give_up(command)
        if isinstance(event, Failed):
            raise Refused(command.shown, event.failure, handed_over=event.handed_over)
        if isinstance(event, Broken):
            with trio.CancelScope(shield=True):
                await resync.find_step(self, command)
            raise DamagedAnswer(command.shown, event.problem)
        return cast(ReplyT, cast(Completed, event).reply)

    def abort(self, reason: str) -> None:
        """End the exchange under way now, shield or not, and let no other begin."""
        self._ended = LineClosed(reason)
        self._closed.set()
        self._wake.set()

    async def probe(self, command: AnyCommand, wait_s: float) -> bool:
        """Send a command just to see whether OK comes back within ``wait_s``."""
        await self._write(command)
        event = await self._wait_event(trio.current_time() + wait_s)
        if event is None:
            self._dte.abandon()
        return isinstance(event, Completed)

    async def wait_quiet(self, quiet_s: float, limit_s: float) -> bool:
        """Wait until nothing was heard for ``quiet_s``, at most ``limit_s``; say if so."""
        deadline = trio.current_time() + limit_s
        while (now := trio.current_time()) < self._heard_at + quiet_s:
            if now >= deadline:
                return False
            self._check_open()
            await trio.sleep_until(min(deadline, self._heard_at + quiet_s))
        return True

    async def _write(self, command: AnyCommand) -> None:
        self._check_open()  # first: a command that the end cut off is in flight for ever
        data = self._dte.send(command)
        if wirelog.wire.isEnabledFor(logging.DEBUG):
            wirelog.log_command(command)
        self.commands += 1
        self._outcome = None
        self.latency.note_asked(len(data), trio.current_time())
        await self._send(data)

    async def _send(self, data: bytes) -> None:
        """Write, without waiting where the kernel takes it all; shielded where it does not."""
        self.bytes_out += len(data)
        try:
            sent = self._port.send_nowait(data)
            if sent < len(data):
                with trio.fail_after(WRITE_LIMIT_S, shield=True):
                    await self._port.send_all(data[sent:])
        except trio.TooSlowError:
            raise LineClosed(
                f"the module took no byte for {WRITE_LIMIT_S:.0f} s "
                "(flow control on, but RTS/CTS not wired?)"
            ) from None
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise LineClosed(f"the device failed: {error}") from error

    async def _wait_final(self, command: AnyCommand, limit_s: float) -> Event | None:
        """Wait for the end of ``command``, handing its payload over at the prompt."""
        if isinstance(command, SendData):
            event = await self._wait_event(trio.current_time() + command.prompt_s)
            if not isinstance(event, PromptReady):
                return event
            self._outcome = None
            payload = self._dte.take_payload()
            if wirelog.wire.isEnabledFor(logging.DEBUG):
                wirelog.log_payload(len(payload))
            await self._send(payload)
        return await self._wait_event(trio.current_time() + limit_s)

    async def _wait_event(self, deadline: float) -> Event | None:
        """Wait for the reader to set an outcome; None when time is up. Shielded."""
        while self._outcome is None:
            self._check_open()
            now = trio.current_time()
            receiving = self._dte.receiving
            until = min(deadline, self._heard_at + PAYLOAD_STALL_S) if receiving else deadline
            if now >= until:
                return None
            self._wake = trio.Event()
            with trio.CancelScope(deadline=until, shield=True):
                await self._wake.wait()
        return self._outcome

    def _check_open(self) -> None:
        if self._ended is not None:
            raise LineClosed(str(self._ended))

    async def _give_up(self, command: AnyCommand) -> None:
        """Bring the line back into step after ``command`` got no answer, then say so."""
        prompted = self._dte.prompted
        damaged = self._dte.receiving
        self._dte.abandon()
        log.warning("no answer to %s", command.shown)
        if isinstance(command, SendData) and not prompted:
            await resync.miss_prompt(self, command)
        else:
            await resync.find_step(self, command)
        if damaged:
            raise DamagedAnswer(command.shown, "the payload stopped short")
        raise NoAnswer(command.shown, handed_over=prompted)

    async def wait_closed(self) -> None:
        """Wait for the end of the line."""
        await self._closed.wait()

    def _receive(self, data: bytes) -> None:
        now = trio.current_time()
        self._heard_at = now
        self.bytes_in += len(data)
        self.latency.note_heard(now)
        debug = wirelog.wire.isEnabledFor(logging.DEBUG)
        self._dte.tap = wirelog.log_token if debug else None
        receiving = self._dte.receiving
        self._dte.receive_data(data)
        self._dispatch_all()
        if self._dte.receiving and not receiving:
            self._wake.set()  # from now on silence means loss: the waiter's bound is nearer

    def _dispatch_all(self) -> None:
        while True:
            try:
                event = self._dte.next_event()
            except RemoteProtocolError as error:
                self.on_oddity(str(error))
                continue
            if event is None:
                return
            self._dispatch(event)

    def _dispatch(self, event: Event) -> None:
        if isinstance(event, Urc):
            self.on_urc(event)
        elif isinstance(event, Completed | Failed | Broken | PromptReady):
            self._outcome = event
            self._wake.set()
        elif isinstance(event, StrayPrompt):
            self.late_prompt = True
            self.on_oddity("a prompt nobody asked for")
        elif isinstance(event, Echoed):
            self.on_oddity(f"echo of {event.line!r}")
        elif isinstance(event, Stray):
            self.on_oddity(f"stray {event.what}")
        else:
            self._ignore(event)

    def _ignore(self, event: Unknown) -> None:
        log.debug("ignored: %r", event.line)


@asynccontextmanager
async def open_channel(port: Port) -> AsyncIterator[AtChannel]:
    """Run a channel over ``port``, which is closed in the end.

    The body is cancelled and LineClosed raised (in a group) when the line ends.
    """
    channel = AtChannel(port)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(channel.read_forever)
            try:
                yield channel
            finally:
                nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await port.aclose()

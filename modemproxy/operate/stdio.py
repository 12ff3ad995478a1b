"""``modemproxy connect``: one connection on standard input and output.

Ends as a program in a pipe should: the end of the input is passed on and the answer still
comes; when the far side has closed and all is written, the exit code is 0; everything
else is a line on standard error and 1. No threads: the descriptors are made non-blocking
for as long as this runs, and given back as they were.
"""

import array
import json
import os
import select
import signal
import socket
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final

import trio

from modemproxy.config import Endpoint
from modemproxy.errors import ModemProxyError
from modemproxy.operate.ask import dial
from modemproxy.operate.local import json_line

_RECEIVE_BYTES: Final = 65536
_ANSWER_BYTES: Final = 8192
#: How long the proxy may take to say what came of a connection that has ended.
_OUTCOME_S: Final = 15.0
_GONE_POLL_S: Final = 0.5
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FD_BYTES: Final = array.array("i").itemsize


class ConnectFailed(ModemProxyError):
    """There is no connection, or it did not end well."""


def connect(places: Iterable[Path], destination: Endpoint) -> int:
    """Carry one connection.

    Args:
        places: where the proxy's socket may be; the first that answers is taken.
        destination: where to connect to.

    Returns:
        The exit code: 0, or 128 and the number of the signal that ended it.

    Raises:
        ConnectFailed: refused, reset or timed out; maybe in a group.
        NotRunning, NotPermitted: no proxy can be asked; in a group.
    """
    descriptors = (_copy(0, os.O_RDONLY), _copy(1, os.O_WRONLY))
    return trio.run(_run, list(places), destination, descriptors)


def _copy(number: int, mode: int) -> int:
    """Duplicate a standard descriptor; one that was closed is as good as an empty one."""
    try:
        return os.dup(number)
    except OSError:
        return os.open(os.devnull, mode | os.O_CLOEXEC)


async def _run(places: list[Path], destination: Endpoint, descriptors: tuple[int, int]) -> int:
    code = 0

    async def end_by_signal() -> None:
        nonlocal code
        code = 128 + await anext(signals)
        nursery.cancel_scope.cancel()

    async with AsyncExitStack() as stack:
        signals = stack.enter_context(trio.open_signal_receiver(*_SIGNALS))
        # The output is given back first: both may be the same open file.
        given = await stack.enter_async_context(trio.lowlevel.FdStream(descriptors[0]))
        taken = await stack.enter_async_context(trio.lowlevel.FdStream(descriptors[1]))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end_by_signal)
            call = await _call(stack, places, destination)
            await call.carry(given, taken, descriptors[1])
            nursery.cancel_scope.cancel()
    return code


async def _call(stack: AsyncExitStack, places: list[Path], destination: Endpoint) -> "_Call":
    """Ask the proxy for a connection.

    Raises:
        ConnectFailed: it said no.
        NotRunning, NotPermitted: there is none to be asked.
    """
    sock = trio.socket.from_stdlib_socket(dial(places))
    stream = await stack.enter_async_context(trio.SocketStream(sock))
    request = {"request": "connect", "host": destination.host, "port": destination.port}
    await stream.send_all(json_line(request))
    answer, ahead, outcome = await _read_answer(sock)
    if outcome >= 0:
        stack.callback(os.close, outcome)
    if not answer.get("ok"):
        raise ConnectFailed(f"{destination}: {answer.get('error', 'refused')}")
    return _Call(stream, ahead, outcome, str(destination))


async def _read_answer(sock: trio.socket.SocketType) -> tuple[dict[str, Any], bytes, int]:
    """Read the answer's line, what came behind it, and the pipe that came with it."""
    got, outcome = b"", -1
    while b"\n" not in got:
        space = socket.CMSG_LEN(_FD_BYTES)
        try:
            data, rights, _, _ = await sock.recvmsg(_ANSWER_BYTES, space)
        except OSError as error:
            raise ConnectFailed(f"the proxy went away ({error.strerror})") from error
        if not data:
            raise ConnectFailed("the proxy went away without an answer")
        got += data
        for level, kind, raw in rights:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                outcome = array.array("i", raw[:_FD_BYTES])[0]
    line, _, ahead = got.partition(b"\n")
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ConnectFailed("what answers there is no proxy")
    return answer, ahead, outcome


class _Call:
    """An open connection."""

    def __init__(
        self, stream: trio.SocketStream, ahead: bytes, outcome: int, target: str
    ) -> None:
        self._stream = stream
        self._ahead = ahead
        self._outcome = outcome
        self._target = target
        self._given_up = False

    async def carry(
        self, given: trio.abc.ReceiveStream, taken: trio.abc.SendStream, output: int
    ) -> None:
        """Move bytes both ways until the end.

        Raises:
            ConnectFailed: it was not an orderly end.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._upward, given, output, nursery.cancel_scope)
            await self._downward(taken)
            nursery.cancel_scope.cancel()
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await (self._stream.aclose() if self._given_up else self._stream.send_eof())
        await self._check_outcome()

    async def _downward(self, taken: trio.abc.SendStream) -> None:
        data = self._ahead
        while True:
            if data:
                try:
                    await taken.send_all(data)
                except trio.BrokenResourceError:
                    raise ConnectFailed("standard output was closed") from None
            try:
                data = await self._stream.receive_some(_RECEIVE_BYTES)
            except trio.BrokenResourceError:
                return  # the proxy is gone: no outcome will say so
            if not data:
                return

    async def _upward(
        self, given: trio.abc.ReceiveStream, output: int, everything: trio.CancelScope
    ) -> None:
        with suppress(trio.BrokenResourceError):  # the outcome says what it was
            while data := await _read(given):
                await self._stream.send_all(data)
            await self._stream.send_eof()
        while not _has_no_reader(output):  # noqa: ASYNC110 - the kernel has no event for it
            await trio.sleep(_GONE_POLL_S)
        self._given_up = True  # nobody wants the answer: no need to wait for it
        everything.cancel()

    async def _check_outcome(self) -> None:
        """Wait for the proxy's word on how it ended.

        Raises:
            ConnectFailed: not in order.
        """
        said = b""
        with trio.move_on_after(_OUTCOME_S):
            while self._outcome >= 0 and not said.endswith(b"\n"):
                await trio.lowlevel.wait_readable(self._outcome)
                data = os.read(self._outcome, select.PIPE_BUF)
                if not data:
                    break
                said += data
        try:
            word = json.loads(said or b"{}")
        except ValueError:
            word = {}
        if not word.get("ok"):
            why = word.get("error", "reset: the proxy went away")
            raise ConnectFailed(f"{self._target}: {why}")


async def _read(given: trio.abc.ReceiveStream) -> bytes:
    """Read standard input; an input that breaks has ended."""
    try:
        return bytes(await given.receive_some(_RECEIVE_BYTES))
    except trio.BrokenResourceError:
        return b""


def _has_no_reader(output: int) -> bool:
    """Say whether the other end of standard output is closed."""
    poll = select.poll()
    poll.register(output, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))

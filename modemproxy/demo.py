"""``modemproxy demo``: the whole thing on one machine, with no hardware and no network.

An emulated module on a pty, a far side with an HTTP and an echo service, and the proxy
between, all in one trio program; bytes really cross the paced tty as AT commands. Ports
are any that are free, so nothing has to be.

With ``--once`` it fetches a file and echoes hostile bytes through the proxy, compares,
prints what it proved, and ends.
"""

import hashlib
import random
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from modemproxy import app
from modemproxy.config import Config, Endpoint, Forward, LogConfig, ModemConfig
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.emulator.pty import serve_pty
from modemproxy.emulator.sockets import SocketInternet
from modemproxy.module.state import StateStore

_BAUDRATE: Final = 921600
_LATENCY_S: Final = 0.005
_FILE_BYTES: Final = 500_000
_ECHO_BYTES: Final = 20_000
_LIMIT_S: Final = 25.0
_SHOW_EVERY_S: Final = 1.0
#: What an AT parser that looks for words in payload trips over.
_HOSTILE: Final = (
    b"\r\nOK\r\n",
    b">",
    b"\r\n+IPCLOSE: 9,1\r\n",
    b"\x00\x1a\x1b",
    b"+++",
    b"\r\n*ATREADY: 1\r\n",
)


Handler = Callable[[trio.SocketStream], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class _Running:
    """A demo that is up: where to connect, and the module to look at."""

    http_port: int
    echo_port: int
    module: EmulatedModule


async def run(once: bool) -> int:
    """Run the demo.

    Args:
        once: prove it and end, instead of running until Ctrl-C.

    Returns:
        The exit code: 0, or 1 if anything differed or took too long.
    """
    file = random.Random(1).randbytes(_FILE_BYTES)
    async with _set_up(file) as running:
        if once:
            return await _prove(running, file)
        await _show(running, file)
        return 0


@asynccontextmanager
async def _set_up(file: bytes) -> AsyncIterator[_Running]:
    """Bring up far side, module and proxy; take them down in the opposite order."""
    with tempfile.TemporaryDirectory(prefix="modemproxy-demo-") as folder:
        async with trio.open_nursery() as nursery:
            http = await nursery.start(_serve_http, file)
            echo = await nursery.start(_serve_echo)
            hosts = {"files.example": f"127.0.0.1:{http}", "echo.example": f"127.0.0.1:{echo}"}
            internet = SocketInternet(nursery, hosts=hosts)
            profile = Profile(baudrate=_BAUDRATE, command_latency_s=_LATENCY_S)
            module = EmulatedModule(profile, internet=internet)
            async with serve_pty(module, link=Path(folder) / "modem") as tty:
                stop, left = trio.Event(), trio.Event()
                ports = await nursery.start(_serve_proxy, _config(tty.path), folder, stop, left)
                try:
                    yield _Running(ports["http"], ports["echo"], module)
                finally:
                    stop.set()
                    with trio.CancelScope(shield=True):
                        await left.wait()
            nursery.cancel_scope.cancel()


async def _serve_proxy(
    config: Config,
    folder: str,
    stop: trio.Event,
    left: trio.Event,
    task_status: trio.TaskStatus[dict[str, int]],
) -> None:
    """Run the real program against the emulated tty."""
    state = StateStore(Path(folder) / "state", config.modem.port)
    with trio.CancelScope(shield=True):  # it ends by ``stop``, in order
        await app.run(config, state=state, on_listening=task_status.started, stop=stop)
    left.set()


def _config(port: str) -> Config:
    forwards = tuple(
        Forward(name=name, listen=Endpoint("127.0.0.1", 0), connect=Endpoint(host, number))
        for name, host, number in (("http", "files.example", 80), ("echo", "echo.example", 7))
    )
    modem = ModemConfig(port=port, baudrate=_BAUDRATE)
    return Config(modem=modem, forwards=forwards, log=LogConfig(), path=Path("demo"))


# -- the far side -----------------------------------------------------------------------


async def _serve_http(file: bytes, task_status: trio.TaskStatus[int]) -> None:
    async def answer(stream: trio.SocketStream) -> None:
        await _answer_http(stream, file)

    await _serve(answer, task_status)


async def _answer_http(stream: trio.SocketStream, file: bytes) -> None:
    """One GET, one answer, and the connection ends: HTTP/1.0 is enough to be fetched."""
    request = b""
    while b"\r\n\r\n" not in request:
        data = await stream.receive_some()
        if not data:
            return
        request += data
    body = file if b" /file.bin " in request else b"Hello through the module.\n"
    kind = b"application/octet-stream" if body is file else b"text/plain"
    head = b"HTTP/1.0 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
    await stream.send_all(head % (kind, len(body)) + body)


async def _serve_echo(task_status: trio.TaskStatus[int]) -> None:
    async def echo(stream: trio.SocketStream) -> None:
        async for data in stream:
            await stream.send_all(data)

    await _serve(echo, task_status)


async def _serve(handler: Handler, task_status: trio.TaskStatus[int]) -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    task_status.started(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(handler, listeners)


# -- what a person sees -----------------------------------------------------------------


def _say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def _show(running: _Running, file: bytes) -> None:
    """Tell what to try, then show the line at work until Ctrl-C."""
    digest = hashlib.sha256(file).hexdigest()
    _say(
        f"""An emulated A76XX module is up at {_BAUDRATE} baud, and the proxy serves it.

  curl http://127.0.0.1:{running.http_port}/
  curl -o file.bin http://127.0.0.1:{running.http_port}/file.bin
      ({len(file)} bytes, sha256 {digest})
  nc 127.0.0.1 {running.echo_port}          (an echo service: type, and it comes back)

Every byte crosses the serial line as AT commands. Ctrl-C ends it."""
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_show_traffic, running.module)
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            await anext(signals)
        nursery.cancel_scope.cancel()


async def _show_traffic(module: EmulatedModule) -> None:
    """One line a second while anything moves."""
    before = (0, 0, 0)
    while True:
        await trio.sleep(_SHOW_EVERY_S)
        now = (module.bytes_in, module.bytes_out, module.commands.total())
        if now != before:
            up, down, commands = (a - b for a, b in zip(now, before, strict=True))
            _say(
                f"line: {up / 1000:7.1f} kB/s to the module, {down / 1000:7.1f} kB/s from it, "
                f"{commands:4d} commands/s"
            )
        before = now


async def _prove(running: _Running, file: bytes) -> int:
    ok = False
    with trio.move_on_after(_LIMIT_S):
        ok = await _prove_file(running, file) and await _prove_echo(running)
    _say("ok: everything arrived as it was sent" if ok else "FAILED")
    return 0 if ok else 1


async def _prove_file(running: _Running, file: bytes) -> bool:
    started = trio.current_time()
    stream = await trio.open_tcp_stream("127.0.0.1", running.http_port)
    async with stream:
        await stream.send_all(b"GET /file.bin HTTP/1.0\r\n\r\n")
        answer = b"".join([bytes(data) async for data in stream])
    took = trio.current_time() - started
    body = answer.partition(b"\r\n\r\n")[2]
    same = body == file
    _say(
        f"http  {len(body)} bytes in {took:.2f} s: {len(body) / took / 1000:.1f} kB/s "
        f"over a line of {_BAUDRATE // 10 / 1000:.1f} kB/s"
    )
    _say(f"      sha256 {hashlib.sha256(body).hexdigest()} {'as sent' if same else 'DIFFERS'}")
    return same


async def _prove_echo(running: _Running) -> bool:
    source = random.Random(2)
    data = b""
    while len(data) < _ECHO_BYTES:
        data += source.choice(_HOSTILE) + source.randbytes(source.randrange(60))
    stream = await trio.open_tcp_stream("127.0.0.1", running.echo_port)
    got = bytearray()
    async with stream, trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_all, data)
        while len(got) < len(data) and (more := await stream.receive_some()):
            got += more
    same = bytes(got) == data
    _say(
        f"echo  {len(got)} bytes full of AT look-alikes: "
        f"sha256 {hashlib.sha256(got).hexdigest()[:16]}… {'as sent' if same else 'DIFFERS'}"
    )
    return same

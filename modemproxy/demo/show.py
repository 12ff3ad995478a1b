"""What a person sees of the demo: what to try, and the line at work."""

import hashlib
import signal
import sys
from typing import Final

import trio

from modemproxy.demo.stage import BAUDRATE, SERVER_PORT, Stage
from modemproxy.emulator.module import EmulatedModule

_SHOW_EVERY_S: Final = 1.0


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def show(stage: Stage) -> None:
    """Tell what to try, then show the line at work until Ctrl-C."""
    host, port = await stage.server()
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        say(_what_to_try(stage, f"{host} {port}"))  # from here on Ctrl-C is an end in order
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_show_traffic, stage.module)
            await anext(signals)
            nursery.cancel_scope.cancel()


def _what_to_try(stage: Stage, server: str) -> str:
    ports, digest = stage.ports, hashlib.sha256(stage.file).hexdigest()
    return f"""An emulated A76XX module is up at {BAUDRATE} baud, and the proxy serves it.

A forward to a web server behind the module:
  curl http://127.0.0.1:{ports["http"]}/
  curl -o file.bin http://127.0.0.1:{ports["http"]}/file.bin
      ({len(stage.file)} bytes, sha256 {digest})
Forwards to an echo service, by TCP and by UDP (type, and it comes back):
  nc 127.0.0.1 {ports["echo"]}
  nc -u 127.0.0.1 {ports["udp"]}
A server on the module (its port {SERVER_PORT}) that leads to a service of this host; you are
the far client, it says who you are, then it is an echo:
  nc {server}
Proxies, where names are looked up by the module:
  curl --socks5-hostname 127.0.0.1:{ports["socks5"]} http://files.example/
  curl --proxy http://127.0.0.1:{ports["http-proxy"]} http://files.example/
DNS, answered by the module's resolver:
  dig -p {ports["dns"]} @127.0.0.1 files.example
One connection on standard input and output, as for ssh's ProxyCommand:
  modemproxy connect --socket {stage.admin_socket} echo.example:7

Every byte crosses the serial line as AT commands. Ctrl-C ends it."""


async def _show_traffic(module: EmulatedModule) -> None:
    """One line a second while anything moves."""
    before = (0, 0, 0)
    while True:
        await trio.sleep(_SHOW_EVERY_S)
        now = (module.bytes_in, module.bytes_out, module.commands.total())
        if now != before:
            up, down, commands = (a - b for a, b in zip(now, before, strict=True))
            say(
                f"line: {up / 1000:7.1f} kB/s to the module, {down / 1000:7.1f} kB/s from it, "
                f"{commands:4d} commands/s"
            )
        before = now

"""The emulated module and its far side as a process: ``python -m modemproxy.bench.station``.

Asked and answered in lines of JSON on standard input and output; ends when its standard
input does, so it never outlives the bench. The first line out says where things are.

    {"do": "counters"}                         commands, bytes, tallies by link, open links
    {"do": "arrivals", "since": s, "until": s} what the sinks got in that time, by service
    {"do": "profile", "changes": {...}}        change the dialect
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import trio

from modemproxy.bench.far import HOST, FarSide
from modemproxy.bench.tally import WireTally
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.emulator.pty import serve_pty
from modemproxy.emulator.sockets import SocketInternet


class Station:
    """Answers the questions of the bench."""

    def __init__(self, module: EmulatedModule, far: FarSide) -> None:
        self._module = module
        self._far = far
        self._tally = WireTally()
        module.trace = self._tally.trace

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked."""
        match question["do"]:
            case "counters":
                return self._counters()
            case "arrivals":
                return self._arrivals(question["since"], question["until"])
            case "profile":
                self._module.set_profile(**question["changes"])
        return {}

    def _counters(self) -> dict[str, Any]:
        module = self._module
        return {
            "commands": dict(module.commands),
            "bytes_in": module.bytes_in,
            "bytes_out": module.bytes_out,
            "busy": self._tally.busy,
            "links": {number: asdict(tally) for number, tally in self._tally.links.items()},
            "open": self._open_links(),
            "wrong": sum(meter.wrong for meter in self._far.meters.values()),
            "complaints": module.complaints[:10],
        }

    def _open_links(self) -> dict[int, str]:
        """Return which service each open link leads to."""
        names = {port: name for name, port in self._far.ports.items()}
        links = self._module.dce.stack.any_open()
        return {link.number: names.get(link.port, "?") for link in links}

    def _arrivals(self, since: float, until: float) -> dict[str, Any]:
        meters = self._far.meters.items()
        windows = {name: meter.between(since, until) for name, meter in meters}
        return {name: window for name, window in windows.items() if window}


async def _main(options: dict[str, Any]) -> None:
    async with trio.open_nursery() as nursery:
        far = FarSide()
        await far.start(nursery)
        internet = SocketInternet(nursery, hosts={HOST: "127.0.0.1"})
        module = EmulatedModule(Profile(**options["profile"]), internet=internet)
        async with serve_pty(module, link=Path(options["tty"])):
            _say({"ports": far.ports})
            await _serve(Station(module, far))
        nursery.cancel_scope.cancel()


async def _serve(station: Station) -> None:
    stream = trio.lowlevel.FdStream(0)
    rest = b""
    while data := await stream.receive_some():
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            _say(station.answer(json.loads(line)))


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    trio.run(_main, json.loads(sys.argv[1]))

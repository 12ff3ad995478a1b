"""What a row may choose about its world, and the small parts a world is made of."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import trio

from modemproxy.config import Config, ModemConfig, Server, Timeouts
from modemproxy.emulator.faults_cable import MemoryCable
from modemproxy.emulator.module import EmulatedModule
from modemproxy.errors import LineClosed
from modemproxy.line.port import StreamPort

BAUDRATE: Final = 921600


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a row wants of its world.

    Attributes:
        profile: options of the module's dialect.
        modem, timeouts: keys of the configuration.
        servers: on the module; ``World.on_far_client`` is handed their clients.
        prepare: called with the module before the line is plugged in, not in the calm run.
        autostart: the proxy is up before the body begins.
        pace: the line runs at its speed.
        window_bytes: what a far host takes before it reads.
        queues: of the host's kernel: (before the proxy reads, the proxy's send queue, the
            client's receive queue) in bytes.
        complaints: words of complaints the module may have (a part of each is enough).
        seed: of the dice.
    """

    profile: dict[str, Any] = field(default_factory=dict)
    modem: dict[str, Any] = field(default_factory=dict)
    timeouts: dict[str, Any] = field(default_factory=dict)
    servers: tuple[Server, ...] = ()
    prepare: Callable[[EmulatedModule], None] = lambda module: None
    autostart: bool = True
    pace: bool = True
    window_bytes: int = 65536
    queues: tuple[int, int, int] = (9096, 65536, 65536)
    complaints: tuple[str, ...] = ()
    seed: int = 1

    def config(self) -> Config:
        """The configuration of the proxy, without forwards."""
        return Config(
            modem=ModemConfig(port="/dev/emulated", **({"baudrate": BAUDRATE} | self.modem)),
            timeouts=Timeouts(**({"shutdown_s": 4} | self.timeouts)),
            forwards=(),
            servers=self.servers,
            path=Path("matrix.yaml"),
        )


class CablePort(StreamPort):
    """The product's end of the cable, with a speed."""

    def __init__(self, cable: MemoryCable) -> None:
        """Args: cable: opened here.

        Raises:
            LineClosed: it is not plugged in, or somebody has it.
        """
        try:
            super().__init__(cable.open())
        except OSError as error:
            raise LineClosed(str(error)) from error
        self._cable = cable

    async def set_line(self, *, baudrate: int, rtscts: bool) -> None:
        """Change our end's speed."""
        await trio.lowlevel.checkpoint()
        self._cable.speed = baudrate


class BugKeeper(logging.Handler):
    """Keeps what the product logged as a bug.

    Attributes:
        wanted: the level from which on records are made; DEBUG, the dialogue with the
            module, takes as long as all the rest.
        bugs: the messages.
        lines: everything, for whoever looks into a row that fails.
    """

    wanted = logging.INFO

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.bugs: list[str] = []
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        text = self.format(record)
        name = record.name.removeprefix("modemproxy.")
        self.lines.append(f"{trio.current_time():9.3f} {record.levelname[:1]} {name}: {text}")
        if record.exc_info:
            self.bugs.append(text)

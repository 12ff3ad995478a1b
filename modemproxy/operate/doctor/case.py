"""Everything that the steps of one examination share: what is examined, what was found."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from modemproxy.at.subscription import Signal
from modemproxy.config import Config
from modemproxy.line.port import Port
from modemproxy.module.dialogue import Dialogue
from modemproxy.module.lifecycle import OpenPort
from modemproxy.module.state import StateStore
from modemproxy.operate.doctor.machine import Machine

#: What is kept of that which the module said: enough to know an interface by.
_KEPT_BYTES: Final = 4096

Undo = Callable[[], Awaitable[None]]


class Tap(Port):
    """A port that remembers what came in last: an interface is known by what it says.

    Attributes:
        heard: the last bytes that came.
    """

    def __init__(self, port: Port) -> None:
        """Args: port: becomes ours to close."""
        self._port = port
        self.heard = b""

    async def set_line(self, *, baudrate: int, rtscts: bool) -> None:
        """Pass on."""
        await self._port.set_line(baudrate=baudrate, rtscts=rtscts)

    @property
    def unsent(self) -> int:
        """Pass on."""
        return self._port.unsent

    def send_nowait(self, data: bytes | memoryview) -> int:
        """Pass on."""
        return self._port.send_nowait(data)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Pass on."""
        await self._port.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Pass on."""
        await self._port.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Pass on, and remember."""
        data = await self._port.receive_some(max_bytes)
        self.heard = (self.heard + data)[-_KEPT_BYTES:]
        return data

    async def aclose(self) -> None:
        """Pass on."""
        await self._port.aclose()


@dataclass(slots=True)
class Case:
    """One examination.

    Attributes:
        config: the configuration under examination.
        environ: the process's environment.
        machine: this host.
        state: marks that runs of the proxy left.
        open_port: opens the line.
        enter_pin: the user wants the configured PIN to be entered.
        proxy_runs: a proxy is at work: its host ports are rightly taken.
        port: the line, once it is open.
        baudrate: the speed at which the module answers.
        signal: reception, once it is known.
        apn: of the module's own context.
        undo: what leaves the module as it was found, in the order it was done.
    """

    config: Config
    environ: Mapping[str, str]
    machine: Machine
    state: StateStore
    open_port: OpenPort
    enter_pin: bool = False
    proxy_runs: bool = False
    port: Tap | None = None
    baudrate: int = 0
    signal: Signal | None = None
    apn: str = ""
    undo: list[Undo] = field(default_factory=list)
    _dialogue: Dialogue | None = None

    @property
    def dialogue(self) -> Dialogue:
        """The talk with the module; only for steps that need the line."""
        assert self._dialogue is not None, "a step that needs the line ran without it"
        return self._dialogue

    @dialogue.setter
    def dialogue(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue

"""An emulated module, a host that is made up, and the doctor between them, in virtual time."""

from pathlib import Path
from typing import Any

import trio
import trio.testing

from modemproxy.config import (
    Admin,
    Config,
    Endpoint,
    Forward,
    ModemConfig,
    Server,
)
from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.line.port import Port
from modemproxy.module.lifecycle import OpenPort
from modemproxy.module.state import StateStore
from modemproxy.operate.doctor.command import examine
from modemproxy.operate.doctor.finding import Finding, Grade
from modemproxy.operate.doctor.machine import Machine
from tests.module.workbench import SpeedPort

BROKER = "broker.example.com"
#: Character devices that are surely there: what is made up is a link to one of them.
_REAL_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def forward(name: str = "mqtt", host: str = BROKER, **keys: Any) -> Forward:
    """A forward on any free port."""
    return Forward(
        name=name, listen=Endpoint("127.0.0.1", 0), connect=Endpoint(host, 1883), **keys
    )


def server(name: str = "web") -> Server:
    """A server on the module."""
    return Server(name=name, port=8080, connect=Endpoint("127.0.0.1", 80), allow=())


class Report:
    """What the doctor said: a Display that keeps it."""

    def __init__(self) -> None:
        self.steps: dict[str, Finding] = {}
        self.begun: list[str] = []
        self.verdict = ""
        self.code = -1

    def begin(self, name: str) -> None:
        """Keep it."""
        self.begun.append(name)

    def end(self, name: str, finding: Finding) -> None:
        """Keep it."""
        assert name not in self.steps, f"{name} was shown twice"
        assert "\n" not in finding.found + finding.advice
        self.steps[name] = finding

    def finish(self, verdict: str) -> None:
        """Keep it."""
        self.verdict = verdict

    def graded(self, grade: Grade) -> list[str]:
        """The steps that ended so."""
        return [name for name, finding in self.steps.items() if finding.grade is grade]

    def fails(self, step: str, found: str, advice: str = "") -> None:
        """See that this step failed, and no other, with these words."""
        assert self.code == 1
        assert self.graded(Grade.FAILED) == [step]
        self._says(step, found, advice)

    def warns(self, step: str, found: str, advice: str = "") -> None:
        """See that this step is a warning, and that all went well but for that."""
        assert self.code == 0, self.steps
        assert self.graded(Grade.WARNING) == [step]
        assert not self.graded(Grade.SKIPPED)
        self._says(step, found, advice)

    def _says(self, step: str, found: str, advice: str) -> None:
        finding = self.steps[step]
        assert found in finding.found
        assert advice in finding.advice
        assert finding.advice, "no next thing to do"
        assert step in self.verdict or finding.grade is Grade.WARNING


class Clinic:
    """Where one module is examined."""

    def __init__(self, nursery: trio.Nursery, folder: Path, **options: Any) -> None:
        options.setdefault("command_latency_s", 0.005)
        self.folder = folder
        self.machine = Machine(folder / "dev", folder / "sys", folder / "proc", folder / "udev")
        self.tty = self.add_device("ttyUSB2")
        self.internet = MemoryInternet(nursery)
        for name in (BROKER, "example.com"):
            self.internet.add_host(name)
        self.module = EmulatedModule(Profile(**options), internet=self.internet)
        self.opened = 0
        self._nursery = nursery

    @property
    def state(self) -> StateStore:
        """The marks."""
        return StateStore(self.folder / "state", str(self.tty))

    def add_device(self, name: str) -> Path:
        """Make a device node up; at most five."""
        folder = self.folder / "dev"
        folder.mkdir(exist_ok=True)
        node = folder / name
        node.symlink_to(_REAL_DEVICES[len(list(folder.glob("tty*")))])
        return node

    def add_usb(self, tty: str, ids: str, interface: str, *, at: str = "1-1") -> None:
        """Say in sysfs what a device belongs to."""
        device = self.folder / "sys/devices/usb1" / at
        hardware = device / f"{at}:1.{interface}" / tty
        hardware.mkdir(parents=True)
        vendor, _, product = ids.partition(":")
        (device / "idVendor").write_text(vendor + "\n")
        (device / "idProduct").write_text(product + "\n")
        (hardware.parent / "bInterfaceNumber").write_text(interface + "\n")
        shown = self.folder / "sys/class/tty" / tty
        shown.mkdir(parents=True)
        (shown / "device").symlink_to(hardware)

    def add_process(self, pid: int, name: str, *opened: str | Path, command: str = "") -> None:
        """Make a process up that has files open."""
        process = self.folder / "proc" / str(pid)
        (process / "fd").mkdir(parents=True)
        (process / "comm").write_text(name + "\n")
        (process / "cmdline").write_text((command or name).replace(" ", "\0"))
        for number, file in enumerate(opened):
            (process / "fd" / str(number)).symlink_to(file)

    async def open_port(self) -> Port:
        """Plug the module in."""
        await trio.lowlevel.checkpoint()
        self.opened += 1
        ours, theirs = trio.testing.memory_stream_pair()
        port = SpeedPort(ours)
        self.module.dte_baudrate = lambda: port.baudrate
        self._nursery.start_soon(self.module.serve, theirs)
        return port

    async def examine(
        self,
        *,
        open_port: OpenPort | None = None,
        enter_pin: bool = False,
        forwards: tuple[Forward, ...] = (forward(),),
        servers: tuple[Server, ...] = (),
        report: Report | None = None,
        **modem: Any,
    ) -> Report:
        """Be the command with a configuration like this."""
        given: dict[str, Any] = {"port": str(self.tty), "apn": "internet"}
        config = Config(
            modem=ModemConfig(**{**given, **modem}),
            forwards=forwards,
            servers=servers,
            admin=Admin(socket=self.folder / "admin.sock"),
            path=self.folder / "modemproxy.yaml",
        )
        self.write_config()
        shown = report or Report()
        shown.code = await examine(
            config,
            {"HOME": str(self.folder)},
            shown,
            enter_pin=enter_pin,
            machine=self.machine,
            open_port=open_port or self.open_port,
            state=self.state,
        )
        return shown

    def write_config(self) -> None:
        """The file that names the admin socket, which the doctor looks for."""
        (self.folder / "modemproxy.yaml").write_text(
            "modem: {port: /dev/ttyUSB2}\nadmin: {socket: admin.sock}\n"
            "forwards: [{listen: '127.0.0.1:1', connect: 'a.example:1'}]\n"
        )

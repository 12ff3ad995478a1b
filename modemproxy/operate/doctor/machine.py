"""This host's serial devices: which there are, what they belong to, who may use them.

USB devices are looked at in sysfs: the module's vendor is 1e0e, and which of its interfaces
takes AT commands depends on its product number (ModemManager's port types say the same).
"""

import grp
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SIMCOM: Final = "1e0e"
#: Product -> the interface that takes AT commands.
_AT_INTERFACES: Final = {"9001": "02", "9011": "04"}
_OTHER_INTERFACES: Final = {
    ("9001", "00"): "diagnostics",
    ("9001", "01"): "NMEA",
    ("9001", "03"): "the PPP port",
    ("9001", "04"): "audio",
    ("9011", "05"): "the PPP port",
}


@dataclass(frozen=True, slots=True)
class SerialDevice:
    """A tty that has hardware behind it.

    Attributes:
        path: ``/dev/ttyUSB2``.
        vendor: of the USB device, empty where it is none.
        product: its product number.
        interface: which interface of it this is.
        device: the USB device's folder, the same for all of its interfaces.
        stable: its name under ``/dev/serial/by-id``, if it has one.
    """

    path: str
    vendor: str = ""
    product: str = ""
    interface: str = ""
    device: str = ""
    stable: str = ""

    @property
    def is_module(self) -> bool:
        """It belongs to a module of this family."""
        return self.vendor == SIMCOM

    @property
    def takes_at(self) -> bool:
        """It is known to be the interface for AT commands."""
        return self.is_module and _AT_INTERFACES.get(self.product) == self.interface

    @property
    def best_name(self) -> str:
        """The name to put into a configuration."""
        return self.stable or self.path

    def __str__(self) -> str:
        if not self.vendor:
            return self.path
        maker = "SIMCom " if self.is_module else "USB "
        where = f", interface {self.interface}" if self.interface else ""
        kind = _OTHER_INTERFACES.get((self.product, self.interface), "")
        role = "its AT port" if self.takes_at else kind if self.is_module else ""
        tail = f": {role}" if role else ""
        return f"{self.path} ({maker}{self.vendor}:{self.product}{where}{tail})"


@dataclass(frozen=True, slots=True)
class Machine:
    """Where this host shows its devices and processes; other folders in tests."""

    dev: Path = Path("/dev")
    sys: Path = Path("/sys")
    proc: Path = Path("/proc")
    udev: Path = Path("/run/udev/data")

    def serial_devices(self) -> list[SerialDevice]:
        """List all serial devices with hardware behind them, by their numbers."""
        names = self._stable_names()
        folders = sorted((self.sys / "class/tty").glob("*"), key=_by_number)
        return [
            self._describe(folder, names)
            for folder in folders
            if (folder / "device").exists() and _has_hardware(folder)
        ]

    def find(self, path: str) -> SerialDevice | None:
        """Return what a device belongs to, None where that is not known."""
        real, devices = os.path.realpath(path), self.serial_devices()
        return next((each for each in devices if os.path.realpath(each.path) == real), None)

    def at_port_beside(self, path: str) -> SerialDevice | None:
        """Return the AT port of the same module, if ``path`` is another port of it."""
        here = self.find(path)
        if here is None or not here.is_module or here.takes_at:
            return None
        beside = (each for each in self.serial_devices() if each.device == here.device)
        return next((each for each in beside if each.takes_at), None)

    def latency_timer_ms(self, path: str) -> int | None:
        """Return how long a USB adapter keeps bytes back; None where it has no such knob."""
        name = Path(os.path.realpath(path)).name
        try:
            text = (self.sys / "bus/usb-serial/devices" / name / "latency_timer").read_text()
            return int(text)
        except (OSError, ValueError):
            return None

    def left_alone_by_modemmanager(self, path: str) -> bool:
        """Say whether a udev rule tells ModemManager to keep off."""
        try:
            number = os.stat(path).st_rdev
            file = self.udev / f"c{os.major(number)}:{os.minor(number)}"
            lines = file.read_text().splitlines()
        except OSError:
            return False
        rules = ("E:ID_MM_PORT_IGNORE=1", "E:ID_MM_DEVICE_IGNORE=1")
        return any(rule in lines for rule in rules)

    def _stable_names(self) -> dict[str, str]:
        """By-id names by the device they lead to."""
        links = sorted((self.dev / "serial/by-id").glob("*"))
        return {os.path.realpath(link): str(link) for link in links}

    def _describe(self, folder: Path, names: dict[str, str]) -> SerialDevice:
        path = str(self.dev / folder.name)
        stable = names.get(os.path.realpath(path), "")
        interface = ""
        for parent in _upwards(folder / "device"):
            interface = interface or _word(parent / "bInterfaceNumber")
            if vendor := _word(parent / "idVendor"):
                product = _word(parent / "idProduct")
                return SerialDevice(path, vendor, product, interface, str(parent), stable)
        return SerialDevice(path, stable=stable)


def may_use(path: str) -> bool:
    """Say whether this process may read and write a device."""
    return os.access(path, os.R_OK | os.W_OK)


def user_name() -> str:
    """Return the name of the user who runs this."""
    return _name_of(os.geteuid())


def owner_and_group(path: str) -> tuple[str, str]:
    """Return the names of a device's owner and group."""
    status = os.stat(path)
    try:
        group = grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        group = str(status.st_gid)
    return _name_of(status.st_uid), group


def is_listed_in(user: str, group: str) -> bool:
    """Say whether a user is a member of a group by the files, as of the next login."""
    try:
        return user in grp.getgrnam(group).gr_mem
    except KeyError:
        return False


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _upwards(start: Path) -> Iterator[Path]:
    real = start.resolve()
    yield real
    yield from real.parents


def _word(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def _has_hardware(folder: Path) -> bool:
    """The PC's driver shows four or more ports that are not there: their type is 0."""
    return _word(folder / "type") != "0"


def _by_number(folder: Path) -> tuple[str, int]:
    stem = folder.name.rstrip("0123456789")
    number = folder.name[len(stem) :]
    return stem, int(number or 0)

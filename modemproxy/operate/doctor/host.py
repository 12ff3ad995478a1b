"""The steps before a byte is sent: a running proxy, the port, its rights, who holds it."""

import errno
import os
import socket
import stat
import struct
from pathlib import Path
from typing import Final

from modemproxy.errors import LineClosed
from modemproxy.operate.doctor.case import Case, Tap
from modemproxy.operate.doctor.finding import Finding, failed, ok, warning
from modemproxy.operate.doctor.holders import (
    Holder,
    holders_of,
    open_ttys,
    running,
    running_proxy,
)
from modemproxy.operate.doctor.machine import (
    SerialDevice,
    is_listed_in,
    may_use,
    owner_and_group,
    user_name,
)
from modemproxy.operate.paths import client_places

_CREDENTIALS: Final = struct.Struct("3i")
_MODEMMANAGER: Final = "ModemManager"
_IGNORE_RULE: Final = (
    "a udev rule keeps it off: put the line "
    'ATTRS{idVendor}=="1e0e", ENV{ID_MM_DEVICE_IGNORE}="1" '
    "into /etc/udev/rules.d/70-modemproxy.rules, then: sudo udevadm control --reload; "
    "sudo udevadm trigger; sudo systemctl restart ModemManager "
    "(or, if nothing else needs it: sudo systemctl disable --now ModemManager)"
)
_GETTY: Final = (
    "that is a login console: sudo systemctl disable --now serial-getty@{tty}, and on a "
    "Raspberry Pi raspi-config, Interface Options, Serial Port: no login shell"
)
_REMEDIES: Final = {
    _MODEMMANAGER: _IGNORE_RULE,
    "agetty": _GETTY,
    "getty": _GETTY,
    "brltty": "that is for braille displays: sudo apt remove brltty, if you have none",
    "gpsd": "take this device out of gpsd's list (/etc/default/gpsd): it is no GPS port",
    "pppd": "it dials with the same module: stop that connection first (poff)",
}
_SERVICE_STOP: Final = "sudo systemctl stop modemproxy"


async def look_for_proxy(case: Case) -> Finding:
    """See whether a proxy is running on this module: then its line is not ours to touch."""
    for place in client_places(None, str(case.config.path), case.environ):
        error, pid = _call(place)
        other = running_proxy(case.machine.proc) if error == errno.EACCES else None
        if other is not None:
            case.proxy_runs = True
            return failed(
                f"a proxy of another user is running (pid {other.pid}); {user_name()} may not "
                f"ask it: {place}",
                f"ask it: sudo modemproxy status; or stop it ({_SERVICE_STOP}) and try again",
            )
        if not error and not _serves_another(case, pid):
            case.proxy_runs = True
            return failed(
                f"a proxy is running (pid {pid}) and uses the module: it is not disturbed",
                "ask it how it is: modemproxy status; or stop it "
                f"({_SERVICE_STOP}, or kill {pid}) and run doctor again",
            )
    return ok("none is running on this module")


def _call(place: Path) -> tuple[int, int]:
    """Return the error of reaching a socket, and the process behind it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        error = sock.connect_ex(str(place))
        if error == errno.EAGAIN:  # too many wait already: somebody is there
            return 0, 0
        if error:
            return error, 0
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return 0, int(_CREDENTIALS.unpack(raw)[0])


def _serves_another(case: Case, pid: int) -> bool:
    """Another module's proxy has another tty; one without any may be about to open ours."""
    opened = open_ttys(pid, case.machine.proc)
    return bool(opened) and os.path.realpath(case.config.modem.port) not in (opened or ())


async def find_port(case: Case) -> Finding:
    """See whether the port is there; if not, say which ones are."""
    port = case.config.modem.port
    try:
        status = os.stat(port)
    except FileNotFoundError:
        return _not_there(case, port)
    except PermissionError:
        return failed(
            f"{user_name()} may not even look into the folder of {port}",
            "use a name under /dev, or give this user the right to enter that folder",
        )
    except OSError as error:
        return failed(f"{port}: {error.strerror}", "set modem.port to the module's device")
    if not stat.S_ISCHR(status.st_mode):
        return failed(
            f"{port} is there, but it is no device",
            f"set modem.port to the module's device; {_which(case.machine.serial_devices())}",
        )
    return ok(_shown(case, port))


def _shown(case: Case, port: str) -> str:
    """The port, what it leads to, and what that is."""
    real = os.path.realpath(port)
    device = case.machine.find(port)
    if device is not None:
        return f"{port} is {device}" if real != port else str(device)
    return f"{port} is {real}" if real != port else port


def _not_there(case: Case, port: str) -> Finding:
    devices = case.machine.serial_devices()
    if Path(port).is_symlink():
        said = f"{port} leads to {os.path.realpath(port)}, which is not there"
    else:
        said = f"there is no {port}"
    mine = [device for device in devices if device.is_module]
    best = next((device for device in mine if device.takes_at), None)
    if best is not None:
        return failed(said, f"set modem.port to {best.best_name}; {_which(devices)}")
    if mine:
        return failed(said, f"one of the module's own may be meant; {_which(devices)}")
    if devices:
        return failed(
            said,
            f"set modem.port to the one that the module is on; {_which(devices)}; none of them "
            "is a SIMCom module on USB: if it should be, is it plugged in and powered?",
        )
    return failed(
        said,
        "this host has no serial device at all: is the module plugged in and powered (its "
        "USB takes up to 25 s to show up: lsusb lists 1e0e:...), or, on the pins of a "
        "Raspberry Pi, is the serial port switched on (raspi-config)?",
    )


def _which(devices: list[SerialDevice]) -> str:
    if not devices:
        return "there are no serial devices here now"
    return "serial devices here: " + ", ".join(map(str, devices))


async def check_permission(case: Case) -> Finding:
    """See whether this user may use the port."""
    port = case.config.modem.port
    user = user_name()
    if may_use(port):
        return ok(f"{user} may read and write it")
    owner, group = owner_and_group(port)
    mode = stat.S_IMODE(os.stat(port).st_mode)
    said = f"{user} may not use {port} (it belongs to {owner}:{group}, mode {mode:04o})"
    if group == "root" or mode & 0o060 != 0o060:
        return failed(
            said,
            "a udev rule must give it to dialout: "
            'KERNEL=="ttyUSB[0-9]*", GROUP="dialout", MODE="0660" in '
            "/etc/udev/rules.d/70-modemproxy.rules; then sudo usermod -aG dialout "
            f"{user}, plug the module in again and log in again",
        )
    if is_listed_in(user, group):
        return failed(
            said, f"{user} is in {group} already, but not in this session: log in again"
        )
    return failed(said, f"sudo usermod -aG {group} {user}, then log in again")


async def look_for_holders(case: Case) -> Finding:
    """See who else has the port open: two readers steal each other's bytes."""
    port = case.config.modem.port
    holders = holders_of(port, case.machine.proc)
    if holders:
        names = ", ".join(map(str, holders))
        verb = "has" if len(holders) == 1 else "have"
        return failed(f"{names} {verb} {port} open", _remedy(holders, port))
    manager = running(_MODEMMANAGER, case.machine.proc)
    device = case.machine.find(port)
    free = device is None or not device.vendor
    if manager and not free and not case.machine.left_alone_by_modemmanager(port):
        return warning(
            f"nobody has it open, but {manager} is running and probes such ports",
            _IGNORE_RULE,
        )
    return ok("nobody else has it open")


def _remedy(holders: list[Holder], port: str) -> str:
    tty = os.path.basename(os.path.realpath(port))
    known = [_REMEDIES[holder.name] for holder in holders if holder.name in _REMEDIES]
    if known:
        return known[0].replace("{tty}", tty)
    if any(holder.name == "modemproxy" for holder in holders):
        return f"a proxy is running: modemproxy status, or stop it ({_SERVICE_STOP})"
    pids = " ".join(str(holder.pid) for holder in holders)
    return f"end it, then try again: sudo kill {pids}"


async def open_line(case: Case) -> Finding:
    """Open the port, exclusively and raw, as the proxy does."""
    port = case.config.modem.port
    try:
        case.port = Tap(await case.open_port())
    except LineClosed as error:
        return _not_opened(port, str(error).removeprefix(f"{port}: "))
    return ok("opened, for us alone")


def _not_opened(port: str, why: str) -> Finding:
    if "in use by" in why:
        return failed(
            f"{port} is {why}",
            f"see who: sudo fuser -v {os.path.realpath(port)}; if it is ModemManager, "
            f"{_IGNORE_RULE}",
        )
    if "not a serial device" in why:
        return failed(f"{port} is not a serial device", "set modem.port to the module's tty")
    return failed(f"{port} cannot be opened: {why}", "unplug the module, plug it in again")

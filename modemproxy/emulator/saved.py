"""What survives a reboot: AUTO_SAVE settings and the profile of AT&W (manual 1.6)."""

from dataclasses import dataclass

from modemproxy.emulator.profile import Profile


@dataclass(frozen=True, slots=True)
class PdpContext:
    """One PDP context definition (CGDCONT) with its CGAUTH."""

    kind: str
    apn: str
    auth: int = 0
    password: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """What AT&W stores and ATZ restores."""

    echo: bool
    verbose: bool
    quiet: bool


class SavedSettings:
    """The non-volatile memory.

    Attributes:
        baudrate: IPREX.
        contexts: CGDCONT, by cid.
        stored: AT&W; None before the first.
    """

    def __init__(self, profile: Profile) -> None:
        self.baudrate = profile.baudrate
        self.contexts = {1: PdpContext("IP", profile.apn)}
        self.stored: Stored | None = None

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
    dtr_mode: int = 0


class SavedSettings:
    """The non-volatile memory.

    Attributes:
        baudrate: IPREX.
        autobaud: IPREX is 0.
        contexts: CGDCONT, by cid.
        stored: AT&W; None before the first.
    """

    def __init__(self, profile: Profile) -> None:
        self.baudrate = profile.baudrate
        self.autobaud = profile.autobaud
        self.contexts = {1: PdpContext("IP", profile.apn)}
        self.stored: Stored | None = None

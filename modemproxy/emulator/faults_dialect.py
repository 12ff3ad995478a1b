"""Faults that are an option of the dialect, changed for a time."""

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, get_type_hints

from modemproxy.emulator.faults_kind import Event, fault
from modemproxy.emulator.faults_params import BadValue, convert, near, number
from modemproxy.emulator.profile import Profile


class _Dialect(Event):
    """Has other options until it is lifted."""

    stands: ClassVar[bool] = True

    def changes(self) -> dict[str, Any]:
        """Return the options and their values."""
        raise NotImplementedError

    def detail(self) -> str:
        """Say which."""
        return ", ".join(f"{name}={value!r}" for name, value in self.changes().items())

    def begin(self) -> None:
        """Change them."""
        self.site.overlay(self, **self.changes())

    def end(self) -> None:
        """Put them back."""
        self.site.lift(self)


@fault("profile")
@dataclass(eq=False)
class Dialect(_Dialect):
    """Options of the dialect are others (--list-options)."""

    set: dict[str, Any] = field(default_factory=dict)  # {short_reads: 100, cipack: false}

    def __post_init__(self) -> None:
        hints = get_type_hints(Profile)
        known = {item.name: None for item in fields(Profile)}
        self._changes: dict[str, Any] = {}
        for name, value in self.set.items():
            if name not in known:
                shown = near(name, known) if near(name, known).startswith("(did") else ""
                raise BadValue(
                    f"no such option {shown or '(see --list-options)'}", f"set.{name}"
                )
            try:
                self._changes[name] = convert(hints[name], value)
            except BadValue as bad:
                raise BadValue(bad.what, f"set.{name}") from bad
        if not self._changes:
            raise BadValue("names no option (set: {short_reads: 100})", "set")

    def changes(self) -> dict[str, Any]:
        """Return what was given."""
        return self._changes


@fault("no_sockets")
@dataclass(eq=False)
class NoSockets(_Dialect):
    """The firmware has no socket commands: all of them are ERROR."""

    def changes(self) -> dict[str, Any]:
        """Leave them out."""
        return {"sockets_present": False}


@fault("no_cipack")
@dataclass(eq=False)
class NoCipack(_Dialect):
    """CIPACK is not supported."""

    def changes(self) -> dict[str, Any]:
        """Leave it out."""
        return {"cipack": False}


@fault("second_stage")
@dataclass(eq=False)
class SecondStage(_Dialect):
    """Links opened from now on show a part of what they received only after "rest 0"."""

    size: int = number(32120, least=1)  # bytes of the receive buffer that a read cannot see
    delay_s: float = 0.02  # from "rest 0" to the refill
    urc: bool = True  # the refill says +CIPRXGET: 1,l

    def changes(self) -> dict[str, Any]:
        """Split the receive buffer."""
        return {
            "second_stage_bytes": self.size,
            "second_stage_delay_s": self.delay_s,
            "second_stage_urc": self.urc,
        }


@fault("read_gap")
@dataclass(eq=False)
class ReadGap(_Dialect):
    """Time passes between the payload of a read and its OK: data can land there."""

    delay_s: float = 0.05  # how long

    def changes(self) -> dict[str, Any]:
        """Wait there."""
        return {"read_gap_s": self.delay_s}


@fault("ghost_hints")
@dataclass(eq=False)
class GhostHints(_Dialect):
    """Before the header of a read stands a data hint of another link."""

    share: float = number(0.2, most=1)  # of the reads

    def changes(self) -> dict[str, Any]:
        """Say them."""
        return {"ghost_urc_p": self.share}

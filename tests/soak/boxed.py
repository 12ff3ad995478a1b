"""Faults of the emulator's own box, drawn at random; see ``faults`` for what is left out."""

from collections.abc import Callable
from random import Random
from typing import Any, Final

Parameters = dict[str, Any]

_SENDS: Final = ("+CIPSEND", "+CIPRXGET", "+CIPACK", "+CIPOPEN", "+CIPCLOSE", "+NETOPEN")


def _seconds(rng: Random, most: float = 20.0) -> float:
    return round(rng.choice((0.5, 2.0, 6.0, most)) * rng.uniform(0.5, 1.0), 3)


def _windowed(rng: Random, **given: Any) -> Parameters:
    """For a while, each time or now and then."""
    share = rng.choice((1.0, 1.0, 0.3))
    return {"for_s": _seconds(rng), "probability": share, **given}


def _late(r: Random, delay_s: float) -> dict[str, Any]:
    """Answer late.

    A CIPSEND that is executed later than the bounds on its prompt and on its payload together
    (21 s) can not be told from one that was lost: what is said after that may be its payload.
    """
    only = {"command": "+CIPRXGET"} if delay_s > 20 else {}
    return _few(r, delay_s=delay_s, **only)


def _few(rng: Random, **given: Any) -> Parameters:
    """The next one, or few."""
    return {"times": rng.choice((1, 1, 2, 4)), "for_s": 15.0, **given}


def _flip(rng: Random, field: str) -> Parameters:
    """Change a number in the header of a read, but its length neither by two nor by twenty.

    By two the documented trailers differ, and until one has been learned from a first read
    nobody can tell (rulings.md 3). Twenty have a report's length, which stands for them.
    """
    return _few(rng, field=field, bit=rng.choice((0, 3)))


Drawer = Callable[[Random], Parameters]

#: Faults that hide no report of data, and so are fit for a module that discards unread data.
_OPEN: Final[tuple[tuple[str, Drawer], ...]] = (
    ("urc_storm", lambda r: {"for_s": _seconds(r, 3), "rate": r.choice((20.0, 200.0))}),
    ("urc_everywhere", _windowed),
    ("lose_command", lambda r: _few(r, command=r.choice(_SENDS))),
    ("lose_final", lambda r: _few(r, command=r.choice(_SENDS))),
    ("late_answer", lambda r: _late(r, r.choice((1.0, 6.0, 25.0)))),
    ("answer", lambda r: _few(r, command=r.choice(_SENDS))),
    ("echo_on", lambda r: {}),
    ("prompt_late", lambda r: _few(r, delay_s=r.choice((1.0, 4.0, 5.5)))),
    ("prompt_lost", lambda r: _few(r, module=r.choice(("idle", "waiting")))),
    ("send_error", _few),
    ("send_busy", lambda r: _windowed(r, form=r.choice(("code", "text")))),
    ("send_busy", lambda r: {"link": r.randrange(10), "for_s": 20.0}),
    ("send_fails", lambda r: _few(r, sent=r.random() < 0.5)),
    ("late_result", lambda r: _few(r, delay_s=r.choice((1.0, 10.0)))),
    ("double_verdict", lambda r: _few(r, first=r.choice(("short", "error")))),
    ("short_confirm", lambda r: _few(r, confirmed=r.choice((-1, 0, 5)), link_dies=False)),
    ("short_confirm", lambda r: _few(r, missing=r.choice((1, 20)), taken=True)),
    ("short_confirm", lambda r: _few(r, missing=r.choice((1, 20)), taken=False)),
    ("short_read", lambda r: _windowed(r, most=r.choice((1, 100)))),
    ("rest_lies", lambda r: _few(r, by=r.choice((29, 2000)), also_zero=r.random() < 0.5)),
    ("read_refused", lambda r: _few(r, form="error")),
    ("lose_payload", lambda r: _few(r, count=r.choice((1, 4, 9)), where=_where(r))),
    ("flip_header", lambda r: _flip(r, r.choice(("link", "read")))),
    ("pause", lambda r: _few(r, where=r.choice(("header", "payload", "ok")))),
    ("open_error", lambda r: _few(r, err=r.randint(1, 12), delay_s=r.choice((0.0, 2.0)))),
    ("open_never", _few),
    ("open_late", lambda r: _few(r, delay_s=r.choice((8.0, 35.0)))),
    ("lose_network", lambda r: {"urc": r.random() < 0.5, "netopen_says": r.randint(0, 1)}),
    ("network_dead", lambda r: {"for_s": _seconds(r), "until": "lifted"}),
    ("network_dead", lambda r: {"for_s": 20.0, "until": r.choice(("netopen", "reset"))}),
    ("netopen_fails", lambda r: _few(r, how=r.choice(("result", "error")))),
    ("new_address", lambda r: {"told": r.random() < 0.5, "address": _address(r)}),
    ("registration", lambda r: {"for_s": _seconds(r), "state": _registration(r)}),
    ("sim", lambda r: {"for_s": _seconds(r)}),
    ("radio_off", lambda r: {"for_s": _seconds(r), "stuck": r.random() < 0.3}),
    ("reboot", lambda r: {"banner": r.choice(("profile", "none", "RDY", "*ATREADY: 1"))}),
    ("reboot", lambda r: {"banner": "none", "boot_s": 0.5}),
    ("reboot", lambda r: {"baudrate": r.choice((9600, 460800))}),
    ("reboot", lambda r: {"unplug": True}),
    ("boot_loop", lambda r: {"for_s": 25.0, "period_s": r.choice((3.0, 8.0))}),
    ("power_off", lambda r: {"for_s": _seconds(r)}),
    ("vanish", lambda r: {"for_s": _seconds(r, 8), "restarts": r.random() < 0.3}),
    ("slow", lambda r: {"for_s": _seconds(r), "add_s": r.choice((0.05, 0.5))}),
    # a speed that changes without a restart, in the midst of a send, is nobody's doing
    ("reboot", lambda r: {"baudrate": r.choice((9600, 921600))}),
    ("deaf", lambda r: {"for_s": _seconds(r, 15), "keep": r.random() < 0.5}),
    ("mute", lambda r: {"for_s": _seconds(r), "keep": True}),
    ("slicer", lambda r: {"for_s": _seconds(r, 2)}),
    ("ghost_hints", lambda r: {"for_s": _seconds(r)}),
    ("profile", lambda r: {"for_s": _seconds(r), "set": _options(r)}),
)
#: Not where reports get lost: nothing tells a close by the module from a far one then.
_HEARD: Final[tuple[tuple[str, Drawer], ...]] = (
    ("far_close", lambda r: {"link": r.randrange(10), "code": r.choice((0, 2))}),
)
#: Faults that may hide a report.
_HIDING: Final[tuple[tuple[str, Drawer], ...]] = (
    (
        "drop_urc",
        lambda r: _windowed(r, urc=r.choice(("data", "closed", "send_result", "any"))),
    ),
    ("drop_urc", lambda r: _few(r, urc=r.choice(("data", "closed", "send_result", "any")))),
    ("drop_urc", lambda r: _windowed(r, urc=r.choice(("open_result", "close_result")))),
    ("delay_urc", lambda r: _windowed(r, urc="data", delay_s=1.0)),
    ("urc_overflow", lambda r: _windowed(r, depth=r.choice((1, 5)))),
    ("lose_answer", lambda r: _few(r, command=r.choice(("+CIPSEND", "+CIPACK", "+CIPOPEN")))),
    # once: two in a row at the end, with the report lost as well, are an end (rulings 2)
    ("read_refused", lambda r: {"times": 1, "for_s": 15.0, "form": "no_data"}),
    ("mute", lambda r: {"for_s": _seconds(r), "keep": False}),
    ("second_stage", lambda r: {"for_s": _seconds(r), "size": 1024}),
    # a report inside a read is only a hint: it may be older than what the read brought
    ("read_gap", lambda r: {"for_s": _seconds(r)}),
)


def _where(rng: Random) -> str:
    return rng.choice(("start", "middle", "end"))


def _address(rng: Random) -> str:
    return f"10.85.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def _registration(rng: Random) -> str:
    return rng.choice(("searching", "denied"))


def _options(rng: Random) -> Parameters:
    choices: tuple[Parameters, ...] = (
        {"busy_probability": 0.5},
        {"command_latency_s": rng.choice((0.3, 1.0))},
        {"open_delay_s": rng.choice((3.0, 40.0))},
        {"close_delay_s": 8.0},
        {"send_result_delay_s": 2.0},
        {"netopen_delay_s": 20.0},
    )
    return rng.choice(choices)


def draw_boxed(rng: Random, *, may_hide: bool) -> tuple[str, Parameters]:
    """Draw a fault: its name and parameters.

    Args:
        rng: decides.
        may_hide: reports of data may be lost by it.
    """
    name, draw = rng.choice(_OPEN + (_HIDING if may_hide else _HEARD))
    return name, draw(rng)

"""Random modules: every option of the emulated module's dialect that sources disagree about.

Left out are combinations in which no driver could know of a loss, so that the checker
would blame the product for it:

* unread data is discarded at a far close, together with anything that hides that there was
  some: data reports that are lost, a second stage behind "rest 0", a gap between a read's
  header and its OK in which a report counts as a hint only (rulings.md 1 and 2);
* what was left unread shows up in the next use of the number while reports of a close are
  lost and the count of unread bytes can not be asked.
"""

from random import Random
from typing import Any

from modemproxy.emulator.profile import Profile

_URCS = ("+CGEV: ME DETACH", "+CIPRXGET: 1,3", "+CREG: 1", "SMS DONE", "+CTZV: 21/11/04", "")

#: How many modules are of the family with four links.
_SMALL = 0.05


def draw_profile(rng: Random, *, benign: bool) -> Profile:
    """Draw a module.

    Args:
        rng: decides everything.
        benign: leave out whatever may lead to a reset in a world without faults.
    """
    options: dict[str, Any] = {
        "command_latency_s": rng.choice((0.001, 0.005, 0.015, 0.03)),
        "prompt_text": rng.choice(("\r\n>", "\r\n> ", ">")),
        "trailer": rng.choice(("\r\n", "\r\n\r\n")),
        "error_case": rng.choice(("table", "lower")),
        "overlap": rng.choice(("queue", "drop", "error")),
        "boot_delay_s": rng.choice((1.0, 3.0, 6.0)),
        "open_result": rng.choice(("after_ok", "after_ok")),
        "open_delay_s": rng.choice((0.0, 0.0, 0.3, 1.5)),
        "close_result": rng.choice(("after_ok", "before_ok")),
        "close_delay_s": rng.choice((0.0, 0.0, 0.3, 2.0)),
        "close_while_opening": rng.choice(("abort", "error")),
        "netopen_delay_s": rng.choice((0.0, 1.0)),
        "netopen_result_before_ok": rng.random() < 0.3,
        "netclose_delay_s": rng.choice((0.0, 0.5)),
        "netopen_after_loss": rng.choice((0, 1)),
        "serverstop_result": rng.choice(("before_ok", "after_ok")),
        "closed_link_query": rng.choice(("zero", "error")),
        "short_reads": rng.choice((0, 0, 0, 700)),
        "send_result_before_ok": rng.random() < 0.3,
        "send_result_delay_s": rng.choice((0.0, 0.0, 0.02, 0.2)),
        "send_buffer_bytes": rng.choice((6144, 9216, 64240)),
        "receive_buffer_bytes": rng.choice((4096, 20000, 64240)),
        "send_full": rng.choice(("busy", "busy_text", "short", "wait")),
        "wan_latency_s": rng.choice((0.0, 0.03, 0.15)),
        "cipccfg_fields": rng.choice((7, 8)),
        "rxget_modes": rng.choice((4, 5)),
    }
    options |= _reports(rng)
    options |= _rare(rng, benign=benign)
    # By a dice of its own: worlds that failed before this was drawn are what they were.
    if not benign and Random(repr(options)).random() < _SMALL:
        options |= {"link_count": 4, "cipack_acked": "reserved"}
    return Profile(**options)


def _reports(rng: Random) -> dict[str, Any]:
    """How the module reports data and what it keeps; see the module's text."""
    options: dict[str, Any] = {"data_urcs": rng.choice(("edge", "edge", "every"))}
    if rng.random() < 0.25:
        keeps = rng.random() < 0.5
        return options | {"keep_data_after_close": keeps, "reset_discards_data": True}
    if rng.random() < 0.3:
        options["data_urcs"] = rng.choice(("edge", "none"))
        options["data_urc_loss"] = rng.choice((0.0, 0.1, 0.5))
    if rng.random() < 0.3:
        options["second_stage_bytes"] = 2048
        options["second_stage_urc"] = rng.random() < 0.5
    if rng.random() < 0.3:
        options["read_gap_s"] = rng.choice((0.002, 0.05))
    if rng.random() < 0.3:
        options["close_urc_loss"] = rng.choice((0.2, 1.0))
    options["ghost_urc_p"] = rng.choice((0.0, 0.0, 0.2))
    return options


def _rare(rng: Random, *, benign: bool) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if rng.random() < 0.3:
        options["urc_everywhere"] = _URCS[:5]
        options["urc_everywhere_p"] = rng.choice((0.1, 0.5))
    if rng.random() < 0.3:
        options["busy_probability"] = rng.choice((0.05, 0.3))
    if not benign:
        options["busy_scope"] = rng.choice(("link", "link", "global"))
        options["cipack"] = rng.random() >= 0.1
        options["send_on_dead"] = rng.choice(("minus_one", "error"))
        options["short_send_link"] = rng.choice(("continue", "dead"))
        if rng.random() < 0.2:
            options["wan_rate_bytes_s"] = rng.choice((20_000.0, 60_000.0))
    return options

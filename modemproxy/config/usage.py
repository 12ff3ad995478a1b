"""The keys of what may be used of the SIM's volume."""

from dataclasses import dataclass, field
from typing import Literal

from modemproxy.config import kinds, kinds_size
from modemproxy.config.keys import key


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Counting bytes by day and month, and what happens when a cap is reached."""

    cap: int = field(
        default=0,
        metadata=key(
            kinds_size.size(),
            "Most bytes of all listeners together in a period, like 500M or 2G; 0 means no "
            "cap.",
        ),
    )
    period: Literal["day", "month"] = field(
        default="month",
        metadata=key(
            kinds.choice("day", "month"), "What this cap and those of listeners are for."
        ),
    )
    action: Literal["warn", "stop"] = field(
        default="warn",
        metadata=key(
            kinds.choice("warn", "stop"),
            "At a cap, warn, or stop: reset the connections, let nobody in until the period "
            "is over.",
        ),
    )
    billing_day: int = field(
        default=1,
        metadata=key(kinds.count(28, least=1), "The day of the month on which a month begins."),
    )

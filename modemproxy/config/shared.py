"""Keys that every way in has: written once, so that they mean the same everywhere."""

from dataclasses import replace
from typing import Literal

from modemproxy.config import kinds, kinds_net, kinds_size
from modemproxy.config.keys import Key, key

TrafficClass = Literal["interactive", "normal", "bulk"]
OnFin = Literal["linger", "close"]

# What the longest silence may be: a year.
_IDLE_MAX = 31_536_000
# Faster than any line: a limit above it would be a misprint.
_RATE_MAX = 1_000_000_000

LISTEN = key(
    kinds_net.listen(),
    "Where clients connect on this host: address:port or [address]:port. Port 0 is any free "
    "one.",
)
TRAFFIC_CLASS = key(
    kinds.choice("interactive", "normal", "bulk"),
    "Share of the line when it is full: interactive comes first, bulk last.",
    name="class",
)
IDLE_TIMEOUT = key(
    kinds.seconds(most=_IDLE_MAX),
    "End a connection on which nothing moved for so many seconds; 0 means never.",
)
ALLOW = key(
    kinds.Many(kinds_net.network()),
    "Networks that may connect. Needed where listen is reachable from other machines; "
    "0.0.0.0/0 means everyone.",
    example="[127.0.0.0/8]",
)
MAX_CLIENTS = key(kinds.count(), "Most connections at a time; 0 means no limit.")
MAX_PER_CLIENT = key(
    kinds.count(), "Most connections at a time from one address; 0 means no limit."
)
ON_CLIENT_FIN = key(
    kinds.choice("linger", "close"),
    "When a client has finished sending: linger waits for the far side's answer, close ends "
    "the connection.",
)
RATE = key(
    kinds.count(_RATE_MAX),
    "Most bytes a second, both directions and all clients together; 0 means no limit.",
)
CAP = key(
    kinds_size.size(),
    "Most bytes in usage.period, both directions, like 500M; what happens then says "
    "usage.action. 0 means no cap.",
)
RESERVE = key(
    kinds.count(10),
    "How many of the module's ten links are kept free for this one; all reserves together "
    "are at most 10.",
)


def about(
    shown: dict[str, Key],
    more: str = "",
    *,
    derived: str | None = None,
    example: str | None = None,
) -> dict[str, Key]:
    """Say more about a shared key in one section, as ``Key`` has it."""
    known = shown["key"]
    text = f"{known.about} {more}".rstrip()
    return {"key": replace(known, about=text, derived=derived, example=example)}

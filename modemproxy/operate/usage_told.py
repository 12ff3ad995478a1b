"""The books and the caps as ``modemproxy usage`` shows them: of a running proxy, or kept."""

from datetime import datetime
from typing import Any, Final

from modemproxy.config import Config
from modemproxy.operate.ledger import Ledger

#: Whose cap is that of all together.
ALL: Final = "all listeners"


def caps_of(config: Config) -> dict[str | None, int]:
    """Give the caps in bytes, by listener; by None that of all together."""
    caps: dict[str | None, int] = {None: config.usage.cap}
    caps |= {forward.name: forward.cap for forward in config.forwards}
    caps |= {server.name: server.cap for server in config.servers}
    caps |= {proxy.name: proxy.cap for proxy in config.proxies}
    return {name: most for name, most in caps.items() if most}


def told_of(ledger: Ledger, config: Config, now: datetime) -> dict[str, Any]:
    """Put the books into JSON-ready facts.

    Args:
        ledger: the books.
        config: says which caps there are.
        now: the local time.
    """
    rules = config.usage
    caps = [
        {
            "of": name or ALL,
            "cap": most,
            "used": ledger.used(rules.period, now, name),
            "period": rules.period,
            "action": rules.action,
        }
        for name, most in caps_of(config).items()
    ]
    return {
        "clock_set": ledger.believes(now),
        "day": ledger.day(now),
        "month": ledger.month(now),
        "days": ledger.days,
        "months": ledger.months,
        "unbooked": ledger.unbooked,
        "caps": caps,
    }

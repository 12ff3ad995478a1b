"""Where the last run left what a command may want to know when no proxy runs."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from modemproxy.config import find, load
from modemproxy.module.state import directory_by, stem_of
from modemproxy.operate.chronicle import Chronicle, Told
from modemproxy.operate.ledger import Ledger
from modemproxy.operate.usage_told import told_of

#: Where the service keeps what an operator may be allowed to read.
_SERVICE_STATE: Final = Path("/var/lib/modemproxy")


def kept_events(
    config_file: str | None, environ: Mapping[str, str], count: int, since: float
) -> list[Told]:
    """Read the events of earlier runs; empty where there are none.

    Args:
        config_file: the configuration that the user named, if any.
        environ: the process's environment.
        count: at most so many.
        since: none before this time, seconds since the epoch.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    port = load(find(config_file, environ)).modem.port
    found = (Chronicle(stem).read(count, since) for stem in _stems(port, environ))
    return next((told for told in found if told), [])


def kept_usage(config_file: str | None, environ: Mapping[str, str]) -> dict[str, Any] | None:
    """Read the books of earlier runs; None where there are none.

    Args:
        config_file: the configuration that the user named, if any.
        environ: the process's environment.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    config = load(find(config_file, environ))
    for stem in _stems(config.modem.port, environ):
        ledger, now = Ledger(), datetime.now().astimezone()
        ledger.load(Path(f"{stem}.usage"))
        if ledger.days or ledger.months or ledger.unbooked:
            ledger.bill_on(config.usage.billing_day, now)
            return told_of(ledger, config, now)
    return None


def _stems(port: str, environ: Mapping[str, str]) -> Iterator[Path]:
    yield stem_of(directory_by(environ), port)
    yield stem_of(_SERVICE_STATE, port)

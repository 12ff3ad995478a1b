"""A connection of the host and a link, from the first byte to the right kind of end."""

from typing import Final, Protocol

import trio

from modemproxy.errors import ModemProxyError
from modemproxy.surfaces.relay import (
    Client,
    ClientVanished,
    Far,
    RelayOptions,
    Traffic,
    relay,
)
from modemproxy.surfaces.visit import STOPPING

_FLUSH_S: Final = 2.0
_FLUSH_STOPPING_S: Final = 0.5


class Connection(Client, Protocol):
    """The host's side, which is reset when it is closed unless its end was earned."""

    def finish(self) -> None:
        """The end is a clean one."""

    async def flush(self, limit_s: float) -> bool:
        """Wait until its kernel has everything that was sent."""


async def bridge(
    client: Connection, link: Far, options: RelayOptions, traffic: Traffic
) -> None:
    """Relay; on anything but an orderly end, flush what is valid before the reset.

    Args:
        client: the host's side; not closed here. ``finish()`` is called when all went well.
        link: the module's side; not closed here.
        options: how the connection is to end.
        traffic: is kept up to date, its end included.

    Raises:
        What ``relay()`` raises; the caller closes ``client``, which resets it.
    """
    flush_s = _FLUSH_STOPPING_S  # cancelled, which comes as a group of them
    try:
        traffic.end = ""
        await relay(client, link, options, traffic)
        client.finish()
        flush_s = 0.0
    except ClientVanished:
        flush_s = 0.0
        raise
    except (ModemProxyError, trio.BrokenResourceError):
        flush_s = _FLUSH_S
        raise
    finally:
        if flush_s:
            traffic.end = traffic.end or STOPPING
            with trio.CancelScope(shield=True):
                await client.flush(flush_s)

"""Where the datagrams of a link go: a name, or the address that stands for it.

Newer firmware takes a name in every CIPSEND and looks it up itself (manual V1.09 15.2.6);
older takes addresses only. A name that is refused is looked up with CDNSGIP, and the
address used from there on; now and then it is looked up again, as names move.
"""

from ipaddress import ip_address
from math import inf
from typing import Final

import trio

from modemproxy.at.commands import quoted_host
from modemproxy.at.names import ResolveName
from modemproxy.errors import CommandError
from modemproxy.line.channel import AtChannel

#: CDNSGIP has the line for itself until it is answered (manual: 6 s).
_LOOK_UP_LIMIT_S: Final = 10.0
_FRESH_FOR_S: Final = 300.0
_FIRST_RETRY_S: Final = 1.0
_RETRY_LIMIT_S: Final = 30.0


class Destination:
    """A far side of datagrams.

    Attributes:
        host: as the user wrote it.
        port: the far port.
        retry_at: no look-up before (trio's clock): the last one failed.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.retry_at = -inf
        self._is_name = not _is_address(host)
        self._address = ""
        self._found_at = -inf
        self._names_refused = False
        self._retry_s = _FIRST_RETRY_S

    def check(self) -> None:
        """See that the far side can stand in a command: clients may choose it.

        Raises:
            LocalProtocolError: it can not.
        """
        quoted_host(self.host)

    @property
    def text(self) -> str:
        """What stands in commands."""
        return self._address or self.host

    def must_resolve(self, now: float) -> bool:
        """Whether a look-up comes before the next send."""
        due = now - self._found_at >= _FRESH_FOR_S and now >= self.retry_at
        return self._names_refused and (due or not self._address)

    def note_refused(self) -> bool:
        """A send was refused; say whether that may be for the name, which changes now."""
        may_be = self._is_name and not self._names_refused
        self._names_refused = self._names_refused or may_be
        return may_be

    async def resolve(self, channel: AtChannel) -> CommandError | None:
        """Look the name up; an address from before stays when that fails.

        Returns:
            Why there is no address.

        Raises:
            LineError: the line ended.
        """
        now = trio.current_time()
        try:
            addresses = await channel.roundtrip(
                ResolveName(self.host), limit_s=_LOOK_UP_LIMIT_S
            )
        except CommandError as error:
            self.retry_at = now + self._retry_s
            self._retry_s = min(_RETRY_LIMIT_S, self._retry_s * 2)
            return None if self._address else error
        self._address = addresses[0]
        self._found_at = now
        self._retry_s = _FIRST_RETRY_S
        return None


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

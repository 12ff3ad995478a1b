"""Who may come in: address ranges and counts. Sync, and fed by the listeners."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network


class Denied(Exception):
    """This client may not come in now; the text says why."""


class Access:
    """The rules of one listener, and who is in."""

    def __init__(
        self, *, allow: Sequence[Network], max_clients: int, max_per_client: int
    ) -> None:
        """Args:
        allow: networks that may connect; empty lets everyone in.
        max_clients: how many at once, 0 for no limit.
        max_per_client: how many at once from one address, 0 for no limit.
        """
        self.change(allow=allow, max_clients=max_clients, max_per_client=max_per_client)
        self._inside: Counter[str] = Counter()
        #: Why nobody may come in at present; empty when the rules alone decide.
        self.closed = ""
        #: Why its cap on usage lets nobody in; empty while it does not.
        self.capped = ""

    def change(
        self, *, allow: Sequence[Network], max_clients: int, max_per_client: int
    ) -> None:
        """Go by other rules from now on; who is in stays in, and counts."""
        self._allow = tuple(allow)
        self._max_clients = max_clients
        self._max_per_client = max_per_client

    def stay_as(self, other: "Access") -> None:
        """Be closed for what the one before was closed for."""
        self.closed, self.capped = other.closed, other.capped

    @property
    def clients(self) -> int:
        """How many are in."""
        return self._inside.total()

    @contextmanager
    def admitted(self, host: str) -> Iterator[None]:
        """Count a client in for as long as the body runs.

        Raises:
            Denied: it may not come in.
        """
        self._check(host)
        self._inside[host] += 1
        try:
            yield
        finally:
            self._inside[host] -= 1
            if not self._inside[host]:
                del self._inside[host]

    def _check(self, host: str) -> None:
        self.check_address(host)
        if self._max_clients and self.clients >= self._max_clients:
            raise Denied(f"max_clients ({self._max_clients}) reached")
        if self._max_per_client and self._inside[host] >= self._max_per_client:
            raise Denied(f"max_per_client ({self._max_per_client}) reached")

    def check_address(self, host: str) -> None:
        """Look at what does not depend on who else is in.

        Raises:
            Denied: it may not come in.
        """
        if why := self.closed or self.capped:
            raise Denied(why)
        if not self._is_allowed(host):
            raise Denied("its address is not in allow")

    def _is_allowed(self, host: str) -> bool:
        if not self._allow:
            return True
        try:
            address = ip_address(host.split("%")[0])
        except ValueError:  # an address that nobody can read is not an allowed one
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._allow)

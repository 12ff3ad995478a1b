"""The keys of the HTTP listener for those who look: metrics, health, the status page."""

from dataclasses import dataclass, field

from modemproxy.config import kinds, kinds_net
from modemproxy.config.checks import Endpoint, IPNetwork
from modemproxy.config.keys import key


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """An HTTP server on this host that shows how the proxy is doing, and changes nothing.

    ``hosts`` holds names beside the machine's own; addresses and ``localhost`` always do.
    """

    listen: Endpoint = field(
        metadata=key(
            kinds_net.listen(),
            "Where the status page, /metrics, /healthz and /readyz are on this host: "
            "address:port or [address]:port.",
            example="127.0.0.1:9464",
        ),
    )
    allow: tuple[IPNetwork, ...] = field(
        default=(),
        metadata=key(
            kinds.Many(kinds_net.network()),
            "Networks that may look. Needed where listen is reachable from other machines; "
            "0.0.0.0/0 means everyone.",
            example="[127.0.0.0/8]",
        ),
    )
    hosts: tuple[str, ...] = field(
        default=(),
        metadata=key(
            kinds.Many(kinds_net.host_name()),
            "Names by which browsers and collectors reach it, beside its addresses, localhost "
            "and this machine's own name; requests for other names are refused.",
            example="[gateway.example.com]",
        ),
    )

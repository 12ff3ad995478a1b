"""Names that no resolver is to be asked about, answered by rule."""

from typing import Final

from modemproxy.surfaces.proxying.dnsanswers import build_answer, build_error
from modemproxy.surfaces.proxying.dnswire import TCP_LIMIT, Query, Rcode

_LOOPBACK: Final = ("127.0.0.1", "::1")
#: RFC 6761 section 6.4 and 6.2, RFC 7686 section 2: such names do not exist.
_NOWHERE: Final = frozenset({b"invalid", b"test", b"onion"})
_RULE_TTL_S: Final = 86_400


def answer_by_rule(query: Query, *, limit: int = TCP_LIMIT) -> bytes | None:
    """Answer a name that has its answer by rule, or return None for every other.

    ``localhost`` and what is below it is the client itself (RFC 6761 section 6.3), of
    whatever type it is asked: types other than A and AAAA have no data.

    Args:
        query: a question that ``parse_query`` has passed.
        limit: bytes the answer may have.
    """
    last = query.labels[-1:]
    if last == (b"localhost",):
        return build_answer(query, _LOOPBACK, ttl_s=_RULE_TTL_S, limit=limit)
    if last and last[0] in _NOWHERE:
        return build_error(query, Rcode.NXDOMAIN)
    return None

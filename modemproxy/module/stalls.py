"""Whether anything still gets through: the quiet failure of a network that says no word.

Sends are accepted and nobody acknowledges them, or opens are accepted and nobody answers.
One link alone is a far side that does not read, one far side one that is down; neither is
a reason to touch the others. So the network is suspected when no link that has bytes under
way makes progress and nothing arrives either, or when opens in a row go unanswered while
nothing arrives; and then a probe decides: one more connection, to where the stalled link
goes, or to another far side that was reached before. No answer to that either: the network
is gone. So it is, without a probe, when nobody has a link and the module neither opens nor
closes any: sockets that never got an answer may be stuck in it until the network is closed.
"""

import logging
from collections.abc import Callable
from math import inf
from typing import Final

import trio

from modemproxy.at.results import TcpipErr
from modemproxy.errors import LinkError, LinkRefused, ModemProxyError, NetworkError
from modemproxy.module.claims import Claim
from modemproxy.module.link import Link
from modemproxy.module.opens import Patience
from modemproxy.module.pool import LinkPool

log = logging.getLogger(__name__)

#: No byte acknowledged for this long is worth a probe.
STALL_PROBE_S: Final = 25.0
_LOOK_S: Final = 5.0
_PROBE_LIMIT_S: Final = 15.0
_PROBE_REST_LIMIT_S: Final = 300.0
_PROBE: Final = Claim("probe", weight=1.0, displaces=False)
#: So many opens in a row without an answer are worth a probe.
_UNANSWERED: Final = 2


class StallWatch:
    """Watches one session's links.

    Args:
        pool: the links.
        patience: with unanswered opens, over all sessions.
        fail: called with what broke; it ends the session.
    """

    def __init__(
        self, pool: LinkPool, patience: Patience, fail: Callable[[ModemProxyError], None]
    ) -> None:
        self._pool = pool
        self._patience = patience
        self._fail = fail
        self._rest_s = STALL_PROBE_S

    async def watch(self) -> None:
        """Look for a network that is dead without a word, until cancelled.

        Raises:
            LineError: the line ended.
        """
        probed_at = -inf
        while True:
            await trio.sleep(_LOOK_S)
            now = trio.current_time()
            if self._pool.opens.worked and not self._pool.opens.unanswered:
                self._patience.restore()
            self._check_stuck(now)
            target = self._suspicious(now)
            if not target:
                self._rest_s = STALL_PROBE_S
            elif now - probed_at >= self._rest_s:
                await self._probe(target)
                probed_at = trio.current_time()
                self._rest_s = min(_PROBE_REST_LIMIT_S, self._rest_s * 2)

    def _check_stuck(self, now: float) -> None:
        """Some firmware says the same of a far side that refuses: that costs patience, too."""
        pool = self._pool
        stuck = len(pool.opens.stuck) == pool.numbers.count and not pool.links
        if stuck and now >= self._patience.until:
            self._patience.spend(now)
            self._fail(NetworkError("the module neither opens nor closes any of its links"))

    def _suspicious(self, now: float) -> str:
        """Where to probe, or nothing when all is well as far as can be seen."""
        if now - self._pool.heard_at < STALL_PROBE_S:
            return ""
        links = self._pool.streams
        if (stalled := self._stalled(links, now)) is not None:
            return stalled.target
        unanswered = self._pool.opens.unanswered >= _UNANSWERED
        return self._pool.opens.witness if unanswered and now >= self._patience.until else ""

    @staticmethod
    def _stalled(links: list[Link], now: float) -> Link | None:
        """A link without progress, if no link has any."""
        since = [(each.outbound.stuck_since, each) for each in links]
        waiting = [(at, link) for at, link in since if at is not None]
        if any(now - at < STALL_PROBE_S for at, _ in waiting):
            return None
        return waiting[0][1] if waiting else None

    async def _probe(self, target: str) -> None:
        """One more connection; no answer to it ends the session."""
        log.warning("nothing gets through: trying whether %s can be reached at all", target)
        host, _, port = target.rpartition(":")
        try:
            with trio.fail_after(_PROBE_LIMIT_S):
                async with self._pool.open(host, int(port), claim=_PROBE, queue_s=1):
                    return
        except LinkRefused as error:
            alive = error.code == TcpipErr.NOT_SUPPORTED  # an answer, though a refusal
            reason = str(error)
        except LinkError:
            return  # no number free: nothing was learned
        except trio.TooSlowError:
            alive, reason = False, f"no answer within {_PROBE_LIMIT_S:.0f} s"
        now = trio.current_time()
        if not alive and self._suspicious(now):
            self._patience.spend(now)
            self._fail(NetworkError(f"nothing gets through any more (probe: {reason})"))

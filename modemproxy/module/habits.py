"""What was learned of this module's manners; outlives the session. Sync."""

from dataclasses import dataclass, field
from typing import Final

from modemproxy.at.tcpip import LINKS
from modemproxy.at.trailer import Trailer
from modemproxy.module.losses import LossCount

#: How long a PDP context may take to come up (application note).
PDP_LIMIT_S: Final = 150.0
_AT_ONCE_S: Final = 10.0
#: How much longer than the last time something may take, and the least to allow.
_SLOWER: Final = 10.0
_LEAST_S: Final = 30.0
_TRY_OF_ALL_TIME: Final = 2


@dataclass(slots=True)
class Habits:
    """Whether OK comes at once and the result later, where firmwares differ.

    Where it is not known, an OK may take as long as the whole thing; a module that has
    gone silent meanwhile is found out only then.

    Attributes:
        net_ok_first: of NETOPEN.
        net_took_s: how long NETOPEN took until its OK, seconds; 0 while not known.
        net_opened_s: how long NETOPEN took until its result, seconds; 0 while not known.
        link_ok_first: of CIPOPEN.
        trailer: what stands behind the payload of a read.
        links: how many there are.
        losses: reads that lost bytes on the line.
        counts_acked: CIPACK says how much the far side acknowledged.
    """

    net_ok_first: bool = False
    net_took_s: float = 0.0
    net_opened_s: float = 0.0
    link_ok_first: bool = False
    trailer: Trailer = field(default_factory=Trailer)
    links: int = LINKS
    losses: LossCount = field(default_factory=LossCount)
    counts_acked: bool = True

    def note_family(self, model: str) -> None:
        """In modules with fewer links (SIM767XX) that field of CIPACK is reserved."""
        self.counts_acked = self.links == LINKS and "SIM767" not in model

    @property
    def net_limit_s(self) -> float | None:
        """How long to wait for the OK of NETOPEN; None: as long as it may ever take."""
        if self.net_ok_first:
            return _AT_ONCE_S
        return max(_LEAST_S, _SLOWER * self.net_took_s) if self.net_took_s else None

    def net_result_limit_s(self, attempt: int) -> float:
        """How long to wait for the result of NETOPEN, in the try of this number from 0.

        When its report is lost, and the network with it before we could see it open, there
        is nothing to wait for. Who took a second last time is asked again soon, and given
        more each time; the third try has all the time that it may ever take.
        """
        if not self.net_opened_s or attempt >= _TRY_OF_ALL_TIME:
            return PDP_LIMIT_S
        return min(PDP_LIMIT_S, max(_LEAST_S, _SLOWER * self.net_opened_s) * (1 << attempt))

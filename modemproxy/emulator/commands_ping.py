"""CPING: OK, then a line for each ping as it is answered or given up, and a summary."""

from collections.abc import Sequence
from typing import Final

from modemproxy.emulator.atport import AtPort, Handler
from modemproxy.emulator.reply import ERROR, Reply, ok
from modemproxy.emulator.syntax import Call, Form

_RANGES: Final = (range(1, 3), range(1, 101), range(4, 189))
_INTERVALS_MS: Final = range(1000, 10001)
_WAITS_MS: Final = range(10000, 100001)
_TTLS: Final = range(16, 256)
_COUNT, _SIZE, _INTERVAL_MS, _WAIT_MS = 4, 64, 2000, 10000
#: The TTL of the answers.
_FAR_TTL: Final = 64


def cping(dce: AtPort, call: Call) -> Reply:
    """CPING="host",1[,count[,size[,interval[,wait[,ttl]]]]], times in ms."""
    if call.form is Form.TEST:
        return ok("+CPING: (1,2),(1-100),(4-188),(1000-10000),(10000-100000),(16-255)")
    numbers = [call.number(index) for index in range(1, 7)]
    ranges = (*_RANGES, _INTERVALS_MS, _WAITS_MS, _TTLS)
    pairs = zip(numbers, call.args[1:], ranges, strict=False)
    good = all(not text or number in allowed for number, text, allowed in pairs)
    if call.form is not Form.SET or not call.text(0) or not good or not dce.radio.attached:
        return ERROR
    return ok(after=_Ping(dce, call.text(0), numbers).start)


class _Ping:
    """The pings of one command, one after another."""

    def __init__(self, dce: AtPort, name: str, numbers: list[int | None]) -> None:
        _, count, size, interval, wait, _ = numbers
        self._dce = dce
        self._name = name
        self._count = count or _COUNT
        self._size = size or _SIZE
        self._interval_s = (interval or _INTERVAL_MS) / 1000
        self._wait_s = (wait or _WAIT_MS) / 1000
        self._sent = self._got = 0
        self._rtt = int(2000 * dce.profile.wan_latency_s) or 1

    def start(self) -> None:
        """Look the name up, then send the first."""
        self._dce.stack.internet.resolve(self._name, self._resolved)

    def _resolved(self, addresses: Sequence[str]) -> None:
        self._dce.ctx.touch()
        address = addresses[0] if addresses else None
        if address is None and not self._dce.stack.wan.held:
            # nobody of that name: there is nothing to wait for
            self._sent = self._count
            for _ in range(self._count):
                self._dce.out.urc("+CPING: 2")
            self._summary()
        else:
            self._address = address
            self._send()

    def _send(self) -> None:
        dce = self._dce
        self._sent += 1
        alive = dce.profile.ping_answered and dce.radio.attached and not dce.stack.wan.held
        if alive and self._address is not None:
            dce.ctx.later(2 * dce.profile.wan_latency_s, self._answered)
            self._next_after(self._interval_s)
        else:
            dce.ctx.timer(dce.ctx.now + self._wait_s, self._lost)

    def _answered(self) -> None:
        self._got += 1
        line = f"+CPING: 1,{self._address},{self._size},{self._rtt},{_FAR_TTL}"
        self._dce.out.urc(line)
        self._end_if_all()

    def _lost(self) -> None:
        self._dce.out.urc("+CPING: 2")
        self._end_if_all()
        self._next_after(0)

    def _next_after(self, delay_s: float) -> None:
        if self._sent < self._count:
            self._dce.ctx.timer(self._dce.ctx.now + delay_s, self._send)

    def _end_if_all(self) -> None:
        if self._sent == self._count:
            self._summary()

    def _summary(self) -> None:
        sent, got, rtt = self._sent, self._got, self._rtt
        times = f"{rtt},{rtt},{rtt}" if got else "0,0,0"
        self._dce.out.urc(f"+CPING: 3,{sent},{got},{sent - got},{times}")


HANDLERS: Final[dict[str, Handler]] = {"+CPING": cping}

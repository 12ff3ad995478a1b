"""The radio: one shared rate each way and a latency, as virtual clocks.

A direction is a clock that says when its last byte will have passed. What is under way
arrives in the order in which it went, whatever happens to the rate, to the latency or to
the network meanwhile: callers get their action run at the right time.
"""

from modemproxy.emulator.context import Context
from modemproxy.emulator.timers import Action


class _Way:
    """One direction."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._free = 0.0
        self._last = 0.0
        self._under_way = 0

    def pass_bytes(self, size: int) -> None:
        """So many bytes go behind those before."""
        rate = self._ctx.profile.wan_rate_bytes_s
        self._free = max(self._free, self._ctx.now) + (size / rate if rate else 0.0)

    def arrive(self, action: Action) -> None:
        """Run ``action`` when the last byte has arrived, behind every one before.

        Without a latency and behind nothing, that is in this very step.
        """
        self._last = max(self._free + self._ctx.profile.wan_latency_s, self._last)
        if self._last <= self._ctx.now and not self._under_way:
            action()
        else:
            self.arrive_later(action)

    def arrive_later(self, action: Action) -> None:
        """The same, but not in this step."""
        self._last = max(self._free + self._ctx.profile.wan_latency_s, self._last)
        self._under_way += 1

        def arrived() -> None:
            self._under_way -= 1
            action()

        self._ctx.timer(self._last, arrived)


class Wan:
    """Both directions of the module's radio link."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._up = _Way(ctx)
        self._down = _Way(ctx)
        self._holders: set[object] = set()
        self._held: list[tuple[_Way, Action]] = []

    @property
    def held(self) -> bool:
        """Whether nothing gets through."""
        return bool(self._holders)

    def hold(self, holder: object) -> None:
        """Let nothing arrive any more, in either direction, until everyone releases."""
        self._holders.add(holder)

    def release(self, holder: object) -> None:
        """Let what was held arrive, in order; harmless when this holder holds nothing."""
        self._holders.discard(holder)
        while self._held and not self._holders:
            way, action = self._held.pop(0)
            way.arrive_later(action)  # what one brings about comes behind all the others

    def up(self, size: int, action: Action) -> None:
        """Run ``action`` when ``size`` bytes have reached the network."""
        self._run(self._up, size, action)

    def down(self, size: int, action: Action) -> None:
        """Run ``action`` when ``size`` bytes have reached the module."""
        self._run(self._down, size, action)

    def reset(self) -> None:
        """Forget what was under way."""
        self._up, self._down = _Way(self._ctx), _Way(self._ctx)
        self._held.clear()

    def _run(self, way: _Way, size: int, action: Action) -> None:
        way.pass_bytes(size)
        if self._holders:
            self._held.append((way, action))
        else:
            way.arrive(action)

"""The radio: one shared rate each way and a latency, as virtual clocks.

A direction is a clock that says when its last byte will have passed. Nothing is queued
here: callers get their action run at the right time, in the order they asked.
"""

from modemproxy.emulator.context import Context
from modemproxy.emulator.timers import Action


class Wan:
    """Both directions of the module's radio link."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._free_up = 0.0
        self._free_down = 0.0
        self._holders: set[object] = set()
        self._held: list[Action] = []

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
            self._held.pop(0)()

    def up(self, size: int, action: Action) -> None:
        """Run ``action`` when ``size`` bytes have reached the network."""
        self._free_up = self._passed(self._free_up, size)
        self._run(self._free_up, action)

    def down(self, size: int, action: Action) -> None:
        """Run ``action`` when ``size`` bytes have reached the module."""
        self._free_down = self._passed(self._free_down, size)
        self._run(self._free_down, action)

    def reset(self) -> None:
        """Forget what was under way."""
        self._free_up = self._free_down = 0.0
        self._held.clear()

    def _passed(self, free: float, size: int) -> float:
        rate = self._ctx.profile.wan_rate_bytes_s
        return max(free, self._ctx.now) + (size / rate if rate else 0.0)

    def _run(self, passed: float, action: Action) -> None:
        if self._holders:
            self._held.append(action)
            return
        # never overtake: without a latency and behind nothing, act in this very step
        when = passed + self._ctx.profile.wan_latency_s
        if when <= self._ctx.now:
            action()
        else:
            self._ctx.timer(when, action)

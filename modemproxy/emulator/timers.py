"""Things that happen later: a heap of actions, run by whoever knows the time."""

import heapq
from collections.abc import Callable

Action = Callable[[], None]


class Timer:
    """One action at one time; ``cancel`` it and it never runs."""

    __slots__ = ("action", "cancelled", "when")

    def __init__(self, when: float, action: Action) -> None:
        self.when = when
        self.action = action
        self.cancelled = False

    def cancel(self) -> None:
        """Forget the action; harmless when it has already run."""
        self.cancelled = True


class Timers:
    """Pending actions in order of time, ties in order of arrival."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0

    def at(self, when: float, action: Action) -> Timer:
        """Run ``action`` at the time ``when`` (seconds of the caller's clock)."""
        timer = Timer(when, action)
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, timer))
        return timer

    def clear(self) -> None:
        """Forget everything, as a reboot does."""
        for _, _, timer in self._heap:
            timer.cancel()
        self._heap.clear()

    def next_deadline(self) -> float | None:
        """Return when the next action is due, or None."""
        while self._heap and self._heap[0][2].cancelled:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> Timer | None:
        """Take the earliest action that is due at ``now``, or None."""
        deadline = self.next_deadline()
        if deadline is None or deadline > now:
            return None
        return heapq.heappop(self._heap)[2]

"""Where a task of the line waits until woken or until a time comes, a few hundred times
a second and hardly ever in vain.

A cancel scope of its own for each wait costs as much as parsing an answer, so one task
keeps the time for all of them, and looks only when the earliest time it was told has come.
"""

from math import inf

import trio


class Wakeup:
    """A place for one task at a time; ``keep_time()`` has to run beside it."""

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None
        self._until = inf
        self._alarm = trio.CancelScope()
        self._alarm_at = inf

    async def keep_time(self) -> None:
        """Wake the waiter when its time has come, for ever."""
        while True:
            self._alarm_at = inf if self._task is None else self._until
            with trio.CancelScope(deadline=self._alarm_at) as self._alarm:
                await trio.sleep_forever()
            if trio.current_time() >= self._until:
                self.wake()

    async def wait(self, until: float, *, shield: bool) -> None:
        """Wait until ``wake()`` or until the time ``until``; may return early.

        With ``shield``, cancelling takes effect only behind it: whoever owns the line sees
        to it that a wait ends when the line does.
        """
        self._task = trio.lowlevel.current_task()
        self._until = until
        if until < self._alarm_at:
            self._set_alarm()
        await trio.lowlevel.wait_task_rescheduled(_never_abort if shield else self._abort)

    def hasten(self, until: float) -> None:
        """Let the wait under way end at ``until`` if that is earlier."""
        if until < self._until:
            self._until = until
            if until < self._alarm_at:
                self._set_alarm()

    def wake(self) -> None:
        """End the wait under way; without one nothing happens."""
        task, self._task = self._task, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    def _abort(self, _: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _set_alarm(self) -> None:
        self._alarm.deadline = self._alarm_at = self._until


def _never_abort(_: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED

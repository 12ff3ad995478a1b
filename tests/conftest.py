"""Settings and guards for every test: hypothesis profiles, clocks, a limit per coroutine.

pytest-trio takes a clock only from a test's arguments; here ``usefixtures("autojump_clock")``
means the same, so that a module can say it once.

``HYPOTHESIS_PROFILE=deep`` searches further, with a fresh seed; the gate runs ``fast``.
"""

import functools
import inspect
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, settings

settings.register_profile(
    "fast",
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "deep",
    max_examples=5000,
    deadline=timedelta(seconds=10),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))

#: Seconds of virtual time; a test with a real clock is ended by pytest-timeout sooner.
_LIMIT_S = 600.0


@pytest.fixture
def preserved_log() -> Iterator[None]:
    """Put the loggers back as they were."""
    root = logging.getLogger("modemproxy")
    kept = root.level, root.propagate, root.handlers[:]
    yield
    root.setLevel(kept[0])
    root.propagate = kept[1]
    root.handlers[:] = kept[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        if "autojump_clock" in item.fixturenames and inspect.iscoroutinefunction(item.obj):
            item.add_marker(pytest.mark.trio(run=_run_on_virtual_clock))
        handle = getattr(item.obj, "hypothesis", None)
        if handle is None:
            item.obj = _limited(item.obj)
        else:
            handle.inner_test = _limited(handle.inner_test)


def _run_on_virtual_clock(
    main: Callable[..., Awaitable[Any]],
    *args: Any,
    clock: trio.abc.Clock | None,
    **options: Any,
) -> Any:
    virtual = clock or trio.testing.MockClock(autojump_threshold=0)
    return trio.run(main, *args, clock=virtual, **options)


def _limited(test: Callable[..., Any]) -> Callable[..., Any]:
    """A test that hangs on a virtual clock ends with TooSlowError, not with the run."""
    if not inspect.iscoroutinefunction(test) or hasattr(test, "time_limited"):
        return test
    coroutine: Callable[..., Awaitable[None]] = test

    @functools.wraps(test)
    async def limited(*args: object, **kwargs: object) -> None:
        with trio.fail_after(_LIMIT_S):
            await coroutine(*args, **kwargs)

    limited.time_limited = True  # type: ignore[attr-defined]
    return limited

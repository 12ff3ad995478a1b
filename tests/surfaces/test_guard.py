"""A bug in serving one client ends that one."""

import logging

import pytest
import trio

from modemproxy.surfaces.guard import contained


def bug() -> None:
    raise ValueError("oops")


def test_a_bug_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), contained("forward: 127.0.0.1:5"):
        bug()
    (record,) = caplog.records
    assert record.getMessage().startswith("forward: 127.0.0.1:5: a bug")
    assert "def bug" not in record.getMessage()
    assert record.exc_info is not None
    assert 'raise ValueError("oops")' in caplog.text


async def test_cancelling_passes_through_even_beside_a_bug(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def bug_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            bug()

    with trio.CancelScope() as scope:
        with contained("it"):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(bug_when_cancelled)
                nursery.start_soon(trio.sleep_forever)
                scope.cancel()
        raise AssertionError("cancelling was swallowed")
    assert scope.cancelled_caught
    assert "oops" in caplog.text


def test_what_ends_the_program_passes_through(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(KeyboardInterrupt), contained("it"):
        raise KeyboardInterrupt
    assert not caplog.records

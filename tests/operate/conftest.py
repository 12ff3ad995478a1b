"""A virtual clock that leaves the kernel time to move bytes between loopback sockets."""

import pytest
from trio.testing import MockClock


@pytest.fixture
def patient_clock() -> MockClock:
    """Jump only when nothing has moved for a while of real time."""
    return MockClock(autojump_threshold=0.02)

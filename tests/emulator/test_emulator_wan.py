"""The radio: what goes first arrives first, whatever happens meanwhile."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from modemproxy.emulator.context import Context
from modemproxy.emulator.profile import Profile
from modemproxy.emulator.wan import Wan

HOLDER = object()


class Radio:
    """A radio whose time a test makes pass.

    Attributes:
        arrived: what has, in order.
    """

    def __init__(self, latency_s: float, rate: int) -> None:
        self.ctx = Context(Profile(wan_latency_s=latency_s, wan_rate_bytes_s=rate), self, 1)
        self.wan = Wan(self.ctx)
        self.arrived: list[int] = []
        self.sent = 0

    def __call__(self) -> float:
        """What the time is at first."""
        return 0.0

    def send(self, size: int) -> None:
        """Send so many bytes up."""
        number = self.sent
        self.sent += 1
        self.wan.up(size, lambda: self.arrived.append(number))

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        until = self.ctx.now + seconds
        while (timer := self.ctx.timers.pop_due(until)) is not None:
            self.ctx.now = max(self.ctx.now, timer.when)
            timer.action()
        self.ctx.now = until

    def change(self, latency_s: float, rate: int) -> None:
        """Have another network from now on."""
        old = self.ctx.profile
        self.ctx.profile = replace(old, wan_latency_s=latency_s, wan_rate_bytes_s=rate)


def test_what_was_held_does_not_overtake_what_was_under_way() -> None:
    radio = Radio(latency_s=0.5, rate=0)
    radio.send(10)
    radio.wan.hold(HOLDER)
    radio.sleep(0.1)
    radio.send(10)
    radio.wan.release(HOLDER)
    assert radio.arrived == []
    radio.sleep(1)
    assert radio.arrived == [0, 1]


def test_what_a_held_one_brings_about_comes_behind_the_others() -> None:
    """As a reset that answers bytes of ours, behind what the far side had sent before."""
    radio = Radio(latency_s=0.15, rate=0)
    arrived: list[str] = []
    radio.wan.hold(HOLDER)
    radio.wan.up(1, lambda: radio.wan.down(0, lambda: arrived.append("reset")))
    radio.wan.down(10, lambda: arrived.append("data"))
    radio.sleep(5)
    radio.wan.release(HOLDER)
    radio.sleep(1)
    assert arrived == ["data", "reset"]


def test_without_a_latency_and_behind_nothing_it_is_at_once() -> None:
    radio = Radio(latency_s=0, rate=0)
    radio.send(10)
    assert radio.arrived == [0]
    radio.wan.hold(HOLDER)
    radio.send(10)
    radio.sleep(5)
    assert radio.arrived == [0]
    radio.wan.release(HOLDER)
    radio.sleep(0)
    assert radio.arrived == [0, 1]


latencies = st.sampled_from([0.0, 0.05, 0.3])
rates = st.sampled_from([0, 100, 5000])
step = st.one_of(
    st.tuples(st.just("send"), st.integers(0, 1460)),
    st.tuples(st.just("sleep"), st.sampled_from([0.0, 0.01, 0.2, 3.0])),
    st.tuples(st.just("change"), latencies, rates),
    st.tuples(st.sampled_from(["hold", "release"])),
)


@given(latencies, rates, st.lists(step, max_size=40))
def test_nothing_overtakes_and_all_arrives(
    latency_s: float, rate: int, steps: list[tuple[object, ...]]
) -> None:
    radio = Radio(latency_s, rate)
    for name, *values in steps:
        if name in ("hold", "release"):
            getattr(radio.wan, str(name))(HOLDER)
        else:
            getattr(radio, str(name))(*values)
        assert radio.arrived == sorted(radio.arrived)
    radio.wan.release(HOLDER)
    radio.sleep(10_000)
    assert radio.arrived == list(range(radio.sent))

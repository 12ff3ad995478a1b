"""What the line repairs by itself: echo, results that are lost or late, rubbish."""

from typing import Any

import pytest
import trio
import trio.testing

from modemproxy.at.transfer import QueryUnread
from modemproxy.emulator.faults import Fault, FaultBox
from modemproxy.errors import LineSilent
from modemproxy.line.channel import AtChannel
from modemproxy.line.port import StreamPort

from .rig import HOSTILE, Rig, exchange, rig

pytestmark = [pytest.mark.timeout(30), pytest.mark.usefixtures("autojump_clock")]

DATA = HOSTILE * 12


async def timed(r: Rig, *faults: Fault, times: int = 3) -> float:
    """Exchange with an echo, faults standing; return how long it took in all."""
    box = FaultBox(r.module)
    r.nursery.start_soon(box.run)
    async with r.link() as link:
        assert await exchange(link, DATA) == DATA  # the link has learned what it learns
        began = trio.current_time()
        for fault in faults:
            box.add(fault)
        for _ in range(times):
            assert await exchange(link, DATA) == DATA
        assert link.reset is None
        took_s = trio.current_time() - began
    assert {entry.name for entry in box.log} == {fault.name for fault in faults}
    return took_s


async def calm_s(**options: Any) -> float:
    """How long it takes when nothing is wrong."""
    async with rig(**options) as r:
        return await timed(r, Fault("say", text="+CGEV: NW MODIFY 1"))


# -- echo --


IDLE: dict[str, Any] = {}
IN_SEND: dict[str, Any] = {"on_send": {"phase": "payload", "nth": 2}}
AFTER_SEND: dict[str, Any] = {"on_send": {"phase": "result", "nth": 2}}
IN_READ: dict[str, Any] = {"on_command": {"name": "+CIPRXGET", "nth": 3}}


@pytest.mark.parametrize(
    ("payload_too", "when"),
    [
        (False, IDLE),
        (False, IN_SEND),
        (False, AFTER_SEND),
        (False, IN_READ),
        (True, IDLE),
        (True, AFTER_SEND),
        (True, IN_READ),
    ],
)
async def test_echo_that_comes_on_is_switched_off_and_no_byte_is_lost(
    payload_too: bool, when: dict[str, Any]
) -> None:
    """Most firmware can be told not to echo payload; on the other it comes back as text."""
    options: dict[str, Any] = {"cipcfg": not payload_too}
    calm = await calm_s(**options)
    async with rig(**options, complaints=True) as r:
        took_s = await timed(r, Fault("echo_on", **when))
        assert took_s - calm <= 3
        assert not r.module.dce.echo
        assert r.failure is None


async def test_payload_that_comes_back_as_text_out_of_the_blue_resets_its_link() -> None:
    """It reads like the module's own words, verdicts and all: the outcome is not known."""
    async with rig(cipcfg=False, complaints=True) as r:
        box = FaultBox(r.module)
        box.add(Fault("echo_on", **IN_SEND))
        async with r.link() as link:
            with pytest.RaisesGroup(trio.BrokenResourceError):
                await exchange(link, DATA)
            assert link.reset is not None
        async with r.link() as link:
            assert await exchange(link, DATA) == DATA
        assert r.failure is None


async def test_echo_that_comes_back_every_second_is_switched_off_each_time() -> None:
    async with rig(complaints=True) as r:
        await timed(r, Fault("echo_on", every_s=0.5), times=10)
        assert not r.ended.is_set()


@pytest.mark.parametrize(
    "answer",
    [
        Fault("lose_answer", command="E", times=1),
        Fault("late_answer", command="E", delay_s=1.4, times=1),
        Fault("late_answer", command="E", delay_s=1.8, times=1),
        Fault("answer", command="E", final="ERROR", times=1),
    ],
    ids=["lost", "slow", "late", "refused"],
)
async def test_the_answer_to_switching_echo_off_is_never_another_commands(
    answer: Fault,
) -> None:
    async with rig(complaints=True) as r:
        await timed(r, answer, Fault("echo_on"))
        assert r.failure is None
        assert not r.module.dce.echo


# -- results --


async def test_a_send_whose_ok_is_lost_is_settled_by_its_result() -> None:
    calm = await calm_s()
    async with rig(complaints=True) as r:
        took_s = await timed(r, Fault("lose_final", command="+CIPSEND", times=1))
        assert took_s - calm <= 3


@pytest.mark.parametrize("before_ok", [False, True])
async def test_a_send_whose_ok_is_lost_is_settled_wherever_its_result_stands(
    before_ok: bool,
) -> None:
    options: dict[str, Any] = {
        "send_result_before_ok": before_ok,
        "send_result_delay_s": 0.2,
    }
    calm = await calm_s(**options)
    async with rig(**options, complaints=True) as r:
        took_s = await timed(r, Fault("lose_final", command="+CIPSEND", times=1))
        assert took_s - calm <= 3


async def test_an_answer_that_comes_after_its_time_is_nobodys() -> None:
    """Deaf for longer than a command may take: all is answered late, and nothing mixed up."""
    async with rig(complaints=True) as r:
        box = FaultBox(r.module)
        r.nursery.start_soon(box.run)
        async with r.link() as link:
            for _ in range(3):
                box.inject("deaf", for_s=3)
                await exchange(link, DATA)
        assert r.failure is None


# -- rubbish --


class Line:
    """A channel, and the module's end of its line."""

    def __init__(self, nursery: trio.Nursery) -> None:
        ours, self.module = trio.testing.memory_stream_pair()
        self.channel = AtChannel(StreamPort(ours))
        self.odd: list[str] = []
        self.channel.on_oddity = self.odd.append
        nursery.start_soon(self.channel.read_forever)

    async def says(self, after_s: float, data: bytes) -> None:
        """The module says something later."""
        await trio.sleep(after_s)
        await self.module.send_all(data)


@pytest.mark.parametrize(
    ("rubbish", "limit_s"),
    [
        (b"\xf3\x8f" * 20, 1 + 1.5),
        (b"\xf3\x8f" * 20 + b"\r\n", 1 + 1.5),
        (b"\xf3\x8f" * 3, 9.0),  # so little may be an accident
        (b"no rubbish, though many words\r\n" * 3, 9.0),
    ],
)
async def test_rubbish_shortens_the_wait_for_an_answer(rubbish: bytes, limit_s: float) -> None:
    async with trio.open_nursery() as nursery:
        line = Line(nursery)
        nursery.start_soon(line.says, 1.0, rubbish)
        began = trio.current_time()
        with pytest.raises(LineSilent):
            await line.channel.roundtrip(QueryUnread(3), limit_s=9.0)
        took_s = trio.current_time() - began
        assert limit_s <= took_s <= limit_s + 2.0
        assert bool(line.odd) is (limit_s < 9)
        nursery.cancel_scope.cancel()


async def test_rubbish_in_an_answer_that_comes_all_the_same_is_forgotten() -> None:
    async with trio.open_nursery() as nursery:
        line = Line(nursery)
        answer = b"\xf3\x8f" * 20 + b"\r\n\r\n+CIPRXGET: 4,3,17\r\n\r\nOK\r\n"
        nursery.start_soon(line.says, 1.0, answer)
        assert await line.channel.roundtrip(QueryUnread(3), limit_s=9.0) == 17
        began = trio.current_time()
        with pytest.raises(LineSilent):
            await line.channel.roundtrip(QueryUnread(3), limit_s=5.0)
        assert trio.current_time() - began >= 5
        nursery.cancel_scope.cancel()

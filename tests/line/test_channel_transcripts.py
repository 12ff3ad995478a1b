"""The channel against transcripts of a module, however cut, and a hang-up at every step."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import trio
import trio.testing

from modemproxy.at.results import Refused
from modemproxy.at.transfer import QueryAck, ReadData, ReadReply, SendData
from modemproxy.errors import LineClosed, LineSilent, NoAnswer
from modemproxy.line.channel import AtChannel
from tests.line.scene import query, read_damaged, scene, send, unread
from tests.transcript import CHOPS, Step, filler, load, parse

pytestmark = pytest.mark.usefixtures("autojump_clock")

Body = Callable[[AtChannel], Awaitable[None]]


async def slow_query(channel: AtChannel) -> None:
    assert await unread(channel) == 7
    assert (await channel.roundtrip(QueryAck(3))).sent == 5


async def refused(channel: AtChannel) -> None:
    with pytest.raises(Refused, match="Connection is not created"):
        await channel.roundtrip(QueryAck(3))


async def send_unanswered(channel: AtChannel) -> None:
    with pytest.raises(NoAnswer) as caught:
        await send(channel)
    assert caught.value.handed_over


async def short_send_unanswered(channel: AtChannel) -> None:
    with pytest.raises(NoAnswer) as caught:
        await channel.roundtrip(SendData(3, b"abc"))
    assert caught.value.handed_over


async def data_entry(channel: AtChannel) -> None:
    await send_unanswered(channel)
    assert await unread(channel) == 0


async def prompt_lost(channel: AtChannel) -> None:
    with pytest.raises(NoAnswer) as caught:
        await send(channel)
    assert not caught.value.handed_over
    assert await unread(channel) == 0


async def send_refused(channel: AtChannel, *, handed_over: bool) -> None:
    with pytest.raises(Refused) as caught:
        await send(channel)
    assert caught.value.handed_over is handed_over


async def send_refused_early(channel: AtChannel) -> None:
    await send_refused(channel, handed_over=False)


async def send_refused_late(channel: AtChannel) -> None:
    await send_refused(channel, handed_over=True)


async def reply_lost(channel: AtChannel) -> None:
    with pytest.raises(NoAnswer) as caught:
        await unread(channel)
    assert not caught.value.handed_over
    assert await unread(channel) == 7


async def line_silent(channel: AtChannel) -> None:
    with pytest.raises(LineSilent):
        await unread(channel)


async def read(channel: AtChannel) -> None:
    assert await channel.roundtrip(ReadData(3, 1460)) == ReadReply(filler(600), 44)


async def read_with_pauses(channel: AtChannel) -> None:
    reply = await channel.roundtrip(ReadData(3, 1460))
    assert reply == ReadReply(b"\r\nOK\r\n>" + filler(593), 44)


SCENES: dict[str, Body] = {
    "query": query,
    "query_refused": refused,
    "query_with_urcs": query,
    "slow_query": slow_query,
    "send": send,
    "urc_inside_send": send,
    "prompt_4s_late": send,
    "prompt_lost": prompt_lost,
    "data_entry": data_entry,
    "data_entry_short_payload": short_send_unanswered,
    "prompt_after_at": send_unanswered,
    "send_unanswered": send_unanswered,
    "send_refused_early": send_refused_early,
    "send_refused_late": send_refused_late,
    "reply_lost": reply_lost,
    "line_silent": line_silent,
    "late_reply": reply_lost,
    "late_probes": reply_lost,
    "read": read,
    "read_with_pauses": read_with_pauses,
    "read_stops_short": read_damaged,
    "read_eats_its_ok": read_damaged,
    "read_wrong_trailer": read_damaged,
    "rebooted_in_payload": read_damaged,
}


@pytest.mark.parametrize("quick", [False, True], ids=["waits", "quick"])
@pytest.mark.parametrize("chop", CHOPS)
@pytest.mark.parametrize("name", SCENES)
async def test_transcript(name: str, chop: int, quick: bool) -> None:
    async with scene(load(name), chop, quick=quick) as (channel, _):
        await SCENES[name](channel)


def hangups() -> list[tuple[str, int]]:
    return [(name, at) for name in SCENES for at in range(len(load(name)))]


@pytest.mark.parametrize(("name", "at"), hangups())
async def test_a_hangup_at_any_step_wakes_the_waiter(name: str, at: int) -> None:
    steps = [*load(name)[:at], Step(0, "!")]
    async with scene(steps) as (channel, player):
        ended = None
        with suppress(LineClosed):
            await SCENES[name](channel)
            ended = trio.current_time()
        await player.finished.wait()
        if ended is None:  # woken: soon after the end, never at a time-out
            assert player.reached == len(steps)
        with pytest.raises(LineClosed):
            await unread(channel)


async def test_a_hangup_in_data_entry_is_noticed_at_once() -> None:
    steps = [*load("data_entry")[:3], *parse("@ 3\n! hangup")]
    async with scene(steps) as (channel, _):
        with pytest.raises(LineClosed):
            await send(channel)
        assert trio.current_time() == pytest.approx(5.0 + 3.0, abs=0.1)


async def test_the_waiter_of_a_hangup_is_woken_at_once() -> None:
    async with scene(parse("> AT+CIPRXGET=4,3\n@ 1\n! hangup")) as (channel, _):
        with pytest.raises(LineClosed, match="hung up"):
            await unread(channel)
        assert trio.current_time() == 1.0

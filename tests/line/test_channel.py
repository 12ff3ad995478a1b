"""The channel against transcripts of a module, on a virtual clock."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import trio
import trio.testing

from modemproxy.at.commands import Attention
from modemproxy.at.results import Refused
from modemproxy.at.subscription import EnterPin
from modemproxy.at.transfer import QueryAck, QueryUnread, ReadData, ReadReply, SendData
from modemproxy.at.urcs import LinkClosed, Urc
from modemproxy.errors import DamagedAnswer, LineClosed, LineSilent, NoAnswer
from modemproxy.line.channel import AtChannel, open_channel
from modemproxy.line.port import StreamPort
from tests.transcript import CHOPS, Mismatch, Player, Step, filler, load, parse

pytestmark = pytest.mark.usefixtures("autojump_clock")

Body = Callable[[AtChannel], Awaitable[None]]


async def read_quietly(channel: AtChannel) -> None:
    with suppress(LineClosed):
        await channel.read_forever()


@asynccontextmanager
async def scene(steps: list[Step], chop: int = 0) -> AsyncIterator[tuple[AtChannel, Player]]:
    """A channel whose module plays ``steps``."""
    dte, dce = trio.testing.memory_stream_pair()
    channel, player = AtChannel(StreamPort(dte)), Player(dce, steps, chop)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_quietly, channel)
        nursery.start_soon(player.run)
        yield channel, player
        await player.finished.wait()
        await player.expect_silence()
        nursery.cancel_scope.cancel()


async def unread(channel: AtChannel) -> int:
    return await channel.roundtrip(QueryUnread(3))


async def query(channel: AtChannel) -> None:
    assert await unread(channel) == 120


async def slow_query(channel: AtChannel) -> None:
    assert await unread(channel) == 7
    assert (await channel.roundtrip(QueryAck(3))).sent == 5


async def refused(channel: AtChannel) -> None:
    with pytest.raises(Refused, match="Connection is not created"):
        await channel.roundtrip(QueryAck(3))


async def send(channel: AtChannel) -> None:
    await channel.roundtrip(SendData(3, b"hello"))


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


async def read_damaged(channel: AtChannel) -> None:
    began = trio.current_time()
    with pytest.raises(DamagedAnswer):
        await channel.roundtrip(ReadData(3, 1460))
    assert trio.current_time() - began <= 3


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


@pytest.mark.parametrize("chop", CHOPS)
@pytest.mark.parametrize("name", SCENES)
async def test_transcript(name: str, chop: int) -> None:
    async with scene(load(name), chop) as (channel, _):
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


async def test_urcs_reach_their_handler_in_order() -> None:
    heard: list[Urc] = []
    async with scene(load("query_with_urcs"), 1) as (channel, _):
        channel.on_urc = heard.append
        await query(channel)
    assert [type(urc).__name__ for urc in heard] == [
        "DataWaiting",
        "DataWaiting",
        "LinkClosed",
        "Registration",
    ]


async def test_payload_that_stopped_short_is_never_read_as_urcs() -> None:
    heard: list[Urc] = []
    async with scene(load("read_stops_short")) as (channel, _):
        channel.on_urc = heard.append
        await read_damaged(channel)
    assert heard == []


async def test_oddities_are_told() -> None:
    odd: list[str] = []
    steps = parse(
        "> AT\n<| AT\\r\\r\\nOK\\r\\n\n< OK\n<| \\r\\n>\n<| "
        + "x" * 5000
        + "\\r\\n\n< +IPCLOSE: 1,1\n"
    )
    heard: list[Urc] = []
    async with scene(steps) as (channel, _):
        channel.on_oddity = odd.append
        channel.on_urc = heard.append
        await channel.roundtrip(Attention())
    assert odd[0] == "echo of b'AT'"
    assert odd[1] == "stray OK"
    assert odd[2] == "a prompt nobody asked for"
    assert "line of more than" in odd[3]
    assert heard == [LinkClosed(1, 1)]


async def test_a_banner_is_heard_after_a_payload_that_was_cut() -> None:
    heard: list[Urc] = []
    odd: list[str] = []
    async with scene(load("rebooted_in_payload"), 1) as (channel, _):
        channel.on_urc = heard.append
        channel.on_oddity = odd.append
        await read_damaged(channel)
    assert [type(urc).__name__ for urc in heard] == ["ModuleBooted"]
    assert odd == ["echo of b'AT'", "a damaged answer: reports may have been lost with it"]


@pytest.mark.parametrize("at", [0.0, 0.5])
async def test_a_cancelled_caller_leaves_the_line_in_step(at: float) -> None:
    async with scene(load("slow_query")) as (channel, _):
        with trio.move_on_after(at):
            assert await unread(channel) == 7
            await trio.lowlevel.checkpoint()
            raise AssertionError("cancelling takes effect after the exchange")
        assert trio.current_time() == 1.0
        assert (await channel.roundtrip(QueryAck(3))).sent == 5


async def test_a_cancelled_send_still_hands_its_payload_over() -> None:
    async with scene(load("prompt_4s_late")) as (channel, _):
        with trio.move_on_after(1):
            await send(channel)
        assert trio.current_time() == 4.0


async def test_a_tighter_limit_than_the_commands_own() -> None:
    steps = parse("> AT+CIPRXGET=4,3\n@ 0.9\n> AT\n< OK")
    async with scene(steps) as (channel, _):
        with pytest.raises(NoAnswer):
            await channel.roundtrip(QueryUnread(3), limit_s=1)


@pytest.mark.parametrize(
    ("text", "up"),
    [("> AT\n< OK", True), ("> AT\n< ERROR", False), ("> AT\n@ 0.4", False)],
)
async def test_a_probe_says_whether_ok_came(text: str, up: bool) -> None:
    async with scene(parse(text)) as (channel, _):
        assert await channel.probe(Attention(), 0.3) is up


async def test_a_write_that_blocks_for_12_s_closes_the_line() -> None:
    dte, _ = trio.testing.memory_stream_pair()
    assert isinstance(dte.send_stream, trio.testing.MemorySendStream)
    dte.send_stream.send_all_hook = trio.sleep_forever
    channel = AtChannel(StreamPort(dte))
    with pytest.raises(LineClosed, match="took no byte for 12 s"):
        await unread(channel)
    assert trio.current_time() == 12.0


async def test_quiet_is_waited_for_and_given_up() -> None:
    steps = parse("\n".join(["< +CEREG: 1", "@ 0.2"] * 20))
    async with scene(steps) as (channel, player):
        await trio.testing.wait_all_tasks_blocked()
        assert not await channel.wait_quiet(0.25, 2.0)
        assert trio.current_time() == 2.0
        await player.finished.wait()
        assert await channel.wait_quiet(0.25, 2.0)


async def test_figures() -> None:
    async with scene(load("send")) as (channel, _):
        await send(channel)
        assert channel.commands == 1
        assert channel.bytes_out == len(b"AT+CIPSEND=3,5\rhello")
        assert channel.bytes_in >= len(b"\r\n>\r\nOK\r\n")


async def test_latency_follows_what_is_measured() -> None:
    """Upwards slowly, because a busy host is not a slow module; downwards at once."""
    slow = ["> AT", "@ 0.05", "< OK"] * 200
    quick = ["> AT", "@ 0.01", "< OK"] * 30
    async with scene(parse("\n".join(slow + quick))) as (channel, _):
        await channel.roundtrip(Attention())
        assert channel.latency.seconds < 0.006
        for _ in range(199):
            await channel.roundtrip(Attention())
        assert channel.latency.seconds == pytest.approx(0.05, rel=0.1)
        for _ in range(30):
            await channel.roundtrip(Attention())
        assert channel.latency.seconds == pytest.approx(0.01, rel=0.1)


async def test_open_channel_ends_its_body_with_the_line_and_closes_the_port() -> None:
    dte, dce = trio.testing.memory_stream_pair()
    with pytest.RaisesGroup(LineClosed):
        async with open_channel(StreamPort(dte)):
            await dce.aclose()
            await trio.sleep_forever()
    with pytest.raises(trio.ClosedResourceError):
        await dte.receive_some()


async def test_open_channel_closes_the_port_when_its_body_is_done() -> None:
    dte, dce = trio.testing.memory_stream_pair()
    async with open_channel(StreamPort(dte)):
        pass
    assert await dce.receive_some() == b""


# the transcript of the wire


async def test_the_wire_log_replays(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "modemproxy.wire")
    dialogue = """\
> AT+CPIN="0471"
< +CPIN: READY
< OK
> AT+CIPSEND=3,5
<| \\r\\n>
>| hello
<| \\r\\nOK\\r\\n\\r\\n+CIPSEND: 3,5,5\\r\\n
> AT+CIPRXGET=2,3,10
<| \\r\\n+CIPRXGET: 2,3,10,0\\r\\nsecret>\\r\\n \\r\\n\\r\\nOK\\r\\n
< odd \\x00 \\xff \\\\ line
"""

    async def talk(channel: AtChannel) -> bytes:
        await channel.roundtrip(EnterPin("0471"))
        await send(channel)
        return (await channel.roundtrip(ReadData(3, 10))).data

    async with scene(parse(dialogue)) as (channel, _):
        assert await talk(channel) == b"secret>\r\n "
    log = [record.getMessage() for record in caplog.records if record.name == "modemproxy.wire"]
    assert [line for line in log if line[0] in "<>"] == [
        "> AT+CPIN=******",
        "< +CPIN: READY",
        "< OK",
        "> AT+CIPSEND=3,5",
        "<| \\r\\n>",
        ">| {5}",
        "< OK",
        "< +CIPSEND: 3,5,5",
        "> AT+CIPRXGET=2,3,10",
        "< +CIPRXGET: 2,3,10,0",
        "<| {10}",
        "<| \\r\\n\\r\\nOK\\r\\n",
        "< xxxxxxxxxxxxxx",
    ]
    assert log[0] == "= Opened"
    assert log[-1] == "= Closed"
    caplog.set_level(logging.WARNING, "modemproxy.wire")
    async with scene(parse("\n".join(log)), 1) as (channel, _):
        assert len(await talk(channel)) == 10


async def test_nothing_is_logged_while_the_wire_log_is_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "modemproxy.wire")
    async with scene(load("send")) as (channel, _):
        await send(channel)
    assert not [record for record in caplog.records if record.name == "modemproxy.wire"]


# the player itself


@pytest.mark.parametrize(
    ("text", "said", "message"),
    [
        (
            "> AT+CIPSEND=3,5",
            b"AT+CIPSEND=3,6\r",
            "expected  > AT.CIPSEND=3,5\n.*> AT.CIPSEND=3,6",
        ),
        (">| a\\x00b", b"a\x01", "differs at byte 1"),
        ("@ 1", b"AT\r", "silence was due"),
        ("> AT", b"A", "closed the line"),
    ],
)
async def test_the_player_fails_at_the_first_difference(
    text: str, said: bytes, message: str
) -> None:
    dte, dce = trio.testing.memory_stream_pair()
    player = Player(dce, parse(text))
    await dte.send_all(said)
    await dte.aclose()
    with pytest.raises(Mismatch, match=f"(?s){message}"):
        await player.run()


@pytest.mark.parametrize("text", ["AT", "<OK", "@ soon", "! stop", "? what"])
def test_what_is_no_notation_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"line 1|could not convert"):
        parse(text)


def test_placeholders_and_masks() -> None:
    [said, masked, taken] = parse("<| a{3}b\n> AT+CPIN=**\n>| {2}")
    assert said.data == tuple(b"a" + filler(3) + b"b")
    assert masked.data == (*b"AT+CPIN=", None, None, 0x0D)
    assert taken.data == (None, None)

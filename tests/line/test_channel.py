"""One exchange after the other: cancelling, bounds, what is told and what is measured."""

import pytest
import trio
import trio.testing

from modemproxy.at.commands import Attention
from modemproxy.at.transfer import QueryAck, QueryUnread
from modemproxy.at.urcs import LinkClosed, Urc
from modemproxy.errors import CommandError, LineClosed, NoAnswer
from modemproxy.line.channel import AtChannel, open_channel
from modemproxy.line.port import StreamPort
from tests.line.scene import query, read_damaged, scene, send, unread
from tests.transcript import load, parse

pytestmark = pytest.mark.usefixtures("autojump_clock")


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


async def test_a_result_has_its_time_from_the_prompt_on() -> None:
    steps = "> AT\n< OK\n> AT+CIPSEND=3,5\n@ 4\n<| \\r\\n>\n>| hello\n@ 17.5\n< OK"
    async with scene(parse(steps), quick=True) as (channel, _):
        await channel.roundtrip(Attention())
        await send(channel)
        assert trio.current_time() == 21.5


async def test_a_reply_is_told_by_the_reader_before_its_caller_goes_on() -> None:
    told: list[tuple[int, float]] = []

    def note(count: int, now: float) -> None:
        assert trio.lowlevel.current_task() is not caller
        told.append((count, now))

    caller = trio.lowlevel.current_task()
    async with scene(load("slow_query")) as (channel, _):
        assert await channel.roundtrip(QueryUnread(3), on_reply=note) == 7
        assert told == [(7, 1.0)]
        await channel.roundtrip(QueryAck(3))
    assert told == [(7, 1.0)]


@pytest.mark.parametrize("answer", ["< ERROR", "< +CIPRXGET: 4,3,x\n< OK\n> AT\n< OK"])
async def test_what_is_no_reply_is_told_to_nobody(answer: str) -> None:
    async with scene(parse("> AT+CIPRXGET=4,3\n" + answer)) as (channel, _):
        with pytest.raises(CommandError):
            await channel.roundtrip(QueryUnread(3), on_reply=lambda *_: pytest.fail("told"))


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

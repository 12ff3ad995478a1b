"""Lost reports, lost bytes and refused reads on their way from the module."""

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.output import Piece
from modemproxy.journal import LineLosesBytes
from modemproxy.module.losses import LossCount

from .ends import BULK, speaker, without
from .rig import HOSTILE, Rig, exchange, read_all, rig

pytestmark = pytest.mark.timeout(20)


async def test_a_module_that_loses_every_data_report_delivers_by_polling(
    autojump_clock: MockClock,
) -> None:
    async with rig(data_urc_loss=1.0) as r:
        speaker(r, BULK, wait_for=1)
        async with r.link(port=80) as link:
            await trio.sleep(60)
            started = trio.current_time()
            await link.send_all(b"?")
            assert await read_all(link) == BULK
            assert trio.current_time() - started < 4


async def test_a_single_lost_report_on_an_active_link_costs_a_second(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        sink = r.sink(80)
        async with r.link(port=80) as link:
            await sink.streams[0].send_all(b"one")
            assert await link.receive_some() == b"one"
            await trio.sleep(2)
            r.module.dce.out.tap = without(b"+CIPRXGET: 1,")
            await sink.streams[0].send_all(b"two")
            with trio.fail_after(1.1):
                assert await link.receive_some() == b"two"


async def test_data_reports_of_a_link_that_is_not_ours_are_ignored(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r, r.link() as link:
        for number in range(10):
            r.module.inject(
                b"\r\n+CIPRXGET: 1,%d\r\n\r\n+IPCLOSE: %d,1\r\n" % (number, number % 9)
            )
        assert await exchange(link, HOSTILE) == HOSTILE


@pytest.mark.parametrize("lost", [1, 2, 4, 64])
async def test_payload_bytes_lost_on_the_line_reset_that_link_only(
    autojump_clock: MockClock, lost: int
) -> None:
    async with rig() as r:
        speaker(r, b"y" * 500, wait_for=1)
        async with r.link(port=80) as link, r.link() as other:
            assert await exchange(other, b"learn the trailer") == b"learn the trailer"

            def tap(piece: Piece, data: bytes) -> bytes:
                if piece is Piece.PAYLOAD and data.endswith(b"y" * 100):
                    return data[:-lost]
                return data

            r.module.dce.out.tap = tap
            await link.send_all(b"?")
            with trio.fail_after(10), pytest.raises(trio.BrokenResourceError, match="lost"):
                await read_all(link)
            r.module.dce.out.tap = None
            assert await exchange(other, HOSTILE) == HOSTILE


@pytest.mark.parametrize(
    "answer", [b"\r\nERROR\r\n", b"\r\n+IP ERROR: No data\r\n\r\nERROR\r\n"]
)
async def test_a_read_that_is_refused_once_is_asked_again(
    autojump_clock: MockClock, answer: bytes
) -> None:
    async with rig() as r:
        speaker(r, b"y" * 500, wait_for=1)
        async with r.link(port=80) as link:
            await trio.sleep(10)
            link_of_module = r.module.dce.stack.tcp(9)
            assert link_of_module is not None
            real, link_of_module.read = link_of_module.read, None  # type: ignore[assignment,method-assign]
            spoilt = 1

            def read(limit: int) -> bytes:
                nonlocal spoilt
                if spoilt:
                    spoilt = 0
                    return b""
                return real(limit)

            link_of_module.read = read  # type: ignore[method-assign]

            def tap(piece: Piece, data: bytes) -> bytes:
                if b"+IP ERROR: No data" in data:
                    return b"" if answer == b"\r\nERROR\r\n" else data
                return data

            r.module.dce.out.tap = tap
            await link.send_all(b"?")
            with trio.fail_after(5):
                assert await read_all(link) == b"y" * 500


async def lose_bytes_of_a_read(r: Rig) -> None:
    """Have one link reset for it."""
    r.module.dce.out.tap = losing_one_byte()
    async with r.link() as link:
        await link.send_all(b"x" * 100)
        with pytest.raises(trio.BrokenResourceError, match="bytes lost"):
            await read_all(link)
    r.module.dce.out.tap = None


def losing_one_byte() -> Callable[[Piece, bytes], bytes]:
    def tap(piece: Piece, data: bytes) -> bytes:
        return data[:-1] if piece is Piece.PAYLOAD else data

    return tap


async def test_a_line_that_loses_bytes_again_and_again_is_said(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        for _ in range(2):
            await lose_bytes_of_a_read(r)
        assert r.events(LineLosesBytes) == []
        for _ in range(3):
            await lose_bytes_of_a_read(r)
        assert len(r.events(LineLosesBytes)) == 1


def test_seldom_losses_are_no_news_and_others_are_once_an_hour() -> None:
    losses = LossCount()
    assert [losses.note(400.0 * n) for n in range(10)] == [None] * 10
    assert losses.note(4500) is None
    assert losses.note(4600) is None
    assert losses.note(4700) == 200
    assert [losses.note(4800 + 100.0 * n) for n in range(35)] == [None] * 35
    assert losses.note(8300) == 200

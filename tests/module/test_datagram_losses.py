"""Datagram links when things go wrong: lost is fine, twice or changed is not."""

from collections import Counter

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.faults import Fault, FaultBox
from modemproxy.emulator.output import Piece
from modemproxy.module.datagram_link import DatagramLink
from modemproxy.module.link import Link

from .datagram_bench import echo_udp, far_udp, receive_all, udp
from .rig import echo, exchange, rig, until
from .sends import BUSY, ERROR, OK, replacing

pytestmark = pytest.mark.timeout(30)


def assert_sound(sent: list[bytes], got: list[bytes], *, least: int) -> None:
    """U1 and U2: each is one that was sent, none is there twice."""
    assert not Counter(got) - Counter(sent)
    assert len(got) >= least


async def test_busy_answers_hold_and_cost_nothing_but_time(autojump_clock: MockClock) -> None:
    async with rig(busy_probability=0.3, seed=3) as r:
        far = echo_udp(r)
        async with udp(r) as link:
            for number in range(60):
                await link.send(b"%d" % number)
                with trio.fail_after(2):
                    assert await link.receive() == b"%d" % number
            assert link.dropped == 0
        assert len(far.received) == 60


async def test_a_module_that_stays_busy_costs_the_stale_ones_and_no_link(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        echo_udp(r)
        busy = True

        def tap(data: bytes) -> bytes:
            if busy and data.startswith(b"AT+CIPSEND="):
                r.module.dce.out.tap = replacing(b"+CIPERROR: 3", BUSY)
                return b"AT+CIPSEND=99,1\r"
            return data

        r.module.dce.input.tap = tap
        async with udp(r) as link:
            for _ in range(5):
                await link.send(b"stale")
            await trio.sleep(20)
            busy = False
            assert link.outbox.dropped_old == 5
            await link.send(b"fresh")
            with trio.fail_after(3):
                assert await link.receive() == b"fresh"


@pytest.mark.parametrize("what", [OK, b"+CIPSEND:"])
async def test_a_lost_line_behind_a_payload_sends_nothing_twice(
    autojump_clock: MockClock, what: bytes
) -> None:
    async with rig() as r:
        far = echo_udp(r)
        async with udp(r) as link:
            sent: list[bytes] = []
            for number in range(12):
                in_the_way = replacing(what, b"")

                def tap(piece: Piece, data: bytes, lose: object = in_the_way) -> bytes:
                    after_payload = far.received and far.received[-1][0] == sent[-1]
                    return lose(piece, data) if after_payload else data  # type: ignore[operator]

                sent.append(b"number %d" % number)
                r.module.dce.out.tap = tap if number % 3 == 0 else None
                await link.send(sent[-1])
                assert_sound(sent[-1:], await receive_all(link, 4.0), least=1)
            assert Counter(data for data, _ in far.received) == Counter(sent)
            assert link.reset is None


async def test_an_error_behind_a_payload_loses_one_datagram(autojump_clock: MockClock) -> None:
    async with rig() as r:
        far = echo_udp(r)
        async with udp(r, "203.0.113.1") as link:
            arrived: list[bytes] = []

            def tap(piece: Piece, data: bytes) -> bytes:
                if data == OK and len(far.received) == 1 and not arrived:
                    arrived.append(data)
                    return ERROR
                return data

            r.module.dce.out.tap = tap
            await link.send(b"first")
            await trio.sleep(1)
            await link.send(b"second")
            assert_sound([b"first", b"second"], await receive_all(link), least=1)
            assert [data for data, _ in far.received] == [b"first", b"second"]
            assert link.outbox.lost == 1


async def test_a_prompt_that_does_not_come_is_asked_for_again(
    autojump_clock: MockClock,
) -> None:
    async with rig(complaints=True) as r:
        far = echo_udp(r)
        async with udp(r) as link:
            lost: list[bytes] = []

            def tap(data: bytes) -> bytes:
                if data.startswith(b"AT+CIPSEND=") and not lost:
                    lost.append(data)
                    return b""
                return data

            r.module.dce.input.tap = tap
            await link.send(b"only once")
            await trio.sleep(10)
            assert link.reset is None
            await link.send(b"next")
            assert await link.receive() == b"next"
            # what was lost on the way in waited five seconds for its prompt: too old
            assert [data for data, _ in far.received] == [b"next"]


@pytest.mark.parametrize("count", [1, 2, 4, 30])
async def test_a_damaged_read_loses_its_own_datagram_only(
    autojump_clock: MockClock, count: int
) -> None:
    async with rig(seed=4) as r:
        echo_udp(r)
        box = FaultBox(r.module, seed=1)
        r.nursery.start_soon(box.run)
        async with udp(r) as link:
            sent, got = [], []
            for number in range(10):
                if number == 3:
                    box.add(Fault("lose_payload", link=link.number, times=1, count=count))
                sent.append(b"%d " % number + bytes(100))
                await link.send(sent[-1])
                got += await receive_all(link, 6.0)
            assert_sound(sent, got, least=9)
            assert link.inbox.lost >= 1
            assert link.reset is None


async def test_a_short_confirmation_is_a_loss_and_minus_one_the_end(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        far_udp(r)
        async with udp(r) as link:
            r.module.dce.out.tap = replacing(b"+CIPSEND: 9,4,4", b"\r\n+CIPSEND: 9,4,0\r\n")
            await link.send(b"lost")
            await trio.sleep(1)
            assert (link.sent, link.outbox.lost) == (0, 1)
            r.module.dce.out.tap = replacing(b"+CIPSEND: 9,4,4", b"\r\n+CIPSEND: 9,4,-1\r\n")
            await link.send(b"last")
            with pytest.raises(trio.BrokenResourceError, match="confirmed -1"):
                await link.receive()


# -- beside others ------------------------------------------------------------------------


async def _flood(link: DatagramLink, until_s: float) -> None:
    while trio.current_time() < until_s:
        await link.send(bytes(1400))
        await trio.sleep(0.02)


async def test_a_flood_of_datagrams_takes_its_share_and_no_more(
    autojump_clock: MockClock,
) -> None:
    async with rig(command_latency_s=0.002) as r:
        far = far_udp(r)
        r.listen(echo)
        moved: list[int] = [0]

        async def bulk(link: Link) -> None:
            while True:
                moved[0] += len(await exchange(link, bytes(20000)))

        async with udp(r) as flood, r.link() as tcp, trio.open_nursery() as nursery:
            await exchange(tcp, b"warm")
            until_s = trio.current_time() + 5
            nursery.start_soon(_flood, flood, until_s)
            nursery.start_soon(bulk, tcp)
            await trio.sleep_until(until_s)
            nursery.cancel_scope.cancel()
        datagrams = sum(len(data) for data, _ in far.received)
        assert moved[0] > datagrams / 3
        await until(lambda: r.session.pool.settled, 200)


async def test_a_question_beside_bulk_traffic_is_answered_soon(
    autojump_clock: MockClock,
) -> None:
    async with rig(command_latency_s=0.002) as r:
        echo_udp(r)
        waits = []

        async def bulk(link: Link) -> None:
            while True:
                await exchange(link, bytes(20000))

        async with udp(r) as asker, r.link() as tcp, trio.open_nursery() as nursery:
            nursery.start_soon(bulk, tcp)
            for number in range(50):
                began = trio.current_time()
                await asker.send(b"%d?" % number)
                assert await asker.receive() == b"%d?" % number
                waits.append(trio.current_time() - began)
                await trio.sleep(0.2)
            nursery.cancel_scope.cancel()
        assert max(waits) < 0.3

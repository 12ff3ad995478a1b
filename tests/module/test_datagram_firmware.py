"""Datagram links on firmware that takes no names in sends, or keeps no datagrams apart."""

import random

import pytest
import trio
from trio.testing import MockClock

from modemproxy.module.datagram_link import DatagramLink

from .datagram_bench import echo_udp, far_udp, receive_all, udp
from .rig import FAR, Rig, rig
from .sends import replacing

pytestmark = pytest.mark.timeout(30)


def is_whole(link: DatagramLink) -> bool:
    return link.whole


# -- names --------------------------------------------------------------------------------


def _refuse_names(r: Rig, refusal: bytes = b"\r\n+CIPERROR: 3\r\n") -> list[bytes]:
    """Older firmware: CIPSEND takes addresses only. Returns what is asked, in order."""
    asked: list[bytes] = []

    def tap(data: bytes) -> bytes:
        if data.startswith((b"AT+CIPSEND=", b"AT+CDNSGIP=")):
            asked.append(data.strip())
        if data.startswith(b"AT+CIPSEND=") and FAR.encode() in data:
            r.module.dce.out.tap = replacing(b"+CIPERROR: 3", refusal)
            return b"AT+CIPSEND=99,1\r"
        return data

    r.module.dce.input.tap = tap
    return asked


@pytest.mark.parametrize("refusal", [b"\r\n+CIPERROR: 3\r\n", b"\r\n+CIPERROR: 4\r\n", b""])
async def test_where_names_are_refused_the_address_is_looked_up_once(
    autojump_clock: MockClock, refusal: bytes
) -> None:
    async with rig(dns_delay_s=2.0) as r:
        far = echo_udp(r)
        asked = _refuse_names(r, refusal)
        async with udp(r) as link:
            sent = [b"a", b"b", b"c"]
            for data in sent:
                await link.send(data)
            assert await receive_all(link) == sent
            assert [data for data, _ in far.received] == sent
        look_ups = [command for command in asked if b"CDNSGIP" in command]
        assert look_ups == [b'AT+CDNSGIP="far.example.com"']
        assert b'"203.0.113.1"' in asked[-1]


async def test_an_address_is_looked_up_again_after_a_while(autojump_clock: MockClock) -> None:
    async with rig() as r:
        far = echo_udp(r)
        asked = _refuse_names(r)
        async with udp(r) as link:
            for _ in range(3):
                await link.send(b"a")
                assert await link.receive() == b"a"
                await trio.sleep(160)
        assert sum(b"CDNSGIP" in command for command in asked) == 2
        assert len(far.received) == 3


async def test_a_name_without_an_address_is_not_asked_for_at_every_datagram(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        asked = _refuse_names(r)
        async with udp(r) as link:
            r.internet.names.pop(FAR)
            for _ in range(1000):
                await link.send(b"x")
                await trio.sleep(0.1)
            assert sum(b"CDNSGIP" in command for command in asked) <= 8
            assert link.reset is None
            far = echo_udp(r)
            await trio.sleep(31)
            await link.send(b"at last")
            assert await link.receive() == b"at last"
        assert len(far.received) == 1


# -- firmware without package mode --------------------------------------------------------


async def test_old_firmware_with_one_outstanding_keeps_datagrams_apart(
    autojump_clock: MockClock,
) -> None:
    source = random.Random(5)
    async with rig(cipccfg_fields=7) as r:
        echo_udp(r)
        async with udp(r) as link:
            assert not link.whole
            for _ in range(60):
                data = source.randbytes(source.randint(1, 1400))
                await link.send(data)
                with trio.fail_after(2):
                    assert await link.receive() == data
        await r.settle()


async def test_old_firmware_two_questions_at_once_get_two_answers(
    autojump_clock: MockClock,
) -> None:
    """What every stub resolver does: A and AAAA from one socket."""
    async with rig(cipccfg_fields=7, wan_latency_s=0.04) as r:
        echo_udp(r)
        async with udp(r) as link:
            for _ in range(5):
                await link.send(b"A?")
                await link.send(b"AAAA?")
                assert await receive_all(link, 1.0) == [b"A?", b"AAAA?"]


async def test_old_firmware_an_uplink_without_answers_is_not_slowed_down(
    autojump_clock: MockClock,
) -> None:
    async with rig(cipccfg_fields=7) as r:
        far = far_udp(r)
        async with udp(r) as link:
            for number in range(50):
                await link.send(b"%d" % number)
                await trio.sleep(0.05)
            await trio.sleep(1)
            assert link.sent == 50
        assert len(far.received) == 50


async def test_a_setting_that_is_accepted_and_not_kept_is_noticed(
    autojump_clock: MockClock,
) -> None:
    def latch(r: Rig) -> None:
        r.module.dce.stack.latched = (0, 1, 0)

    async with rig() as r:
        latch(r)
        burst = [b"%03d" % n + bytes(197) for n in range(20)]
        far = far_udp(r, lambda data: burst if data == b"go" else [data])
        async with udp(r) as link:
            assert is_whole(link)
            await link.send(b"go")
            got = await receive_all(link)
            assert not is_whole(link)
            assert not r.session.datagrams_whole
            assert not set(got) & set(burst[:7])  # a cut read is not passed on
            await link.send(b"one")
            assert await link.receive() == b"one"
        assert len(far.received) == 2


async def test_firmware_that_reads_less_at_a_time_is_asked_for_less(
    autojump_clock: MockClock,
) -> None:
    async with rig(max_read=1460, complaints=True) as r:
        echo_udp(r)
        async with udp(r) as link:
            for size in (1400, 1460, 3):
                await link.send(bytes(size))
                with trio.fail_after(2):
                    assert await link.receive() == bytes(size)
        said = [each for each in r.module.complaints if "of 1500 bytes" in each]
        assert said  # once by the link, and once by whoever cleans up behind it

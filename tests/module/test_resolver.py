"""Names looked up by the module: its answers, its failures, and what that costs others."""

import pytest
import trio
from trio.testing import MockClock

from modemproxy.at.results import IP_ERRORS
from modemproxy.emulator.output import Piece
from modemproxy.errors import LocalProtocolError, LookupFailed, NetworkError

from .rig import FAR, exchange, rig

pytestmark = pytest.mark.timeout(20)


@pytest.mark.parametrize("form", ["lines", "first", "fields"])
async def test_a_name_has_the_address_that_the_far_host_has(
    autojump_clock: MockClock, form: str
) -> None:
    async with rig(dns_form=form) as r:
        assert await r.session.resolve(FAR) == [r.internet.add_host(FAR)]


async def test_a_name_nobody_has_is_a_failure_with_its_code(autojump_clock: MockClock) -> None:
    async with rig() as r:
        with pytest.raises(LookupFailed, match="no answer") as caught:
            await r.session.resolve("unknown.example.com")
        assert (caught.value.name, caught.value.code) == ("unknown.example.com", 10)
        assert r.failure is None


async def test_a_resolver_that_takes_too_long_is_a_failure_of_nobody_else(
    autojump_clock: MockClock,
) -> None:
    async with rig(dns_delay_s=15) as r:
        began = trio.current_time()
        with pytest.raises(LookupFailed, match="no answer within 10 s"):
            await r.session.resolve(FAR)
        assert trio.current_time() - began == pytest.approx(10)
        async with r.link() as link:
            assert await exchange(link, b"x") == b"x"


@pytest.mark.parametrize("name", ['a"', "a\rAT+NETCLOSE", "", "a b", "\u00e4"])
async def test_what_is_no_name_never_gets_to_the_line(
    autojump_clock: MockClock, name: str
) -> None:
    async with rig() as r:
        commands = r.session.scheduler.channel.commands
        with pytest.raises(LocalProtocolError):
            await r.session.resolve(name)
        with pytest.raises(LocalProtocolError):
            async with r.link(name):
                pytest.fail("no such host")
        assert r.session.scheduler.channel.commands == commands
        await r.settle()


async def test_a_client_that_leaves_lets_the_next_one_ask(autojump_clock: MockClock) -> None:
    async with rig(dns_delay_s=3) as r:
        with trio.move_on_after(1):
            await r.session.resolve(FAR)
        assert await r.session.resolve(FAR)


async def test_questions_leave_room_for_data_in_between(autojump_clock: MockClock) -> None:
    """Each takes the line for its time; nobody waits for more than one of them."""
    async with rig(dns_delay_s=1) as r, r.link() as link, trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(r.session.resolve, FAR)
        await trio.sleep(0.5)
        began = trio.current_time()
        assert await exchange(link, b"x") == b"x"
        assert trio.current_time() - began < 4
        nursery.cancel_scope.cancel()


async def test_a_network_that_is_closed_ends_the_session(autojump_clock: MockClock) -> None:
    async with rig() as r:

        def tap(piece: Piece, data: bytes) -> bytes:
            words = b"+IP ERROR: " + IP_ERRORS[8].encode()
            return data.replace(b"+CDNSGIP: 0,10", words)

        r.module.dce.out.tap = tap
        with pytest.raises(LookupFailed):
            await r.session.resolve("unknown.example.com")
        with trio.fail_after(1):
            await r.ended.wait()
        assert isinstance(r.failure, NetworkError)

"""The options that make sends busy for no reason that the DTE could know."""

from typing import Any

import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import Bench, bench
from modemproxy.emulator.far_stream import FarStream

BUSY = b"\r\n+CIPERROR: 8\r\n\r\nERROR\r\n"
PROMPT = b"\r\n>"


async def opened(nursery: trio.Nursery, **options: Any) -> Bench:
    async def keep(_: FarStream) -> None:
        await trio.sleep_forever()

    b = bench(nursery, **options)
    b.internet.listen_tcp("a.example", 80, keep)
    await b.dte.ready()
    for link in (0, 1):
        await b.dte.ask(b'AT+CIPOPEN=%d,"TCP","a.example",80\r' % link)
        await b.dte.heard(1)
    return b


async def ask(b: Bench, link: int) -> bytes:
    """Ask for a send, and do it where it is granted."""
    said = await b.dte.ask(b"AT+CIPSEND=%d,1\r" % link)
    if said == PROMPT:
        await b.dte.ask(b"x")
    return said


async def test_a_share_of_the_sends_is_busy(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await opened(nursery, busy_probability=0.3)
    said = [await ask(b, 0) for _ in range(300)]
    assert set(said) == {BUSY, PROMPT}
    assert 60 < said.count(BUSY) < 120
    assert b.module.complaints == []


async def test_one_link_is_busy_until_it_is_not(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await opened(nursery, busy_link=1)
    assert [await ask(b, link) for link in (0, 1, 0, 1)] == [PROMPT, BUSY] * 2
    b.module.set_profile(busy_link=None)
    assert await ask(b, 1) == PROMPT

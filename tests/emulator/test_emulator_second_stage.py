"""The second stage of a receive buffer: data that shows up after "rest 0" (18, 38)."""

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import bench
from modemproxy.emulator.far_stream import FarStream
from tests.emulator.opened import opened

OK = b"\r\nOK\r\n"
NO_DATA = b"\r\n+IP ERROR: No data\r\n\r\nERROR\r\n"


@pytest.mark.parametrize("urc", [True, False])
async def test_the_second_stage_refills_after_rest_0(
    autojump_clock: MockClock, nursery: trio.Nursery, urc: bool
) -> None:
    b, far = await opened(
        nursery,
        receive_buffer_bytes=20,
        second_stage_bytes=10,
        second_stage_delay_s=0.02,
        second_stage_urc=urc,
    )
    await far.send_all(b"0123456789abcde")
    await b.dte.heard()
    assert await b.dte.ask(b"AT+CIPRXGET=2,0,1500\r") == (
        b"\r\n+CIPRXGET: 2,0,10,0\r\n0123456789" + OK
    )
    assert await b.dte.ask(b"AT+CIPRXGET=2,0,1500\r") == NO_DATA
    assert await b.dte.heard(0.02) == (b"\r\n+CIPRXGET: 1,0\r\n" if urc else b"")
    assert await b.dte.ask(b"AT+CIPRXGET=2,0,1500\r") == (
        b"\r\n+CIPRXGET: 2,0,5,0\r\nabcde" + OK
    )


async def test_a_second_stage_as_large_as_the_buffer_leaves_a_segment_to_read(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, receive_buffer_bytes=3000, second_stage_bytes=4000)
    sent = bytes(range(250)) * 12

    async def talk(stream: FarStream) -> None:
        await stream.send_all(sent)
        await trio.sleep_forever()

    b.internet.listen_tcp("a.example", 80, talk)
    await b.dte.ready()
    await b.dte.ask(b'AT+CIPOPEN=0,"TCP","a.example",80\r')
    got = b""
    for rest in (0, 0, 0):
        said = await b.dte.ask(b"AT+CIPRXGET=2,0,1500\r")
        header, _, data = said.removeprefix(b"\r\n").partition(b"\r\n")
        assert header.endswith(b",%d" % rest)
        got += data.removesuffix(OK)
        await b.dte.heard(0.1)
    assert got == sent

"""Direct push when the line is slower than the network (protocol.md 11, and 18 line 53)."""

import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import bench
from modemproxy.emulator.far_stream import FarStream
from modemproxy.emulator.links import PUSH_BACKLOG

OK = b"\r\nOK\r\n"


async def test_the_end_of_a_link_comes_behind_its_data(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, pace=True, baudrate=921600, boot_echo=False)
    data = bytes(range(256)) * 200

    async def send_and_close(stream: FarStream) -> None:
        await stream.send_all(data)

    b.internet.listen_tcp("a.example", 80, send_and_close)
    await b.dte.ask(b"AT+NETOPEN\r")
    await b.dte.heard(1)
    await b.dte.ask(b'AT+CIPOPEN=0,"TCP","a.example",80\r')
    said = await b.dte.heard(5)
    head = b"\r\nRECV FROM:203.0.113.1:80\r\n+IPD"
    assert said.startswith(OK + b"\r\n+CIPOPEN: 0,0\r\n" + head + b"1500\r\n")
    assert said.endswith(b"\r\n+IPCLOSE: 0,1\r\n")
    reports = said.split(head)[1:]
    assert b"".join(r.partition(b"\r\n")[2] for r in reports) == data + b"\r\n+IPCLOSE: 0,1\r\n"


async def test_leaving_push_mode_says_the_end_and_leaves_the_rest_to_reads(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False)
    dce = b.module.dce

    async def send_and_close(stream: FarStream) -> None:
        await stream.send_all(b"x" * 1000)

    b.internet.listen_tcp("a.example", 80, send_and_close)
    await b.dte.ask(b"AT+NETOPEN\r")
    dce.out.put_past(b"." * PUSH_BACKLOG)
    dce.receive(b'AT+CIPOPEN=0,"TCP","a.example",80\r')
    dce.receive(b"AT+CIPRXGET=1\r")
    said = await b.dte.heard()
    assert said.endswith(b"\r\n+CIPRXGET: 1,0\r\n\r\n+IPCLOSE: 0,1\r\n")


async def test_datagrams_that_had_to_wait_keep_their_senders_and_bounds(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False)
    await b.dte.ask(b"AT+NETOPEN\r")
    await b.dte.ask(b'AT+CIPOPEN=1,"UDP",,,5000\r')
    one = b.internet.listen_udp("d.example", 53)
    two = b.internet.listen_udp("e.example", 54)
    b.module.dce.out.put_past(b"." * PUSH_BACKLOG)
    one.send_to(b"a" * 1700, 5000)
    two.send_to(b"b", 5000)
    one.send_to(b"c", 5000)
    heads = [
        b"\r\nRECV FROM:203.0.113.1:53\r\n+IPD1500\r\n" + b"a" * 1500,
        b"\r\nRECV FROM:203.0.113.1:53\r\n+IPD200\r\n" + b"a" * 200,
        b"\r\nRECV FROM:203.0.113.2:54\r\n+IPD1\r\nb",
        b"\r\nRECV FROM:203.0.113.1:53\r\n+IPD1\r\nc",
    ]
    assert (await b.dte.heard()).lstrip(b".") == b"".join(heads)

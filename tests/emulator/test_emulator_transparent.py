"""Transparent mode (protocol.md 10, transcript T9, and 18 line 54)."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import Bench, bench
from modemproxy.emulator.far_stream import FarStream

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
CONNECT = b"\r\nCONNECT 115200\r\n"
CLOSED = b"\r\nCLOSED\r\n"
OPEN = b'AT+CIPOPEN=0,"TCP","a.example",80\r'


class Far:
    """What the far host of the tests has, and its end of the connection."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.streams: list[FarStream] = []
        self.reads = trio.Event()
        self.reads.set()

    async def handle(self, stream: FarStream) -> None:
        self.streams.append(stream)
        await self.reads.wait()
        async for data in stream:
            self.got += data
        await trio.sleep_forever()


async def transparent(nursery: trio.Nursery, **options: Any) -> tuple[Bench, Far]:
    b = bench(nursery, boot_echo=False, **options)
    far = Far()
    b.internet.listen_tcp("a.example", 80, far.handle)
    assert await b.dte.ask(b"AT+CIPMODE=1\r") == OK
    await b.dte.ask(b"AT+NETOPEN\r")
    return b, far


async def connected(nursery: trio.Nursery, **options: Any) -> tuple[Bench, Far]:
    b, far = await transparent(nursery, **options)
    assert await b.dte.ask(OPEN) == CONNECT
    return b, far


async def escape(b: Bench) -> None:
    await trio.sleep(1)
    assert await b.dte.ask(b"+++") == b""
    assert await b.dte.heard(1) == OK


async def test_bytes_pass_both_ways_as_they_are(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, far = await connected(nursery)
    everything = bytes(range(256)) + b"\r\nOK\r\nAT+CIPCLOSE=0\r"
    assert await b.dte.ask(everything) == b""
    assert await b.dte.heard(0.2) == b""
    assert far.got == everything
    await far.streams[0].send_all(everything)
    assert await b.dte.heard() == everything
    assert b.module.complaints == []


async def test_the_lf_of_the_open_is_no_data(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, far = await transparent(nursery)
    assert await b.dte.ask(OPEN + b"\nhello") == CONNECT
    await b.dte.heard(0.2)
    assert far.got == b"hello"
    assert b.module.complaints == []


async def test_data_goes_out_when_a_segment_is_full_or_the_dte_pauses(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, far = await transparent(nursery)
    await b.dte.ask(b'AT+CIPCFG="transwaittm",500\r')
    await b.dte.ask(OPEN)
    await b.dte.ask(b"x" * 10)
    await b.dte.heard(0.49)
    assert far.got == b""
    await b.dte.heard(0.02)
    assert len(far.got) == 10
    await b.dte.ask(b"x" * 1460)
    assert len(far.got) == 1470


async def test_escape_command_mode_and_back(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, far = await connected(nursery)
    await b.dte.ask(b"last words")
    await escape(b)
    assert far.got == b"last words"
    await far.streams[0].send_all(b"held back")
    assert await b.dte.heard(5) == b""
    assert b'+CIPOPEN: 0,"TCP","203.0.113.1",80,-1' in await b.dte.ask(b"AT+CIPOPEN?\r")
    assert b.module.dce.carrier
    assert await b.dte.ask(b"ATO\r") == CONNECT + b"held back"
    await b.dte.ask(b"more")
    await b.dte.heard(0.2)
    assert far.got == b"last wordsmore"


@pytest.mark.parametrize("pieces", [[b"x+++"], [b"+++", b"x"], [b"++", b"++"]])
async def test_an_escape_that_is_none_is_data(
    autojump_clock: MockClock, nursery: trio.Nursery, pieces: list[bytes]
) -> None:
    b, far = await connected(nursery)
    await trio.sleep(2)
    for piece in pieces:
        assert await b.dte.ask(piece) == b""
        assert await b.dte.heard(0.5) == b""
    assert await b.dte.heard(5) == b""
    assert far.got == b"".join(pieces)


async def test_the_far_side_closes_behind_its_data(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, far = await connected(nursery)
    await far.streams[0].send_all(b"bye" * 9000)
    await far.streams[0].send_eof()
    assert await b.dte.heard(1) == b"bye" * 9000 + CLOSED
    assert await b.dte.ask(b"AT\r") == OK
    assert await b.dte.ask(b"ATO\r") == b"\r\nNO CARRIER\r\n"
    assert not b.module.dce.carrier
    assert await b.dte.ask(OPEN) == CONNECT


async def test_closed_may_be_followed_by_the_line_of_other_modes(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, far = await connected(nursery, transparent_ipclose=True)
    await far.streams[0].send_eof()
    assert await b.dte.heard() == CLOSED + b"\r\n+IPCLOSE: 0,1\r\n"


async def test_closing_and_going_down_from_command_mode(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, _far = await connected(nursery)
    await escape(b)
    closed = CLOSED + b"\r\n+CIPCLOSE: 0,0\r\n"
    assert await b.dte.ask(b"AT+CIPCLOSE=0\r") == OK + closed
    await b.dte.ask(OPEN)
    await escape(b)
    assert await b.dte.ask(b"AT+NETCLOSE\r") == OK + closed + b"\r\n+NETCLOSE: 0\r\n"


async def test_losing_the_network_ends_it(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, _far = await connected(nursery)
    b.module.lose_network()
    said = CLOSED + b"\r\n+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY\r\n"
    assert await b.dte.heard() == said


async def test_a_reboot_ends_it_without_a_word(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, _far = await connected(nursery)
    b.module.reboot(banner=False)
    assert await b.dte.heard(10) == b""
    assert await b.dte.ask(b"AT+CIPMODE?\r") == b"\r\n+CIPMODE: 0\r\n" + OK


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b'AT+CIPOPEN=1,"TCP","a.example",80\r', b"\r\n+CIPOPEN: 1,4\r\n" + ERROR),
        (b'AT+CIPOPEN=0,"TCP","a.example",81\r', b"\r\nCONNECT FAIL\r\n"),
        (b'AT+CIPOPEN=0,"UDP",,,5000\r', b"\r\n+CIPOPEN: 0,3\r\n" + ERROR),
        (b"AT+SERVERSTART=8080,1\r", b"\r\n+CIPERROR: 4\r\n" + ERROR),
        (b"ATO\r", b"\r\nNO CARRIER\r\n"),
        (b"ATO9\r", ERROR),
    ],
)
async def test_what_transparent_mode_refuses(
    autojump_clock: MockClock, nursery: trio.Nursery, line: bytes, answer: bytes
) -> None:
    b, _far = await transparent(nursery)
    assert await b.dte.ask(line) == answer


async def test_older_firmware_refuses_other_links_in_words(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, _far = await transparent(nursery, transparent_bad_link="text", connect_text="CONNECT")
    said = await b.dte.ask(b'AT+CIPOPEN=1,"TCP","a.example",80\r')
    assert said == b"\r\n+IP ERROR: Invalid parameter\r\n" + ERROR
    assert await b.dte.ask(OPEN) == b"\r\nCONNECT\r\n"


async def test_no_cipsend_on_its_link(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b, _far = await connected(nursery)
    await escape(b)
    assert await b.dte.ask(b"AT+CIPSEND=0,5\r") == b"\r\n+CIPERROR: 4\r\n" + ERROR


async def test_numeric_results(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b, _far = await transparent(nursery)
    await b.dte.ask(b"ATV0\r")
    assert await b.dte.ask(OPEN) == b"1\r"


async def test_udp_has_one_peer(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b, _far = await transparent(nursery)
    peer = b.internet.listen_udp("d.example", 53, lambda data: [data.upper()])
    said = await b.dte.ask(b'AT+CIPOPEN=0,"UDP","d.example",53,5000\r')
    assert said == CONNECT
    await b.dte.ask(b"hello")
    assert await b.dte.heard(0.2) == b"HELLO"
    assert peer.received == [(b"hello", 5000)]
    await escape(b)
    closed = CLOSED + b"\r\n+CIPCLOSE: 0,0\r\n" + OK
    assert await b.dte.ask(b"AT+CIPCLOSE=0\r") == closed


async def test_a_client_of_server_0_is_connected(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, _far = await transparent(nursery, transparent_recv_from=True)
    assert await b.dte.ask(b"AT+SERVERSTART=8080,0\r") == OK
    client = b.internet.connect_to_server(8080, source=("198.51.100.7", 4000))
    assert await b.dte.heard() == b"\r\n+CLIENT: 0,0,198.51.100.7:4000\r\n" + CONNECT
    await client.send_all(b"hi")
    assert await b.dte.heard() == b"RECV FROM:198.51.100.7:4000\r\nhi"
    with pytest.raises(ConnectionRefusedError):
        b.internet.connect_to_server(8080)
    await b.dte.ask(b"hello")
    await b.dte.heard(0.2)
    assert await client.receive_some() == b"hello"


@pytest.mark.parametrize("mode", [0, 1, 2])
async def test_a_falling_dtr(
    autojump_clock: MockClock, nursery: trio.Nursery, mode: int
) -> None:
    b, far = await transparent(nursery)
    await b.dte.ask(b"AT&D%d\r" % mode)
    assert f"&D{mode};".encode() in await b.dte.ask(b"AT&V\r")
    await b.dte.ask(OPEN)
    b.module.set_dtr(False)
    said = {0: b"", 1: OK, 2: CLOSED + b"\r\n+IPCLOSE: 0,2\r\n"}
    assert await b.dte.heard(1) == said[mode]
    b.module.set_dtr(True)
    assert b.module.dce.carrier is (mode != 2)
    if mode == 0:
        await b.dte.ask(b"still here")
        await b.dte.heard(0.2)
        assert far.got == b"still here"


async def test_without_flow_control_too_much_is_lost_with_it_it_waits(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    data = bytes(range(250)) * 100
    got = []
    for flow in (b"0,0", b"2,2"):
        b, far = await transparent(nursery, send_buffer_bytes=4096)
        far.reads = trio.Event()
        await b.dte.ask(b"AT+IFC=" + flow + b"\r")
        b.internet._window = 1000
        await b.dte.ask(OPEN)
        await b.dte.pieces(data, 1000)
        far.reads.set()
        await b.dte.heard(60)
        got.append(bytes(far.got))
        assert bool(b.module.complaints) is (flow == b"0,0")
    assert len(got[0]) < len(data)
    assert got[1] == data


async def test_a_session_that_somebody_left_on(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False)
    b.module.preset.transparent()
    await b.dte.heard()
    assert await b.dte.ask(b"AT\r") == b""
    await escape(b)
    assert await b.dte.ask(b"AT+NETOPEN?\r") == b"\r\n+NETOPEN: 1\r\n" + OK

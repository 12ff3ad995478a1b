"""What clients of the DNS listener see: questions that are passed on, and TCP."""

from pathlib import Path

import dnslib  # type: ignore[import-untyped]
import pytest
import trio
from trio.testing import MockClock

from modemproxy.config.checks import Endpoint
from modemproxy.emulator.far_stream import FarStream

from .asking import addresses, ask, asked, over_tcp, status
from .stand import FAR, Stand

pytestmark = pytest.mark.timeout(40)

SERVER = Endpoint("203.0.113.53", 53)


def name_server(s: Stand, text: str = "hello") -> list[dnslib.DNSRecord]:
    """Have a name server that answers everything with a TXT record; return what it heard."""
    heard: list[dnslib.DNSRecord] = []

    def answer(data: bytes) -> list[bytes]:
        question = dnslib.DNSRecord.parse(data)
        heard.append(question)
        reply = question.reply()
        reply.add_answer(*dnslib.RR.fromZone(f'{question.q.qname} 60 TXT "{text}"'))
        return [b"\0\0" + reply.pack()[2:], reply.pack()]  # a forgery comes first

    s.internet.listen_udp(SERVER.host, SERVER.port, answer)
    return heard


async def test_other_types_are_not_implemented_without_a_name_server(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with asked(tmp_path) as s:
        assert status(await ask(s, FAR, "TXT")) == "NOTIMP"
        assert s.module.commands["+CIPOPEN"] == 0


async def test_other_types_are_passed_on_over_one_link_that_is_given_back(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with asked(tmp_path, server=SERVER) as s:
        heard = name_server(s)
        for number in range(5):
            answer = await ask(s, f"{number}.example.com", "TXT")
            assert addresses(answer) == ['"hello"']
        assert [str(question.q.qname) for question in heard] == [
            f"{number}.example.com." for number in range(5)
        ]
        assert s.module.commands["+CIPOPEN"] == 1
        assert s.module.dce.stack.any_open()
        await trio.sleep(31)
        await s.wait_free()
        assert addresses(await ask(s, "again.example.com", "TXT")) == ['"hello"']


async def test_many_questions_at_once_get_their_own_answers(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with asked(tmp_path, server=SERVER) as s:
        name_server(s)
        answered = 0

        async def one(number: int) -> None:
            nonlocal answered
            answer = await ask(s, f"{number}.example.com", "TXT")
            answered += addresses(answer) == ['"hello"']

        async with trio.open_nursery() as nursery:
            for number in range(12):
                nursery.start_soon(one, number)
        assert answered == 12


async def test_a_name_server_that_is_silent_is_servfail_after_five_seconds(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with asked(tmp_path, server=SERVER) as s:
        started = trio.current_time()
        assert status(await ask(s, FAR, "TXT")) == "SERVFAIL"
        assert trio.current_time() - started == pytest.approx(5, abs=0.5)


async def test_questions_over_tcp_one_after_the_other(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with asked(tmp_path) as s:
        questions = [dnslib.DNSRecord.question(name) for name in (FAR, "no.example.com", FAR)]
        answers = await over_tcp(
            s, *questions, cut=lambda data: [data[i : i + 7] for i in range(0, len(data), 7)]
        )
        assert [answer.header.id for answer in answers] == [q.header.id for q in questions]
        assert addresses(answers[0]) == addresses(answers[2]) == [s.internet.names[FAR]]
        assert status(answers[1]) == "NXDOMAIN"


async def test_an_answer_too_long_for_a_datagram_comes_over_tcp(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    text = "x" * 250

    async with asked(tmp_path, server=SERVER) as s:

        def long_reply(data: bytes) -> dnslib.DNSRecord:
            reply = dnslib.DNSRecord.parse(data).reply()
            for _ in range(10):
                reply.add_answer(*dnslib.RR.fromZone(f'{reply.q.qname} 60 TXT "{text}"'))
            return reply

        def truncated(data: bytes) -> list[bytes]:
            reply = dnslib.DNSRecord.parse(data).reply()
            reply.header.tc = 1
            return [reply.pack()]

        async def serve(stream: FarStream) -> None:
            got = b""
            while len(got) < 2 or len(got) < 2 + int.from_bytes(got[:2], "big"):
                got += await stream.receive_some()
            packed = long_reply(got[2:]).pack()
            await stream.send_all(len(packed).to_bytes(2, "big") + packed)
            await stream.receive_some()

        s.internet.listen_udp(SERVER.host, SERVER.port, truncated)
        s.internet.listen_tcp(SERVER.host, SERVER.port, serve)
        answer = await ask(s, FAR, "TXT")
        assert answer.header.tc
        (answer,) = await over_tcp(s, dnslib.DNSRecord.question(FAR, "TXT"))
        assert addresses(answer) == [f'"{text}"'] * 10


async def test_a_silent_connection_ends_after_ten_seconds_and_a_huge_one_at_once(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with asked(tmp_path) as s:
        started = trio.current_time()
        async with await s.connect("dns") as client:
            assert await client.receive_some() == b""
        assert trio.current_time() - started == pytest.approx(10, abs=0.5)
        async with await s.connect("dns") as client:
            await client.send_all(b"\xff\xff")
            assert await client.receive_some() == b""
        assert trio.current_time() - started < 14

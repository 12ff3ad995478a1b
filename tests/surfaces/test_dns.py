"""What clients of the DNS listener see, on real sockets: addresses."""

from pathlib import Path

import dnslib  # type: ignore[import-untyped]
import pytest
import trio
from trio.testing import MockClock

from .asking import addresses, ask, ask_raw, asked, status
from .stand import FAR

pytestmark = pytest.mark.timeout(40)


async def test_an_address_comes_from_the_modules_resolver_and_is_remembered(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with asked(tmp_path) as s:
        for spelling in (FAR, FAR.upper(), "FaR.ExAmPlE.cOm"):
            answer = await ask(s, spelling)
            assert addresses(answer) == [s.internet.names[FAR]]
            assert 0 < answer.rr[0].ttl <= 60
        assert s.module.commands["+CDNSGIP"] == 1
        assert s.module.commands["+CIPOPEN"] == 0
        await trio.sleep(61)
        await ask(s, FAR)
        assert s.module.commands["+CDNSGIP"] == 2


async def test_a_name_that_is_not_there_is_asked_for_once_in_ten_seconds(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with asked(tmp_path) as s:
        for _ in range(3):
            assert status(await ask(s, "nowhere.example.com")) == "NXDOMAIN"
        assert s.module.commands["+CDNSGIP"] == 1
        await trio.sleep(10)
        s.internet.add_host("nowhere.example.com")
        assert status(await ask(s, "nowhere.example.com")) == "NOERROR"


async def test_the_same_question_from_many_is_asked_once(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with asked(tmp_path, dns_delay_s=3.0) as s:
        got: list[list[str]] = []

        async def one(kind: str) -> None:
            got.append(addresses(await ask(s, FAR, kind)))

        async with trio.open_nursery() as nursery:
            for index in range(20):
                nursery.start_soon(one, "AAAA" if index % 4 == 0 else "A")
        assert sorted(got) == [[]] * 5 + [[s.internet.names[FAR]]] * 15
        assert s.module.commands["+CDNSGIP"] == 1


@pytest.mark.parametrize(
    ("ip_type", "a", "aaaa"),
    [
        ("IP", ["203.0.113.9"], []),
        ("IPV6", [], ["2001:db8::9"]),
        ("IPV4V6", ["203.0.113.9"], ["2001:db8::9"]),
    ],
)
async def test_only_addresses_that_the_context_can_use_are_given(
    patient_clock: MockClock, tmp_path: Path, ip_type: str, a: list[str], aaaa: list[str]
) -> None:
    async with asked(tmp_path, ip_type=ip_type) as s:
        s.internet.add_addresses("both.example.com", "203.0.113.9", "2001:db8::9")
        first, second = (
            await ask(s, "both.example.com"),
            await ask(s, "both.example.com", "AAAA"),
        )
        assert (addresses(first), status(first)) == (a, "NOERROR")
        assert (addresses(second), status(second)) == (aaaa, "NOERROR")


async def test_without_service_the_answer_is_servfail_after_four_seconds(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with asked(tmp_path, wait_up=False, cereg=2, cgreg=2) as s:
        started = trio.current_time()
        assert status(await ask(s, FAR)) == "SERVFAIL"
        assert trio.current_time() - started == pytest.approx(4, abs=0.3)


async def test_a_name_that_could_alter_a_command_is_refused_and_counted(
    patient_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with asked(tmp_path) as s:
        header = bytes.fromhex("1234 0100 0001 0000 0000 0000")
        for label in (b'x"\r\nAT+CPOF\r', b"a b", b"a.b", b"\xff"):
            name = bytes((len(label),)) + label + b"\x03com\0"
            data = await ask_raw(s, header + name + b"\0\x01\0\x01")
            assert data is not None
            assert data[3] & 15 == dnslib.RCODE.REFUSED
        assert s.module.commands["+CPOF"] == s.module.commands["+CDNSGIP"] == 0
    assert "dns: 127.0.0.1:" in caplog.text


async def test_names_with_an_answer_by_rule_are_not_asked_for(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with asked(tmp_path) as s:
        assert addresses(await ask(s, "localhost")) == ["127.0.0.1"]
        assert addresses(await ask(s, "a.localhost", "AAAA")) == ["::1"]
        assert status(await ask(s, "x.invalid")) == "NXDOMAIN"
        assert s.module.commands["+CDNSGIP"] == 0


async def test_nonsense_gets_an_error_or_nothing_and_strangers_get_nothing(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with asked(tmp_path) as s:
        assert await ask_raw(s, b"\0" * 11, 5) is None
        assert await ask_raw(s, b"\0\0\x80\0" + b"\0" * 8, 5) is None
        data = await ask_raw(s, b"\x12\x34\x01\0" + b"\0" * 8)
        assert data is not None
        assert data[:2] == b"\x12\x34"
        assert data[3] & 15 == dnslib.RCODE.FORMERR
    async with asked(tmp_path, allow="192.0.2.0/24") as s:
        assert await ask_raw(s, dnslib.DNSRecord.question(FAR).pack(), 5) is None

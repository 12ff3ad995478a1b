"""Usage: every byte is in the books once, whatever the clock does; and what a cap does."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from modemproxy.operate.ledger import Ledger
from modemproxy.operate.usage_command import lines
from tests.surfaces.stand import end_of

from .steered import echo, forward, forwards, send_and_take, steered

pytestmark = pytest.mark.timeout(60)

NOON = datetime(2026, 3, 31, 12).astimezone()


def test_bytes_are_in_the_pages_of_their_day_and_month() -> None:
    ledger = Ledger()
    ledger.book(NOON, "web", 10, 20)
    ledger.book(NOON + timedelta(days=1), "web", 1, 2)
    ledger.book(NOON + timedelta(days=1), "mail", 5, 5)
    assert ledger.days == {
        "2026-03-31": {"web": [10, 20]},
        "2026-04-01": {"web": [1, 2], "mail": [5, 5]},
    }
    assert ledger.used("month", NOON) == 30
    assert ledger.used("month", NOON + timedelta(days=1)) == 13
    assert ledger.used("day", NOON + timedelta(days=1), "web") == 3


@pytest.mark.parametrize(
    ("billing_day", "day", "month"),
    [
        (1, datetime(2026, 3, 1), "2026-03-01"),
        (15, datetime(2026, 3, 14), "2026-02-15"),
        (15, datetime(2026, 3, 15), "2026-03-15"),
        (28, datetime(2026, 1, 1), "2025-12-28"),
    ],
)
def test_a_month_begins_on_the_billing_day(billing_day: int, day: datetime, month: str) -> None:
    assert Ledger(billing_day).month(day) == month


def test_pages_do_not_grow_for_ever() -> None:
    ledger = Ledger()
    for number in range(2000):
        ledger.book(NOON + timedelta(days=number), "web", 1, 1)
    assert len(ledger.days) == 62
    assert len(ledger.months) == 25


def test_the_books_outlive_the_run(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.book(NOON, "web", 10, 20)
    ledger.save(tmp_path / "usage")
    again = Ledger()
    again.load(tmp_path / "usage")
    assert (again.days, again.months) == (ledger.days, ledger.months)
    assert [path.name for path in tmp_path.iterdir()] == ["usage"]


@given(
    st.binary()
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("days"), inner),
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_is_in_the_file_makes_no_trouble(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("usage") / "file"
    path.write_bytes(content)
    ledger = Ledger()
    ledger.load(path)
    ledger.book(NOON, "web", 1, 1)
    assert ledger.used("day", NOON, "web") >= 2


def test_a_clock_that_is_not_set_is_not_believed() -> None:
    assert not Ledger.believes(datetime(1970, 1, 1, 0, 5))
    assert Ledger.believes(NOON)


async def test_what_moves_is_counted_as_it_moves(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward(), forward("other"))) as s:
        s.play(80, echo)
        client = await s.client()
        await send_and_take(client, bytes(5000))
        told = (await s.ask("usage"))["usage"]
        assert told["days"][told["day"]] == {"far": [5000, 5000]}
        await send_and_take(client, bytes(100))
        await send_and_take(await s.client("other"), bytes(7))
        told = (await s.ask("usage"))["usage"]
        month = told["months"][told["month"]]
        assert month == {"far": [5100, 5100], "other": [7, 7]}
        shown = list(lines(told))
        assert any(line.startswith("far") and "5.1 kB up 5.1 kB down" in line for line in shown)


async def test_a_cap_that_stops(patient_clock: MockClock, tmp_path: Path) -> None:
    usage = "usage: {action: stop, period: day}\n"
    async with steered(tmp_path, usage + forwards(forward(cap=10_000), forward("other"))) as s:
        s.play(80, echo)
        capped, free = await s.client(), await s.client("other")
        await send_and_take(capped, bytes(4500))
        await trio.sleep(3)
        await send_and_take(capped, bytes(1000))
        assert (await end_of(capped))[1] == "RST"
        assert (await end_of(await s.client()))[1] == "RST"
        assert await send_and_take(free, b"hello") == b"hello"
        surface = (await s.surfaces())["far"]
        assert not surface["enabled"]
        assert surface["why_not"] == "the cap of far for this day is used up"
        assert surface["causes"] == {"KD": 1}
        kinds = [told["kind"] for told in (await s.ask("events"))["events"]]
        assert kinds.count("CapNear") == kinds.count("CapReached") == 1
        # a higher cap lets clients in again
        await s.reload(usage + forwards(forward(cap=100_000), forward("other")))
        await trio.sleep(3)
        assert await send_and_take(await s.client(), b"again") == b"again"


async def test_a_cap_of_all_that_only_warns(patient_clock: MockClock, tmp_path: Path) -> None:
    async with steered(tmp_path, "usage: {cap: 1k}\n" + forwards(forward())) as s:
        s.play(80, echo)
        client = await s.client()
        await send_and_take(client, bytes(2000))
        await trio.sleep(10)
        assert await send_and_take(client, b"still") == b"still"
        reached = [
            told["text"]
            for told in (await s.ask("events"))["events"]
            if told["kind"] == "CapReached"
        ]
        assert reached == [
            "usage of all listeners: this month's 1000 bytes are used up, going on"
        ]


async def test_the_file_is_written_at_the_end(patient_clock: MockClock, tmp_path: Path) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        await send_and_take(await s.client(), bytes(3000))
    [file] = list(tmp_path.rglob("*.usage"))  # noqa: ASYNC240 - it is over
    [page] = json.loads(file.read_text())["days"].values()
    assert page == {"far": [3000, 3000]}

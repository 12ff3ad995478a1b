"""The books: every byte is in them once, whatever the clock does and the file held."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.operate.ledger import Ledger, Page

NOON = datetime(2026, 3, 31, 12).astimezone()
UNSET = datetime(1970, 1, 1, 0, 5).astimezone()


def total(*pages: Page) -> int:
    return sum(sum(moved) for page in pages for moved in page.values())


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


def test_another_billing_day_does_not_forgive_what_the_month_has_had() -> None:
    ledger = Ledger()
    for ago in range(30, -1, -1):
        ledger.book(NOON - timedelta(days=ago), "web", 40, 60)
    assert ledger.used("month", NOON) == 3100
    ledger.bill_on(15, NOON)
    assert ledger.used("month", NOON) == 1700  # from the 15th to the 31st
    assert ledger.used("month", NOON, "mail") == 0
    ledger.book(NOON, "web", 50, 50)
    ledger.bill_on(1, NOON)
    assert ledger.used("month", NOON) == 3200
    ledger.bill_on(28, UNSET)  # nobody knows which month it is
    assert ledger.billing_day == 1


def test_what_is_known_of_a_month_stays_when_its_days_are_not_kept() -> None:
    ledger = Ledger(months={"2026-03-15": {"web": [700, 800]}})
    ledger.book(NOON, "web", 1, 1)
    ledger.bill_on(15, NOON)
    assert ledger.months["2026-03-15"] == {"web": [700, 800]}


def test_pages_do_not_grow_for_ever() -> None:
    ledger = Ledger()
    for number in range(2000):
        ledger.book(NOON + timedelta(days=number), "web", 1, 1)
    assert len(ledger.days) == 62
    assert len(ledger.months) == 25
    assert min(ledger.days) == f"{NOON + timedelta(days=1999 - 61):%Y-%m-%d}"


# the clock


JUMPS = st.sampled_from(
    [
        UNSET,
        UNSET + timedelta(days=1),
        datetime(2024, 11, 1).astimezone(),
        NOON - timedelta(days=40),
        NOON,
        NOON + timedelta(hours=13),
        NOON + timedelta(days=30),
        datetime(2099, 12, 31, 23, 59).astimezone(),
    ]
)


@given(st.lists(st.tuples(JUMPS, st.sampled_from("ab"), st.integers(0, 9), st.booleans())))
def test_wherever_the_clock_jumps_nothing_is_lost_and_nothing_counted_twice(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[datetime, str, int, bool]]
) -> None:
    path = tmp_path_factory.mktemp("usage") / "file"
    ledger, moved = Ledger(), 0
    for now, name, count, restart in story:
        ledger.settle(now)
        ledger.book(now, name, count, 2 * count)
        moved += 3 * count
        if restart:
            ledger.save(path)
            ledger = Ledger()
            ledger.load(path)
    assert total(*ledger.days.values(), ledger.unbooked) == moved
    assert total(*ledger.months.values(), ledger.unbooked) == moved
    ledger.settle(NOON)
    assert total(*ledger.days.values()) == total(*ledger.months.values()) == moved


def test_what_moves_before_the_clock_is_set_is_booked_when_it_is(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.book(UNSET, "ntp", 5, 6)
    assert not ledger.days
    assert not ledger.settle(UNSET)
    ledger.save(tmp_path / "usage")
    again = Ledger()
    again.load(tmp_path / "usage")
    assert again.unbooked == {"ntp": [5, 6]}
    assert again.settle(NOON)
    assert not again.settle(NOON)
    assert again.days == {"2026-03-31": {"ntp": [5, 6]}}
    assert not again.unbooked


def test_a_month_that_is_used_up_does_not_keep_the_time_server_out() -> None:
    ledger = Ledger()
    ledger.book(NOON, "all", 0, 10**9)
    assert ledger.used("month", UNSET) == 0
    ledger.book(UNSET, "ntp", 48, 48)
    assert ledger.used("month", UNSET) == ledger.used("day", UNSET, "ntp") == 96


def test_a_clock_that_was_in_the_future_for_long_does_not_blind_the_books() -> None:
    ledger = Ledger()
    ledger.book(NOON - timedelta(days=1), "web", 1, 1)
    for number in range(70):
        ledger.book(datetime(2099, 1, 1).astimezone() + timedelta(days=number), "web", 1, 1)
    for _ in range(3):
        ledger.book(NOON, "web", 50, 50)
    assert ledger.used("day", NOON) == 300
    assert len(ledger.days) == 62
    for number in range(100):
        ledger.book(NOON + timedelta(days=number), "web", 1, 1)
    assert max(ledger.days) < "2027"  # those pages go first


def test_a_clock_that_is_not_set_is_not_believed() -> None:
    assert not Ledger.believes(UNSET)
    assert Ledger.believes(NOON)


# the files


def test_the_books_outlive_the_run(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.book(NOON, "web", 10, 20)
    ledger.save(tmp_path / "usage")
    assert [path.name for path in tmp_path.iterdir()] == ["usage"]
    assert (tmp_path / "usage").stat().st_mode & 0o777 == 0o600
    again = Ledger()
    again.load(tmp_path / "usage")
    assert (again.days, again.months) == (ledger.days, ledger.months)
    again.save(tmp_path / "usage")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["usage", "usage.old"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(bytes(200)),
        lambda path: path.write_text("[1, 2]"),
        lambda path: path.unlink(),
    ],
)
def test_after_a_power_cut_the_file_before_has_its_turn(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    path, ledger = tmp_path / "usage", Ledger()
    for count in (10, 1):
        ledger.book(NOON, "web", count, 0)
        ledger.save(path)
    spoil(path)
    again = Ledger()
    again.load(path)
    assert again.used("day", NOON) == 10
    again.book(NOON, "web", 5, 0)
    again.save(path)
    spoil(path)  # and again: what was unreadable did not take the place of the good one
    once_more = Ledger()
    once_more.load(path)
    assert once_more.used("day", NOON) == 10


@given(
    st.binary()
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.text() | st.sampled_from(["days", "months", "unbooked", "20260331"]), inner
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_is_in_the_file_makes_no_trouble(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("usage") / "file"
    path.write_bytes(content)
    ledger = Ledger()
    ledger.load(path)
    ledger.settle(NOON)
    ledger.bill_on(15, NOON)
    ledger.book(NOON, "web", 1, 1)
    assert ledger.used("day", NOON, "web") >= 2
    ledger.save(path)
    again = Ledger()
    again.load(path)
    assert again.days == ledger.days

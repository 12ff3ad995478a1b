"""Events across restarts: kept, bounded, and readable whatever is in the file."""

import json
import os
from collections import Counter
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.journal import Event, FarClientRefused, Journal, LinkBroken, ModuleDown
from modemproxy.operate.chronicle import Chronicle, parse
from modemproxy.operate.events_command import text_of
from modemproxy.operate.memory import Refusals, remembered
from modemproxy.operate.program import Program
from modemproxy.operate.runs import (
    ClientsRefused,
    ProgramFailed,
    ProgramStarted,
    ProgramStopped,
)
from modemproxy.surfaces.roster import Roster

pytestmark = pytest.mark.timeout(60)


class FakeProgram:
    """What of a program its memory needs."""

    def __init__(self, chronicle: Chronicle) -> None:
        self.chronicle = chronicle
        self.roster = Roster()
        self.lifecycle = SimpleNamespace(journal=journal())
        self.why_stopping = ""


def journal() -> Journal:
    return Journal(iter(range(1000, 10_000_000)).__next__)


def texts(chronicle: Chronicle, count: int = 10_000) -> list[str]:
    return [told["text"] for told in chronicle.read(count)]


def test_events_of_an_earlier_run_are_there(tmp_path: Path) -> None:
    first, told = Chronicle(tmp_path / "port"), journal()
    told.record(ModuleDown("before anybody kept it"))
    first.attach(told)
    told.record(ModuleDown("one"))
    first.close()
    second, told = Chronicle(tmp_path / "port"), journal()
    second.attach(told)
    told.record(ModuleDown("two"))
    words = [text.partition(": ")[2] for text in texts(second)]
    assert words == ["before anybody kept it", "one", "two"]
    assert second.read(1)[0] == {
        "at": 1000,
        "kind": "ModuleDown",
        "level": "warning",
        "text": "not in service: two",
    }
    assert second.read(0) == []
    assert len(second.read(100, since=1001)) == 1
    assert (tmp_path / "port.events").stat().st_mode & 0o777 == 0o600
    second.close()


def test_it_does_not_grow_for_ever(tmp_path: Path) -> None:
    minutes = iter(range(0, 10_000_000, 60))
    chronicle, told = Chronicle(tmp_path / "port", minutes.__next__), journal()
    chronicle.attach(told)
    for number in range(12_000):
        told.record(LinkBroken(9, "far:1", f"{number} " + "x" * 60))
    sizes = [path.stat().st_size for path in sorted(tmp_path.iterdir())]
    assert len(sizes) == 2
    assert max(sizes) <= 512 << 10
    last = texts(chronicle)
    assert f"reset: {11_999} " in last[-1]
    assert len(last) > 3000
    assert texts(chronicle, 4000) == last[-4000:]
    chronicle.close()


def test_a_flood_does_not_wash_away_what_matters(tmp_path: Path) -> None:
    tenths = count(0, 0.1)
    chronicle, told = Chronicle(tmp_path / "port", tenths.__next__), journal()
    heard: list[str] = []
    chronicle.listen(lambda each: heard.append(each["kind"]))
    chronicle.attach(told)
    told.record(ModuleDown("03:12"))
    for number in range(20_000):
        told.record(FarClientRefused(1, f"198.51.100.7:{number}", "not in allow"))
    chronicle.close()
    kept = Chronicle(tmp_path / "port").read(10_000)
    assert kept[0]["text"] == "not in service: 03:12"
    kinds = Counter(each["kind"] for each in kept)
    assert 100 < kinds["FarClientRefused"] < 150  # a hundred, and one for each minute
    passed_over = [each for each in kept if each["kind"] == "EventsPassedOver"]
    left_out = sum(int(each["text"].split()[0]) for each in passed_over)
    assert left_out + kinds["FarClientRefused"] == 20_000
    assert len(heard) == 20_001  # who follows hears of every one


def test_a_line_cut_short_by_a_crash_hurts_neither_neighbour(tmp_path: Path) -> None:
    chronicle, told = Chronicle(tmp_path / "port"), journal()
    chronicle.attach(told)
    told.record(ModuleDown("one"))
    chronicle.close()
    with (tmp_path / "port.events").open("ab") as file:
        file.write(b'{"at": 5, "kind": "Mod')
    again, told = Chronicle(tmp_path / "port"), journal()
    again.attach(told)
    told.record(ModuleDown("two"))
    again.close()
    assert [text[-3:] for text in texts(again)] == ["one", "two"]


@given(st.binary())
def test_no_line_makes_trouble(line: bytes) -> None:
    parse(line)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_no_json_makes_trouble(value: object) -> None:
    assert parse(json.dumps(value).encode()) is None


LINES = st.lists(
    st.binary(max_size=80)
    | st.fixed_dictionaries(
        {
            "at": st.floats() | st.integers() | st.text(),
            "kind": st.text(),
            "level": st.text(),
            "text": st.text(),
        }
    ).map(lambda told: json.dumps(told).encode())
)


@given(old=LINES, new=LINES, end=st.sampled_from([b"", b"\n"]))
def test_whatever_is_in_the_files_can_be_read_shown_and_written_on(
    tmp_path_factory: pytest.TempPathFactory, old: list[bytes], new: list[bytes], end: bytes
) -> None:
    stem = tmp_path_factory.mktemp("events") / "port"
    Path(f"{stem}.events.old").write_bytes(b"\n".join(old) + end)
    Path(f"{stem}.events").write_bytes(b"\n".join(new) + end)
    chronicle, told = Chronicle(stem), journal()
    before = chronicle.read(1000)
    assert before == [each for each in map(parse, lines_of(old) + lines_of(new)) if each]
    assert all(text_of(each).isprintable() for each in before)
    chronicle.attach(told)
    told.record(ModuleDown("and on"))
    chronicle.close()
    assert texts(chronicle) == [*(each["text"] for each in before), "not in service: and on"]


def lines_of(pieces: list[bytes]) -> list[bytes]:
    """What a reader of lines makes of them."""
    return b"\n".join(pieces).split(b"\n")


def test_where_nothing_can_be_written_this_run_is_remembered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    chronicle, told = Chronicle(tmp_path / "no" / "port", lambda: now[0]), journal()
    heard: list[str] = []
    leave = chronicle.listen(lambda each: heard.append(each["text"]))
    chronicle.attach(told)
    told.record(ModuleDown("one"))
    leave()
    now[0] = 61
    told.record(ModuleDown("two"))
    assert heard == ["not in service: one"]
    assert texts(chronicle) == ["not in service: one", "not in service: two"]
    assert caplog.text.count("only remembered") == 1
    (tmp_path / "no").mkdir()
    told.record(ModuleDown("three"))  # too early for another try
    assert not (tmp_path / "no" / "port.events").exists()
    now[0] = 122
    told.record(ModuleDown("four"))
    chronicle.close()
    words = [text.partition(": ")[2] for text in texts(Chronicle(tmp_path / "no" / "port"))]
    assert words == ["one", "two", "three", "four"]


def test_a_full_disk_ends_keeping_for_a_while_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    chronicle, told = Chronicle(tmp_path / "port", lambda: now[0]), journal()
    chronicle.attach(told)
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
        told.record(ModuleDown("one"))
        told.record(ModuleDown("two"))
        now[0] = 61
        told.record(ModuleDown("three"))
    assert caplog.text.count("only remembered") == 1
    words = [text.partition(": ")[2] for text in texts(chronicle)]
    assert words == ["one", "two", "three"]
    now[0] = 122
    told.record(ModuleDown("four"))
    chronicle.close()
    words = [text.partition(": ")[2] for text in texts(Chronicle(tmp_path / "port"))]
    assert words == ["one", "two", "three", "four"]


@pytest.mark.parametrize(
    ("kinds", "cut_off"),
    [
        ([], False),
        ([ProgramStarted("1", 7), ProgramStopped()], False),
        ([ProgramStarted("1", 7), ProgramFailed("x")], False),
        ([ProgramStopped(), ProgramStarted("1", 7), ModuleDown("x")], True),
        ([ModuleDown("x")] * 50, True),
    ],
)
async def test_a_run_that_was_killed_is_told_by_the_next(
    tmp_path: Path, kinds: list[Event], cut_off: bool
) -> None:
    chronicle, told = Chronicle(tmp_path / "port"), journal()
    chronicle.attach(told)
    for event in kinds:
        told.record(event)
    chronicle.close()
    program = FakeProgram(Chronicle(tmp_path / "port"))
    with remembered(cast("Program", program)):
        program.why_stopping = "SIGTERM"
    last = texts(program.chronicle, 2)
    assert last[0].endswith("cut off") == cut_off
    assert last[1] == "modemproxy stopped: SIGTERM"


async def test_an_error_that_ends_the_program_is_kept(tmp_path: Path) -> None:
    program = FakeProgram(Chronicle(tmp_path / "port"))

    def fail() -> None:
        with remembered(cast("Program", program)):
            program.roster.on_refused("web", "198.51.100.7:5", "not in allow")
            program.roster.on_refused("web", "198.51.100.7:6", "not in allow")
            raise ExceptionGroup("", [OSError("the port is gone")])

    with pytest.raises(ExceptionGroup):
        fail()
    assert texts(program.chronicle)[1:] == [
        "web: 198.51.100.7:5 refused: not in allow",
        "web: 198.51.100.7:6 refused: not in allow",  # and nobody is left untold
        "modemproxy ended by an error: OSError: the port is gone",
    ]


def test_a_flood_of_refusals_makes_fewer_and_fewer_events() -> None:
    told, now = journal(), [0]
    refusals = Refusals(told, lambda: now[0])

    def knock(for_s: int) -> list[ClientsRefused]:
        before = len(told.events())
        for _ in range(for_s):
            refusals.note("web", "198.51.100.7:5", "its address is not in allow")
            now[0] += 1
        return [each for each in told.events()[before:] if isinstance(each, ClientsRefused)]

    assert [each.count for each in knock(100)] == [1, 10, 20, 40]
    refusals.note("other", "198.51.100.7:5", "its address is not in allow")
    assert told.events()[-1].text.startswith("other: ")  # each listener has its own pauses
    assert len(knock(86_400)) <= 24 * 60 / 10
    now[0] += 3 * 3600
    assert len(knock(9)) == 1
    refusals.own_up()
    assert told.events()[-1].text.endswith("(and 7 others)")

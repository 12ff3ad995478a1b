"""Events across restarts: kept, bounded, and readable whatever is in the file."""

import json
import os
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from modemproxy.journal import ClientsRefused, Journal, LinkBroken, ModuleDown
from modemproxy.operate.chronicle import Chronicle, parse
from modemproxy.operate.memory import Refusals

from .steered import echo, forward, forwards, hear, steered, tell

pytestmark = pytest.mark.timeout(60)


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
    chronicle, told = Chronicle(tmp_path / "port"), journal()
    chronicle.attach(told)
    for number in range(12_000):
        told.record(LinkBroken(9, "far:1", f"{number} " + "x" * 60))
    sizes = [path.stat().st_size for path in sorted(tmp_path.iterdir())]
    assert len(sizes) == 2
    assert max(sizes) <= 512 << 10
    last = texts(chronicle)
    assert f"reset: {11_999} " in last[-1]
    assert len(last) > 3000
    chronicle.close()


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


def test_where_nothing_can_be_written_listeners_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chronicle, told = Chronicle(tmp_path / "no" / "port"), journal()
    heard: list[str] = []
    leave = chronicle.listen(lambda each: heard.append(each["text"]))
    chronicle.attach(told)
    told.record(ModuleDown("one"))
    leave()
    told.record(ModuleDown("two"))
    assert heard == ["not in service: one"]
    assert caplog.text.count("events are not kept") == 1


def test_a_full_disk_ends_keeping_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chronicle, told = Chronicle(tmp_path / "port"), journal()
    chronicle.attach(told)
    chronicle.close()
    chronicle._fd = os.open("/dev/full", os.O_WRONLY | os.O_CLOEXEC)
    told.record(ModuleDown("one"))
    told.record(ModuleDown("two"))
    assert caplog.text.count("not kept any more") == 1


async def test_a_flood_of_refusals_makes_few_events(autojump_clock: MockClock) -> None:
    told = journal()
    refusals = Refusals(told)
    for _ in range(500):
        refusals.note("web", "198.51.100.7:5", "its address is not in allow")
        await trio.sleep(0.1)
    events = [event for event in told.events() if isinstance(event, ClientsRefused)]
    assert 5 <= len(events) <= 6
    assert "(and 9" in events[-1].text


async def test_events_are_asked_for_and_followed(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward(max_clients=1))) as s:
        s.play(80, echo)
        answer = await s.ask("events")
        kinds = [told["kind"] for told in answer["events"]]
        assert kinds[0] == "ProgramStarted"
        assert "ModuleUp" in kinds
        async with s.caller() as stream:
            first = await tell(stream, "events", count=1, follow=True)
            assert len(first["events"]) == 1
            await s.client()
            await s.client()  # one too many
            told = (await hear(stream))["event"]
            assert told["kind"] == "ClientsRefused"
            assert "max_clients (1) reached" in told["text"]
        for wrong in ({"count": -1}, {"since": "noon"}, {"follow": 1}):
            assert not (await s.ask("events", **wrong))["ok"]

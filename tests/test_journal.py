"""The journal: every event in words, in the log once, kept within a bound, told to all."""

import logging
from typing import get_type_hints

import pytest

from modemproxy import journal
from modemproxy.journal import (
    KEPT,
    DatagramsMerged,
    Entry,
    Event,
    FarClientRefused,
    FlowControlDropped,
    GaveWay,
    Journal,
    LineLosesBytes,
    LinkBroken,
    ModuleDown,
    ModuleUp,
    RestartLoop,
    RungTaken,
    ServerArmed,
    ServerNotArmed,
)
from modemproxy.operate import runs
from modemproxy.operate.runs import (
    ClientsRefused,
    ProgramFailed,
    ProgramStarted,
    ProgramStopped,
)

#: One of each kind, with its line and its level.
TOLD: list[tuple[Event, str, int]] = [
    (
        ModuleUp("A7670E-FASE A7670M7_V1.11.1", "10.84.17.161", 921600, 3.26),
        "module up in 3.3 s: A7670E-FASE A7670M7_V1.11.1, address 10.84.17.161, 921600 baud",
        logging.INFO,
    ),
    (
        ModuleUp("", "10.0.0.1", 115200, 12.0),
        "module up in 12.0 s: unknown model, address 10.0.0.1, 115200 baud",
        logging.INFO,
    ),
    (
        ModuleDown("the module restarted (RDY)"),
        "not in service: the module restarted (RDY)",
        logging.WARNING,
    ),
    (
        RungTaken("R5", "radio off and on", "network: NETOPEN failed", 4.96),
        "recovery R5: radio off and on in 5.0 s (network: NETOPEN failed)",
        logging.WARNING,
    ),
    (
        RungTaken("R3", "opening the port again", "the device hung up", 0.2),
        "recovery R3: opening the port again (the device hung up)",
        logging.WARNING,
    ),
    (
        RungTaken("R1", "bringing the line back into step", "no answer to AT"),
        "recovery R1: bringing the line back into step (no answer to AT)",
        logging.WARNING,
    ),
    (
        RestartLoop(8, 300.0),
        "the module restarted 8 times within 300 s: most likely its power supply is too weak "
        "(it needs 2 A for moments); backing off",
        logging.ERROR,
    ),
    (
        LinkBroken(7, "far.example.com:443", "no progress for 300 s"),
        "link 7 -> far.example.com:443 reset: no progress for 300 s",
        logging.INFO,
    ),
    (
        FlowControlDropped(),
        "the module took no byte although nothing was wrong with the port: RTS/CTS flow "
        "control is configured, but CTS is not wired; going on WITHOUT flow control until "
        "the program is restarted (set modem.flow_control: none, or wire CTS)",
        logging.ERROR,
    ),
    (
        LineLosesBytes(42.4),
        "three answers within 42 s came with bytes missing or wrong: the line is too fast for "
        "its wiring or for this host (wire RTS and CTS and set modem.flow_control: rtscts, or "
        "lower modem.baudrate)",
        logging.WARNING,
    ),
    (
        ServerArmed(2, 8080, "10.0.0.1", "web"),
        "server web: the module listens on 10.0.0.1:8080",
        logging.INFO,
    ),
    (
        ServerArmed(2, 8080, "10.0.0.1"),
        "server 2: the module listens on 10.0.0.1:8080",
        logging.INFO,
    ),
    (
        ServerNotArmed("web", 8080, "already listening", 30.0),
        "server web: the module does not listen on port 8080 (already listening); next try "
        "in 30 s",
        logging.WARNING,
    ),
    (
        FarClientRefused(2, "203.0.113.9:50000", "its address is not in allow"),
        "far client 203.0.113.9:50000 of server 2 refused: its address is not in allow",
        logging.WARNING,
    ),
    (
        GaveWay("echo.example.com:7", "mqtt"),
        "the idle datagram link to echo.example.com:7 gave way to mqtt",
        logging.INFO,
    ),
    (
        DatagramsMerged(),
        "the module merges UDP datagrams although it accepted package mode: boundaries are "
        "kept only while one answer is awaited at a time",
        logging.WARNING,
    ),
    (ProgramStarted("0.1.0", 7), "modemproxy 0.1.0 started (pid 7)", logging.INFO),
    (
        ProgramStarted("0.1.0", 7, cut_off=True),
        "modemproxy 0.1.0 started (pid 7); the run before was cut off",
        logging.INFO,
    ),
    (ProgramStopped(), "modemproxy stopped", logging.INFO),
    (ProgramStopped("SIGTERM"), "modemproxy stopped: SIGTERM", logging.INFO),
    (
        ProgramFailed("no such port"),
        "modemproxy ended by an error: no such port",
        logging.ERROR,
    ),
    (
        ClientsRefused("web", "198.51.100.7:5", "its address is not in allow", 4),
        "web: 198.51.100.7:5 refused: its address is not in allow (and 3 others)",
        logging.WARNING,
    ),
]


def kinds() -> set[type[Event]]:
    """Every kind of event that there is."""
    members = [*vars(journal).values(), *vars(runs).values()]
    return {kind for kind in members if isinstance(kind, type) and issubclass(kind, Event)}


@pytest.mark.parametrize(("event", "text", "level"), TOLD)
def test_an_event_is_one_line_of_the_log_at_its_level(
    caplog: pytest.LogCaptureFixture, event: Event, text: str, level: int
) -> None:
    caplog.set_level(logging.DEBUG, "modemproxy.journal")
    Journal().record(event)
    assert [(each.levelno, each.getMessage()) for each in caplog.records] == [(level, text)]
    assert "\n" not in event.text


def test_no_kind_of_event_is_left_out_here() -> None:
    assert kinds() - {Event} == {type(event) for event, _, _ in TOLD}


def test_an_event_without_words_is_a_mistake() -> None:
    with pytest.raises(NotImplementedError):
        _ = Event().text


def test_events_cannot_be_changed_afterwards() -> None:
    for event, _, _ in TOLD:
        for name in get_type_hints(type(event)):
            with pytest.raises((AttributeError, TypeError)):
                setattr(event, name, "another")


def test_what_happened_is_kept_in_order_with_its_time() -> None:
    now = [100.0]
    kept = Journal(lambda: now[0])
    for index in range(3):
        now[0] += 1
        kept.record(ModuleDown(str(index)))
    assert list(kept) == [Entry(101.0 + i, ModuleDown(str(i))) for i in range(3)]
    assert kept.events() == [ModuleDown(str(i)) for i in range(3)]


def test_the_time_of_an_event_is_the_time_of_day() -> None:
    kept = Journal()
    kept.record(ModuleDown("x"))
    [entry] = kept
    assert entry.at > 1_700_000_000


@pytest.mark.parametrize("bound", [1, 10, KEPT])
def test_the_oldest_give_way(bound: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "modemproxy.journal")
    kept = Journal(lambda: 0.0, kept=bound)
    for index in range(3 * bound):
        kept.record(ModuleDown(str(index)))
    assert kept.events() == [ModuleDown(str(i)) for i in range(2 * bound, 3 * bound)]


def test_a_thousand_events_are_kept_unless_said_otherwise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, "modemproxy.journal")
    kept = Journal(lambda: 0.0)
    for index in range(KEPT + 1):
        kept.record(ModuleDown(str(index)))
    assert len(kept.events()) == KEPT == 1000


def test_listeners_hear_everything_from_then_on() -> None:
    kept = Journal(lambda: 5.0)
    first: list[Entry] = []
    second: list[Entry] = []
    kept.listen(first.append)
    kept.record(ModuleDown("a"))
    kept.listen(second.append)
    kept.record(ModuleDown("b"))
    assert first == [Entry(5.0, ModuleDown("a")), Entry(5.0, ModuleDown("b"))]
    assert second == first[1:]


def test_a_listener_sees_the_event_in_the_journal_already() -> None:
    kept = Journal(lambda: 0.0)
    seen: list[int] = []
    kept.listen(lambda entry: seen.append(len(kept.events())))
    kept.record(ModuleDown("a"))
    kept.record(ModuleDown("b"))
    assert seen == [1, 2]


def test_a_listener_hears_what_the_journal_does_not_keep_any_more() -> None:
    kept = Journal(lambda: 0.0, kept=2)
    heard: list[Entry] = []
    kept.listen(heard.append)
    for index in range(5):
        kept.record(ModuleDown(str(index)))
    assert len(heard) == 5
    assert len(kept.events()) == 2


def test_recording_while_somebody_reads_is_no_error() -> None:
    kept = Journal(lambda: 0.0)
    kept.record(ModuleDown("a"))
    for entry in kept:
        kept.record(entry.event)
        assert len(kept.events()) <= 3
    assert len(kept.events()) == 2

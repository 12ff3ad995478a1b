"""The report in lines: what is shown, and that nothing in it can harm a terminal."""

import copy
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.operate.plain_text import (
    clean,
    elide,
    short_size,
    short_span,
    size,
    span,
    table,
)
from modemproxy.operate.status_text import lines, pace

STATUS: dict[str, Any] = {
    "version": "0.1.0",
    "pid": 7,
    "started_at": 1.0,
    "uptime_s": 100.0,
    "draining": False,
    "module": {
        "state": "up",
        "since_s": 7300.0,
        "reason": "",
        "model": "A7670E-FASE",
        "address": "10.84.17.161",
        "baudrate": 115200,
        "port": "/dev/ttyUSB2",
        "signal_dbm": -79,
        "sessions": 2,
        "recoveries": {"R1": 3, "R3": 1},
    },
    "line": {
        "busy": 0.5,
        "seconds": {"read": 30.0, "write": 10.0, "control": 1.0, "upkeep": 0.4},
        "exchanges": {"read": 1, "write": 12, "control": 3, "upkeep": 4},
        "bytes_read": 1,
        "bytes_written": 2,
        "prompts": 12,
        "busy_answers": 1,
        "turnaround_ms": 5.13,
        "waiting": 0,
    },
    "links": {
        "in_use": 1,
        "total": 10,
        "waiting": 0,
        "numbers": [
            {"link": n, "use": "open" if n == 9 else "free", "owner": "web" if n == 9 else ""}
            for n in range(10)
        ],
    },
    "surfaces": [
        {
            "name": "web",
            "kind": "tcp",
            "listen": "127.0.0.1:80",
            "enabled": False,
            "why_not": "disabled",
            "clients": 1,
            "connections": 12,
            "refused": 2,
            "up": 1234,
            "down": 5_600_000,
            "causes": {"--": 11},
        }
    ],
    "connections": [
        {
            "id": 12,
            "surface": "web",
            "kind": "tcp",
            "peer": "127.0.0.1:50000",
            "target": "example.com:80",
            "link": 9,
            "age_s": 3.2,
            "queue_s": 0.0,
            "open_s": 0.2,
            "up": 10,
            "down": 20,
        }
    ],
}


def changed(**sections: Any) -> dict[str, Any]:
    """The report with other facts in its sections."""
    status = copy.deepcopy(STATUS)
    for name, facts in sections.items():
        status[name] = status[name] | facts if isinstance(facts, dict) else facts
    return status


def test_a_report_in_lines() -> None:
    assert list(lines(STATUS)) == [
        "proxy     0.1.0, process 7, started 100 s ago",
        "module    UP for 2 h, address 10.84.17.161, signal -79 dBm ▂▄▆_",
        "          A7670E-FASE on /dev/ttyUSB2 at 115200 baud",
        "recovery  R1 3x, R3 1x; session 2",
        "line      [########------------] 41 % busy since the start",
        "          read 30 %, write 10 %, control 1 %, upkeep 0 %",
        "          12 prompts, 1 busy answers, 5.1 ms turn-around",
        "links     1 of 10 in use",
        "          9 web",
        "",
        "listener  kind listens on   inside in all   up down refused",
        "web (off) tcp  127.0.0.1:80      1     12 1.2k 5.6M       2",
        "  web is off: disabled",
        "",
        "id by  from            to             link  age wait up down",
        "12 web 127.0.0.1:50000 example.com:80    9 3.2s   0s 10   20",
    ]


def test_between_two_reports_rates_are_known() -> None:
    after = changed(uptime_s=102.0)
    after["line"]["seconds"]["read"] += 1.0
    after["line"]["prompts"] += 14
    after["connections"][0]["down"] += 4000
    after["connections"].append(STATUS["connections"][0] | {"id": 13, "up": 600, "link": 8})
    waiting = {"id": 14, "up": 0, "down": 0, "link": None, "queue_s": None}
    after["connections"].append(STATUS["connections"][0] | waiting)
    shown = list(lines(after, 80, pace(STATUS, after)))
    assert "line      [##########----------] 50 % busy now" in shown
    assert "          read 50 %, write 0 %, control 0 %, upkeep 0 %" in shown
    assert "          7 prompts/s, 1 busy answers, 5.1 ms turn-around" in shown
    assert shown[-4:] == [
        "id by  from            to             link  age wait  up down up/s down/s",
        "12 web 127.0.0.1:50000 example.com:80    9 3.2s   0s  10 4.0k    0   2.0k",
        "13 web 127.0.0.1:50000 example.com:80    8 3.2s   0s 600   20  300     10",
        "14 web 127.0.0.1:50000 example.com:80    - 3.2s 3.2s   0    0    0      0",
    ]


def test_a_module_that_is_away_and_a_proxy_that_drains() -> None:
    status = changed(
        draining=True,
        module={"state": "recovering", "reason": "the device hung up " * 6, "model": ""},
        connections=[],
    )
    shown = list(lines(status))
    assert shown[1] == "          DRAINING: nobody is let in any more"
    assert shown[2] == "module    RECOVERING for 2 h, signal -79 dBm ▂▄▆_"
    assert shown[3].startswith("          the device hung up the device")
    assert " ".join(row.strip() for row in shown[3:5]) == ("the device hung up " * 6).strip()
    assert shown[5] == "          no model known on /dev/ttyUSB2 at 115200 baud"
    assert shown[-1] == "no connections"


def test_who_waits_is_said() -> None:
    numbers = [{"link": 3, "use": "opening", "owner": "socks"}]
    numbers += [{"link": 4, "use": "cleaning", "owner": ""}]
    status = changed(links={"waiting": 2, "numbers": numbers}, line={"waiting": 5})
    shown = list(lines(status))
    assert "links     1 of 10 in use, 2 waiting for one" in shown
    assert "          3 socks (opening), 4 cleaning" in shown
    assert any(row.endswith(", 5 commands waiting") for row in shown)


def test_large_numbers_and_long_names_fit_in_80_characters() -> None:
    connection = {
        "id": 99_999,
        "surface": "a-forward-with-a-very-long-name",
        "kind": "tcp",
        "peer": "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
        "target": "a.host.with.a.very.long.name.example.com:65535",
        "link": 9,
        "age_s": 9e6,
        "queue_s": 29.4,
        "open_s": 3.0,
        "up": 999_999_999_999,
        "down": 123_456_789,
    }
    surface = STATUS["surfaces"][0] | {
        "name": "a-forward-with-a-very-long-name",
        "listen": "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
        "connections": 123_456,
        "up": 10**12,
    }
    status = changed(surfaces=[surface], connections=[connection])
    shown = list(lines(status, 80, pace(status, status | {"uptime_s": 101.0})))
    assert max(map(len, shown)) == 80
    assert "…" in shown[-1]
    assert shown[-1].startswith("99999 a-f")
    assert shown[-1].endswith("104d  29s 1000G 123M    0      0")


def texts(value: Any, made: st.DataObject, odd: st.SearchStrategy[str]) -> Any:
    """The report with any text where there is one."""
    if isinstance(value, dict):
        return {key: texts(each, made, odd) for key, each in value.items()}
    if isinstance(value, list):
        return [texts(each, made, odd) for each in value]
    return made.draw(odd) if isinstance(value, str) and value not in ("up", "open") else value


HOSTILE = st.one_of(
    st.text(max_size=40),
    st.text("\x1b[]0;m\x07\x9b\r\n\u202e\u0300漢", max_size=60),
    st.just("x" * 300),
)


@given(st.data(), st.integers(1, 200))
def test_no_text_of_anybody_harms_a_terminal(made: st.DataObject, width: int) -> None:
    status = texts(STATUS, made, HOSTILE)
    for now in (None, pace(status, status)):
        for line in lines(status, width, now):
            assert len(line) <= width
            assert line.isprintable()
            assert not any(unicodedata.east_asian_width(char) in "WF" for char in line)
            assert not any(unicodedata.combining(char) for char in line)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (123456, "123 kB"), (10**12, "1000 GB")],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (864000, "10 d")],
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_long_texts_lose_their_middle() -> None:
    assert len(elide("a-very-long-name.example.com:443", 16)) == 16
    assert elide("short", 16) == "short"
    assert clean("a\x1b[2Jb\n") == "a?[2Jb?"
    assert clean("Büro 漢 e\u0301 \u202e") == "Büro ? e? ?"


@given(st.floats(0, 9e13))
def test_numbers_of_a_table_are_narrow(number: float) -> None:
    assert len(short_size(number)) <= 6
    assert len(short_span(number / 1e6)) <= 5


def test_a_table_takes_room_from_the_longest_names() -> None:
    rows = [("n" * 30, "7", "m" * 20), ("x", "12345", "y")]
    assert list(table(("name", "count", "more"), rows, 35, left=(0, 2))) == [
        "name           count more",
        "nnnnnn…nnnnnnn     7 mmmmmm…mmmmmmm",
        "x              12345 y",
    ]
    assert max(map(len, table(("name", "count", "more"), rows, 12, left=(0, 2)))) == 12

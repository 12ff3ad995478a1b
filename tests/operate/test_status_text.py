"""The report in lines: what is shown, and that nothing in it can harm a terminal."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.operate.status_text import clean, elide, lines, pace, size, span

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


def test_a_report_in_lines() -> None:
    assert list(lines(STATUS)) == [
        "module    up for 2 h, address 10.84.17.161",
        "          A7670E-FASE, signal -79 dBm ▂▄▆_",
        "recovery  R1 3x, R3 1x",
        "line      41 % busy since the start (read 30, write 10, control 1, upkeep 0)",
        "          115200 baud, 5.1 ms turn-around, /dev/ttyUSB2",
        "          12 prompts, 1 busy answers, 0 commands waiting",
        "links     1 of 10 in use, 0 waiting",
        "          9 web",
        "",
        "listener  kind listens on   inside in all     up   down refused",
        "web (off) tcp  127.0.0.1:80      1     12 1.2 kB 5.6 MB       2",
        "",
        "id by  from            to             link age   up down",
        "12 web 127.0.0.1:50000 example.com:80    9 3 s 10 B 20 B",
    ]


def test_between_two_reports_rates_are_known() -> None:
    after = copy.deepcopy(STATUS)
    after["line"]["seconds"]["read"] += 1.0
    after["connections"][0]["down"] += 4000
    shown = list(lines(after, 80, pace(STATUS, after, 2.0)))
    assert "line      50 % busy now (read 50, write 0, control 0, upkeep 0)" in shown
    assert shown[-1].endswith("9 3 s 0 B/s 2.0 kB/s")


def test_a_module_that_is_away_and_a_proxy_that_drains() -> None:
    status = copy.deepcopy(STATUS)
    status["draining"] = True
    status["module"] |= {"state": "recovering", "reason": "the device hung up", "model": ""}
    status["connections"] = []
    shown = list(lines(status))
    assert shown[0] == "module    recovering for 2 h, DRAINING: nobody is let in any more"
    assert shown[1] == "          the device hung up"
    assert shown[-1] == "no connections"


@given(st.text(), st.text(), st.integers(20, 120))
def test_no_text_of_anybody_harms_a_terminal(peer: str, reason: str, width: int) -> None:
    status = copy.deepcopy(STATUS)
    status["connections"][0]["peer"] = peer
    status["connections"][0]["target"] = peer + reason
    status["module"]["reason"] = reason
    status["module"]["port"] = peer
    for line in lines(status, width):
        assert line.isprintable()
        assert len(line) <= width


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

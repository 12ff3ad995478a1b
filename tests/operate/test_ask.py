"""Asking without an event loop: who answers, who does not, and what is said then."""

import argparse
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from modemproxy.config import load
from modemproxy.errors import ConfigError
from modemproxy.operate.ask import (
    Declined,
    NotPermitted,
    NotRunning,
    add_socket_arguments,
    ask,
    ask_once,
    dial,
    places_of,
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "admin.sock"


@pytest.fixture
def server(place: Path) -> Iterator[socket.socket]:
    """A socket that listens; the kernel lets a caller in before anybody accepts."""
    with closing(socket.socket(socket.AF_UNIX)) as sock:
        sock.bind(str(place))
        sock.listen(4)
        yield sock


def prepared(server: socket.socket, place: Path, *said: bytes, end: bool = True) -> Any:
    """Begin to ask, and have the answers stand there before they are wanted."""
    # The first connection of the queue is ours: what it gets is in its buffer at once.
    ours = dial([place])
    theirs, _ = server.accept()
    for each in said:
        theirs.sendall(each)
    if end:
        theirs.close()
    return ours, theirs


def answering(monkeypatch: pytest.MonkeyPatch, ours: socket.socket) -> None:
    monkeypatch.setattr("modemproxy.operate.ask.dial", lambda places: ours)


def test_answers_come_one_by_one_until_there_are_no_more(
    server: socket.socket, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = prepared(server, place, b'{"ok": true}\n{"event"', b": 1}\n", end=False)
    answering(monkeypatch, ours)
    answers = ask([place], {"request": "events", "follow": True})
    assert next(answers) == {"ok": True}
    assert json.loads(theirs.recv(1000)) == {"request": "events", "follow": True}
    assert theirs.recv(1000) == b""  # nothing more is asked
    assert next(answers) == {"event": 1}
    theirs.close()
    assert list(answers) == []
    assert ours.fileno() == -1


def test_leaving_the_loop_hangs_up(
    server: socket.socket, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = prepared(server, place, b'{"ok": true}\n{"ok": true}\n', end=False)
    answering(monkeypatch, ours)
    assert ask_once([place], {}) == {"ok": True}
    assert ours.fileno() == -1
    theirs.close()


def test_a_no_is_a_sentence_where_one_answer_is_wanted(
    server: socket.socket, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = prepared(server, place, b'{"ok": false, "error": "not now"}\n', end=False)
    answering(monkeypatch, ours)
    with pytest.raises(Declined, match=r"^the proxy says: not now$") as raised:
        ask_once([place], {})
    assert raised.value.answer == {"ok": False, "error": "not now"}
    theirs.close()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "went away without an answer"),
        (b'{"ok"', "went away without an answer"),
        (b"SSH-2.0\n", "is no proxy"),
        (b"[1]\n", "is no proxy"),
        (b"\xff\n", "is no proxy"),
    ],
)
def test_what_is_no_answer(
    server: socket.socket, place: Path, monkeypatch: pytest.MonkeyPatch, said: bytes, why: str
) -> None:
    ours, theirs = prepared(server, place, said, end=False)
    theirs.shutdown(socket.SHUT_WR)
    answering(monkeypatch, ours)
    with pytest.raises(NotRunning, match=why):
        list(ask([place], {}))
    theirs.close()


def test_a_proxy_that_hangs_is_not_waited_for(server: socket.socket, place: Path) -> None:
    with pytest.raises(NotRunning, match=r"did not answer within 0\.01 s"):
        ask_once([place], {"request": "status"}, answer_s=0.01)


def test_without_a_proxy_it_says_where_it_looked(tmp_path: Path) -> None:
    stale = tmp_path / "stale.sock"
    with closing(socket.socket(socket.AF_UNIX)) as sock:
        sock.bind(str(stale))
    no, long = tmp_path / "no", tmp_path / ("x" * 200)
    with pytest.raises(NotRunning) as raised:
        dial([no, stale, long])
    assert str(raised.value) == (
        "no proxy can be asked: none runs here "
        f"(tried {no}: No such file or directory; {stale}: Connection refused; "
        f"{long}: AF_UNIX path too long)"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_another_users_proxy(server: socket.socket, place: Path) -> None:
    place.chmod(0)
    with pytest.raises(NotPermitted, match=f"^{place}: not permitted"):
        dial([place, place.parent / "no"])


def test_another_users_proxy_as_the_kernel_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(socket.socket):
        def connect(self, address: object) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("modemproxy.operate.ask.socket.socket", Refusing)
    with pytest.raises(NotPermitted, match="not permitted"):
        dial([tmp_path / "a"])


def test_the_first_that_answers_is_taken(server: socket.socket, place: Path) -> None:
    with closing(dial([place.parent / "no", place])) as sock:
        assert sock.getpeername() == str(place)


def test_the_socket_is_found_by_option_or_configuration(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_socket_arguments(parser)
    assert places_of(parser.parse_args(["--socket", "/a"])) == [Path("/a")]
    file = tmp_path / "c.yaml"
    file.write_text(
        "modem: {port: /dev/x}\nadmin: {socket: /run/b.sock}\ndns: {listen: 127.0.0.1:53}\n"
    )
    assert load(file).admin.socket == Path("/run/b.sock")
    assert places_of(parser.parse_args(["--config", str(file)])) == [Path("/run/b.sock")]
    with pytest.raises(ConfigError):
        places_of(parser.parse_args(["--config", str(tmp_path / "none")]))


def test_asking_does_not_import_trio() -> None:
    commands = ("status", "look", "steer", "events", "usage")
    for module in ("ask", "kept", *(f"{command}_command" for command in commands)):
        code = f"import sys, modemproxy.operate.{module}; print('trio' in sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout == "False\n", module

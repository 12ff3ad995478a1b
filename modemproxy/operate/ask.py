"""Asking the running proxy from a command: without trio, which takes longer than the answer.

::

    for answer in ask(places_of(args), {"request": "events", "follow": True}):
        ...

The asker closes its own direction behind the request, so that the answers end when the
proxy has said everything. What answers over and over must not take that for a caller who
has gone: only a send that fails means that.
"""

import argparse
import errno
import json
import os
import socket
import struct
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from modemproxy.errors import ModemProxyError
from modemproxy.operate.paths import client_places

#: How long the first answer may take when nobody says it, seconds.
ANSWER_S: Final = 30.0
#: A connection is waited for only while very many others are asking.
_CONNECT_S: Final = 5
_LINE_MAX: Final = 1 << 24
_TIMEVAL: Final = struct.Struct("@ll")
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})


class NotRunning(ModemProxyError):
    """No proxy can be asked, or it went away before it answered."""


class NotPermitted(ModemProxyError):
    """There is a socket, and this user may not open it."""


class Declined(ModemProxyError):
    """The proxy said no.

    Args:
        answer: what it said; ``error`` is a sentence.
    """

    def __init__(self, answer: Mapping[str, Any]) -> None:
        super().__init__(f"the proxy says: {answer.get('error', 'no')}")
        self.answer = answer


def add_socket_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--socket`` and ``--config``, by which a command finds the running proxy."""
    parser.add_argument("--socket", metavar="PATH", help="the running proxy's admin socket")
    parser.add_argument("--config", metavar="FILE", help="the running proxy's configuration")


def places_of(args: argparse.Namespace) -> list[Path]:
    """Say where the socket may be.

    Args:
        args: what was parsed with ``add_socket_arguments``.

    Raises:
        ConfigError: the configuration that was named cannot be used.
    """
    return client_places(args.socket, args.config, os.environ)


def dial(places: Iterable[Path]) -> socket.socket:
    """Connect to the first proxy that is there; hardly ever waits, and 5 s at most.

    Args:
        places: where its socket may be, in this order.

    Raises:
        NotRunning: there is none at any of them.
        NotPermitted: there is one, and it is another user's.
    """
    problems: list[str] = []
    denied: list[Path] = []
    for path in places:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # A full queue is not waited for by a socket that has a time-out of Python's.
        limit = _TIMEVAL.pack(_CONNECT_S, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        try:
            sock.connect(str(path))
        except OSError as error:  # without a number when the path is too long for a socket
            sock.close()
            problems.append(f"{path}: {error.strerror or error}")
            if error.errno in _DENIED:
                denied.append(path)
        else:
            return sock
    if denied:
        raise NotPermitted(f"{denied[0]}: not permitted (ask as the user who runs the proxy)")
    raise NotRunning(f"no proxy can be asked: none runs here (tried {'; '.join(problems)})")


def ask(
    places: Iterable[Path],
    request: Mapping[str, object],
    *,
    answer_s: float | None = ANSWER_S,
) -> Generator[dict[str, Any], None, None]:
    """Ask, and give every answer as it comes, until the proxy has no more to say.

    Nothing is asked before the first answer is wanted; leaving the loop hangs up.

    Args:
        places: where the socket may be; the first that answers is taken.
        request: what to ask, by the name in its ``request``.
        answer_s: how long the first answer may take, seconds, None for ever; the others
            may take any time.

    Raises:
        NotRunning: there is no proxy, or none that answers.
        NotPermitted: another user's proxy is there.
    """
    with dial(places) as sock:
        sock.settimeout(answer_s)
        try:
            sock.sendall(json.dumps(request).encode() + b"\n")
            sock.shutdown(socket.SHUT_WR)
            with sock.makefile("rb") as answers:
                yield _parse(answers.readline(_LINE_MAX))
                sock.settimeout(None)
                while line := answers.readline(_LINE_MAX):
                    yield _parse(line)
        except TimeoutError:
            raise NotRunning(f"the proxy did not answer within {answer_s:g} s") from None
        except OSError as error:
            raise NotRunning(f"the proxy went away: {error.strerror or error}") from error


def ask_once(
    places: Iterable[Path],
    request: Mapping[str, object],
    *,
    answer_s: float | None = ANSWER_S,
) -> dict[str, Any]:
    """Ask, and return the first answer, which is not a no.

    The arguments are those of ``ask``.

    Raises:
        NotRunning: there is no proxy, or none that answers.
        NotPermitted: another user's proxy is there.
        Declined: the proxy said no.
    """
    answers = ask(places, request, answer_s=answer_s)
    try:
        answer = next(answers)
    finally:
        answers.close()
    if not answer.get("ok"):
        raise Declined(answer)
    return answer


def _parse(line: bytes) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        raise NotRunning("the proxy went away without an answer")
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise NotRunning("what answers there is no proxy")
    return answer

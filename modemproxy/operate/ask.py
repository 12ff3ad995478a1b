"""Asking the running proxy on its admin socket, without an event loop: for short commands."""

import json
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from modemproxy.errors import ModemProxyError


class NotRunning(ModemProxyError):
    """No proxy can be asked, or it went away before it answered."""


def ask(places: Iterable[Path], request: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    """Ask, and give every answer as it comes, until the proxy has no more to say.

    Args:
        places: where the socket may be; the first that answers is taken.
        request: what to ask.

    Raises:
        NotRunning: there is no proxy, or it ended without an answer.
    """
    with _dial(places) as sock, sock.makefile("rb") as answers:
        line = b""
        try:
            sock.sendall(json.dumps(request).encode() + b"\n")
            sock.shutdown(socket.SHUT_WR)
            for line in answers:
                yield _parse(line)
        except OSError as error:
            raise NotRunning(f"the proxy went away: {error.strerror or error}") from error
        if not line:
            raise NotRunning("the proxy went away without an answer")


def _parse(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise NotRunning("what answers there is no proxy")
    return answer


def _dial(places: Iterable[Path]) -> socket.socket:
    problems = []
    for path in places:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(str(path))
        except OSError as error:
            sock.close()
            problems.append(f"{path}: {error.strerror or error}")
        else:
            return sock
    raise NotRunning(f"no proxy can be asked ({'; '.join(problems)})")

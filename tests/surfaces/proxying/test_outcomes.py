"""Failures in the words of each protocol."""

import ast
from http import HTTPStatus
from pathlib import Path

import pytest

import modemproxy.surfaces.proxying
from modemproxy.errors import (
    LineSilent,
    LinkRefused,
    LinkReset,
    LocalProtocolError,
    LookupFailed,
    ModuleRebooted,
    NetworkError,
    NoFreeLink,
    NotReady,
)
from modemproxy.surfaces.proxying.hosts import UnfitHost
from modemproxy.surfaces.proxying.outcomes import DestinationDenied, verdict
from modemproxy.surfaces.proxying.socks5 import Reply


def refused(code: int | None) -> LinkRefused:
    return LinkRefused("example.com:443", "words", code)


@pytest.mark.parametrize(
    ("error", "socks", "http"),
    [
        (refused(1), Reply.NETWORK_UNREACHABLE, 502),
        (refused(2), Reply.NETWORK_UNREACHABLE, 503),
        (refused(3), Reply.GENERAL_FAILURE, 502),
        (refused(4), Reply.CONNECTION_REFUSED, 502),
        (refused(8), Reply.GENERAL_FAILURE, 503),
        (refused(10), Reply.TTL_EXPIRED, 504),
        (refused(11), Reply.HOST_UNREACHABLE, 502),
        (refused(12), Reply.GENERAL_FAILURE, 502),
        (refused(255), Reply.GENERAL_FAILURE, 502),
        (refused(None), Reply.GENERAL_FAILURE, 502),
        (LookupFailed("example.com", "DNS error", 10), Reply.HOST_UNREACHABLE, 502),
        (NoFreeLink("all in use"), Reply.GENERAL_FAILURE, 503),
        (NotReady("not connected within 30 s"), Reply.NETWORK_UNREACHABLE, 504),
        (NetworkError("gone"), Reply.NETWORK_UNREACHABLE, 503),
        (LineSilent("AT"), Reply.NETWORK_UNREACHABLE, 503),
        (ModuleRebooted("boot"), Reply.NETWORK_UNREACHABLE, 503),
        (LinkReset("why"), Reply.GENERAL_FAILURE, 502),
        (DestinationDenied("example.com:25"), Reply.NOT_ALLOWED, 403),
        (UnfitHost("a quote"), Reply.NOT_ALLOWED, 400),
        (LocalProtocolError("text not fit"), Reply.NOT_ALLOWED, 400),
        (RuntimeError("a bug"), Reply.GENERAL_FAILURE, 502),
    ],
)
def test_each_failure_has_its_code(error: Exception, socks: Reply, http: int) -> None:
    told = verdict(error)
    assert (told.socks, told.http) == (socks, http)
    assert HTTPStatus(told.http).phrase
    assert told.sentence.endswith(".")
    assert str(error) not in told.sentence


def test_the_package_is_sans_io() -> None:
    """Bytes in, events out: no runtime, no clock, no sockets, no log."""
    for path in Path(modemproxy.surfaces.proxying.__path__[0]).glob("*.py"):
        names = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module or "")
        rooms = {name.partition(".")[0] for name in names}
        assert not rooms & {"trio", "logging", "time", "socket", "os", "random"}, path
        own = {name for name in names if name.startswith("modemproxy.")}
        below = ("config.checks", "at.results", "errors", "surfaces.proxying.")
        assert all(name.removeprefix("modemproxy.").startswith(below) for name in own), path

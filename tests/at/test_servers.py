"""Servers on the module: exact text, dialects of refusal, and whose links are whose."""

import pytest

from modemproxy.at.dte import Broken, Completed, Dte, Event, Failed
from modemproxy.at.results import Dialect
from modemproxy.at.servers import OpenRow, QueryOpen, QueryServers, StartServer, StopServer
from modemproxy.at.urcs import ClientConnected, LinkOpened
from modemproxy.errors import RemoteProtocolError


def say(dte: Dte, *lines: bytes) -> list[Event]:
    dte.receive_data(b"".join(b"\r\n" + line + b"\r\n" for line in lines))
    events = []
    while (event := dte.next_event()) is not None:
        events.append(event)
    return events


def test_texts() -> None:
    assert StartServer(2, 8080).text == "+SERVERSTART=8080,2,3"
    assert StartServer(2, 8080, backlog=None).text == "+SERVERSTART=8080,2"
    assert StopServer(2).text == "+SERVERSTOP=2"
    assert QueryServers().text == "+SERVERSTART?"
    assert QueryOpen().text == "+CIPOPEN?"


def test_a_server_that_listens_already_is_refused_in_the_ciperror_dialect() -> None:
    dte = Dte()
    dte.send(StartServer(0, 80))
    (event,) = say(dte, b"+CIPERROR: 7", b"ERROR")
    assert isinstance(event, Failed)
    assert (event.failure.dialect, event.failure.code) == (Dialect.CIPERROR, 7)


def test_a_far_client_that_comes_in_behind_ok_is_news() -> None:
    dte = Dte()
    dte.send(StartServer(0, 80))
    done, news = say(dte, b"OK", b"+CLIENT: 0,0,192.0.2.1:57202")
    assert isinstance(done, Completed)
    assert news == ClientConnected(0, 0, "192.0.2.1:57202")


TEN = [b"+CIPOPEN: 0", b'+CIPOPEN: 1,"TCP","192.0.2.1",57202,0']
TEN += [b"+CIPOPEN: %d" % number for number in range(2, 8)]
TEN += [b'+CIPOPEN: 8,"TCP","203.0.113.4",443,-1', b'+CIPOPEN: 9,"UDP","",0,-1']


def test_the_list_of_links_tells_who_came_in_and_whom_we_called() -> None:
    assert QueryOpen().parse(TEN) == {
        1: OpenRow(1, "TCP", "192.0.2.1", 57202, 0),
        8: OpenRow(8, "TCP", "203.0.113.4", 443, -1),
        9: OpenRow(9, "UDP", "", 0, -1),
    }


@pytest.mark.parametrize(
    "line", [b'+CIPOPEN: 9,"UDP",,,50000', b'+CIPOPEN: 9,"UDP SERVER","",0,-1']
)
def test_a_udp_link_is_never_a_far_client(line: bytes) -> None:
    assert QueryOpen().parse([line])[9].server == -1


@pytest.mark.parametrize(
    "line",
    [b'+CIPOPEN: 1,"TCP","192.0.2.1",57202', b'+CIPOPEN: x,"TCP","192.0.2.1",57202,0'],
)
def test_a_line_that_lost_bytes_is_not_believed(line: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        QueryOpen().parse([line])


def test_the_result_of_an_open_in_the_midst_of_the_list_is_not_part_of_it() -> None:
    dte = Dte()
    dte.send(QueryOpen())
    result, done = say(dte, *TEN[:4], b"+CIPOPEN: 3,0", *TEN[4:], b"OK")
    assert result == LinkOpened(3, 0)
    assert isinstance(done, Completed)
    assert len(QueryOpen().parse(TEN)) == 3


def test_an_answer_without_lines_is_damaged() -> None:
    dte = Dte()
    dte.send(QueryOpen())
    (event,) = say(dte, b"OK")
    assert isinstance(event, Broken)

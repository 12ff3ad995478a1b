"""Which links are open, in one line of digits: one lost byte makes others of them."""

import pytest

from modemproxy.at.tcpip import QueryLinks
from modemproxy.errors import RemoteProtocolError

TEN = b"0,1,0,0,0,1,0,0,1,0"


def states_of(answer: bytes, count: int | None) -> tuple[bool, ...]:
    return QueryLinks(count).parse([b"+CIPCLOSE: " + answer])


@pytest.mark.parametrize("count", [None, 10])
@pytest.mark.parametrize(
    "states",
    [
        b"0,0,0,0,01,0,0,1,0",  # a comma is lost: one link fewer, and others
        b"0,0,0,0,0,,0,0,1,0",
        b"0,0,0,0,0,1,0,0,1,0,0",
        b"0,0,0,0,0,x,0,0,1,0",
        b"0,1,0",
    ],
)
def test_the_states_of_links_are_single_digits(states: bytes, count: int | None) -> None:
    with pytest.raises(RemoteProtocolError):
        states_of(states, count)


@pytest.mark.parametrize("lost", range(1, len(TEN)))
def test_lost_bytes_never_pass_for_an_answer(lost: int) -> None:
    for start in range(len(TEN) - lost + 1):
        with pytest.raises(RemoteProtocolError):
            states_of(TEN[:start] + TEN[start + lost :], 10)


def test_the_number_of_links_is_learned() -> None:
    assert states_of(b"0,1,0,0", None) == (False, True, False, False)
    assert states_of(b"0,1,0,0", 4) == (False, True, False, False)
    assert len(states_of(b"0,0,0,0,0", None)) == 5
    assert len(states_of(TEN, None)) == 10
    with pytest.raises(RemoteProtocolError):
        states_of(TEN, 4)

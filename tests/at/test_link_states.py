"""Which links are open, in one line of digits: one lost byte makes others of them."""

import pytest

from modemproxy.at.tcpip import QueryLinks
from modemproxy.errors import RemoteProtocolError


@pytest.mark.parametrize(
    "states",
    [
        b"0,0,0,0,01,0,0,1,0",  # a comma is lost: one link fewer, and others
        b"0,0,0,0,0,1,0,0,1",
        b"0,0,0,0,0,,0,0,1,0",
        b"0,0,0,0,0,1,0,0,1,0,0",
        b"0,0,0,0,0,x,0,0,1,0",
    ],
)
def test_the_states_of_links_are_ten_digits_or_nothing(states: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        QueryLinks().parse([b"+CIPCLOSE: " + states])


def test_a_lost_byte_never_passes_for_an_answer() -> None:
    whole = b"0,1,0,0,0,1,0,0,1,0"
    for lost in range(len(whole)):
        with pytest.raises(RemoteProtocolError):
            QueryLinks().parse([b"+CIPCLOSE: " + whole[:lost] + whole[lost + 1 :]])


def test_the_smaller_family_has_four_links() -> None:
    assert QueryLinks().parse([b"+CIPCLOSE: 0,1,0,0"]) == (False, True, False, False)

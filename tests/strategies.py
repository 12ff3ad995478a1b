"""Hypothesis strategies and cutting helpers shared by the tests of every floor."""

import itertools
from collections.abc import Iterator, Sequence

from hypothesis import strategies as st

#: Payloads made to be mistaken for dialogue.
HOSTILE_PAYLOADS: tuple[bytes, ...] = (
    b"\r\nOK\r\n",
    b"\r\nERROR\r\n",
    b">",
    b"\r\n>",
    b"\r\n> ",
    b"\r\n+IPCLOSE: 3,1\r\n",
    b"\r\n+CIPRXGET: 2,3,4,0\r\nabcd\r\nOK\r\n",
    b"\r\nRDY\r\n",
    b"\0\0\0\0",
    b"\x1a\x1b",
    b"+++",
    b"\r",
    b"\n",
    b"\r\n\r\n",
    b"AT+CIPCLOSE=3\r",
    bytes(range(256)),
)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Cut into pieces of ``size`` bytes; 0 is whole."""
    step = size or max(1, len(data))
    for start in range(0, len(data), step):
        yield data[start : start + step]


@st.composite
def cuts(draw: st.DrawFn, size: int) -> list[int]:
    """Ascending places at which to cut ``size`` bytes."""
    places = draw(st.lists(st.integers(0, size), max_size=12))
    return sorted({0, size, *places})


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """Cut ``data`` at ``places``."""
    return [data[a:b] for a, b in itertools.pairwise(places)]


def chopped(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """``data`` in pieces, none of them empty."""
    return cuts(len(data)).map(lambda places: cut(data, places))


#: Bytes between which a parser may be tempted to see structure.
hostile_bytes: st.SearchStrategy[bytes] = st.lists(
    st.one_of(
        st.sampled_from(HOSTILE_PAYLOADS),
        st.sampled_from(
            [
                b"OK",
                b"ERROR",
                b"\r\n",
                b"+CIPRXGET: 2,0,",
                b"+CIPRXGET: 1,3",
                b"+IPD5",
                b"+RECEIVE,0,7:",
                b"+CIPSEND: 3,5,5",
                b"+CME ERROR: 3",
                b"+IP ERROR: No data",
                b"+CGDCONT: 1,",
                b'"',
                b",",
                b"9" * 5000,
                b"x" * 4100,
            ]
        ),
        st.binary(max_size=8),
    ),
    max_size=14,
).map(b"".join)

hostile_payload: st.SearchStrategy[bytes] = hostile_bytes.filter(bool).map(lambda b: b[:1500])

#: Lines a module says on its own, harmless to whatever is in flight.
URC_LINES: tuple[bytes, ...] = (
    b"+CIPRXGET: 1,7",
    b"+IPCLOSE: 8,1",
    b"+CIPOPEN: 7,0",
    b"+CIPSEND: 7,5,5",
    b"+CIPCLOSE: 7,0",
    b"+CLIENT: 6,0,10.0.0.9:4321",
    b"+CEREG: 1",
    b"+CGEV: EPS PDN DEACT 1",
    b"SMS DONE",
    b"PB DONE",
    b"+SOMETHING: new",
)

urc_lines: st.SearchStrategy[list[bytes]] = st.lists(st.sampled_from(URC_LINES), max_size=2)

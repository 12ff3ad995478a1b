"""The judge itself: every kind of lie has to be seen, or all rows hold for nothing."""

import trio

from tests.matrix.harness import row
from tests.matrix.judge import code_of, fate, lies
from tests.matrix.roles import Role
from tests.matrix.rows import CR, ROWS, X1, XA, Row, T
from tests.matrix.traffic import Connection, FarEnd
from tests.matrix.world import World

_ROLE = Role("small", ((100, 200),))


def _ended(end: str, up: int = 100, down: int = 200, *, victim: bool = False) -> Connection:
    """A connection that ended like that after so many bytes; ``up`` -1: no far side."""
    connection = Connection(1 + victim, f"{end} {victim}", _ROLE, victim=victim)
    if up >= 0:
        far = FarEnd(bytearray(connection.up[:up]), bytearray(connection.up[:up]))
        connection.fars.append(far)
    connection.received += connection.down[:down]
    connection.end = end  # type: ignore[assignment]
    connection.over.set()
    return connection


async def test_fates(autojump_clock: trio.testing.MockClock) -> None:
    assert fate(_ended("FIN")) == "T"
    assert fate(_ended("left")) == "T"
    assert fate(_ended("FIN", down=199)) == "cut"
    assert fate(_ended("FIN", up=99)) == "cut"
    assert fate(_ended("RST")) == "RST"
    assert fate(_ended("RST", -1, 0)) == "CR"
    unfinished = _ended("FIN")
    unfinished.over = trio.Event()
    assert fate(unfinished) == "stuck"


async def test_codes(autojump_clock: trio.testing.MockClock) -> None:
    whole, reset = _ended("FIN"), _ended("RST", 50, 50)
    victim_reset = _ended("RST", 50, 50, victim=True)
    refused = _ended("RST", -1, 0, victim=True)
    assert code_of([whole, _ended("left", victim=True)], (T,)) == T
    assert code_of([whole, victim_reset], (X1,)) == X1
    assert code_of([reset, victim_reset], (X1,)) == XA
    assert code_of([whole, refused], (CR,)) == CR
    assert code_of([reset, _ended("FIN", victim=True)], (X1,)) == "!"
    assert code_of([whole, _ended("FIN", down=3, victim=True)], (T,)) == "!"


async def test_lies_about_bytes_are_seen(autojump_clock: trio.testing.MockClock) -> None:
    for end in ("FIN", "RST", "left"):
        assert lies(_ended(end)) == []
    assert lies(_ended("RST", 7, 8)) == []
    assert any("FIN after 199" in lie for lie in lies(_ended("FIN", down=199)))
    assert any("has not got everything" in lie for lie in lies(_ended("FIN", up=99)))

    for spoil in (b"AT\r", b"x"):
        told = _ended("RST", 50, 50)
        told.fars[0].reached += spoil
        assert any("far side was sent foreign bytes at 50" in lie for lie in lies(told))
    doubled = _ended("RST", 50, 50)
    doubled.received += doubled.down[40:50]
    assert any("client got foreign bytes at 50" in lie for lie in lies(doubled))
    too_much = _ended("FIN")
    too_much.received += b"!"
    assert any("client got foreign bytes at 200" in lie for lie in lies(too_much))


def _play_row(number: int, text: str, expected: str, limit_s: float, body: object) -> str:
    """Make a row, play it, and take it out again; return its problems."""
    try:
        row(number, text, expected, limit_s)(body)  # type: ignore[arg-type]
        made: Row = ROWS[number]
        return "; ".join(made.run(made, made.cases[0]).problems)
    finally:
        ROWS.pop(number, None)


async def _late_prompt(w: World) -> None:
    victim = await w.start("upload")
    w.inject("prompt_late", link=victim.link, delay_s=4, times=1)


async def _far_close(w: World) -> None:
    victim = await w.start("upload")
    w.inject("far_close", link=victim.link, code=2)


async def _nothing(w: World) -> None:
    await w.start("upload")


def test_a_row_fails_by_its_time_its_code_and_for_want_of_a_fault() -> None:
    assert "allowed" in _play_row(901, "too slow", "T", 1.0, _late_prompt)
    assert _play_row(902, "in time", "T", 5.0, _late_prompt) == ""
    assert "X1 instead of T" in _play_row(903, "wrong code", "T", 5.0, _far_close)
    assert _play_row(904, "right code", "X1", 5.0, _far_close) == ""
    assert "never struck" in _play_row(905, "no fault", "T", 5.0, _nothing)

"""The escape sequence and its guard times (protocol.md 10, and 18 line 54)."""

import pytest

from modemproxy.emulator.escape import EscapeWatch


def run(*steps: tuple[float, bytes], until: float) -> tuple[bytes, bool]:
    """Feed bytes at times, letting deadlines pass as they come; data mode begins at 0."""
    watch = EscapeWatch(0)
    data = b""
    for when, piece in (*steps, (until, b"")):
        deadline = watch.deadline()
        if deadline is not None and deadline <= when:
            given_up, escaped = watch.silence()
            data += given_up
            if escaped:
                return data, True
        if piece:
            data += watch.feed(piece, when)
    return data, False


@pytest.mark.parametrize(
    "steps",
    [
        [(1.0, b"+++")],
        [(5.0, b"+"), (5.89, b"+"), (6.78, b"+")],
        [(0.2, b"data"), (1.2, b"+"), (1.3, b"++")],
        # the first attempt is too slow, and the silence makes a second one of its last plus
        [(2.0, b"++"), (3.5, b"+++")],
    ],
)
def test_it_escapes_with_silence_around_and_little_between(
    steps: list[tuple[float, bytes]],
) -> None:
    data, escaped = run(*steps, until=100)
    assert escaped
    assert not data.endswith(b"+++")


@pytest.mark.parametrize(
    "steps",
    [
        [(0.99, b"+++")],  # silence before it too short
        [(2.0, b"+++"), (2.99, b"x")],  # silence after it too short
        [(2.0, b"++"), (2.95, b"+")],  # too slow
        [(2.0, b"++++")],  # one too many
        [(2.0, b"++x")],
        [(2.0, b"x+++")],
        [(2.0, b"+++x")],
        [(2.0, b"++")],
        [(2.0, b"+"), (2.1, b"+++")],
    ],
)
def test_otherwise_every_plus_is_data(steps: list[tuple[float, bytes]]) -> None:
    assert run(*steps, until=100) == (b"".join(piece for _, piece in steps), False)


def test_nothing_is_kept_back_without_silence() -> None:
    watch = EscapeWatch(0)
    assert watch.feed(b"abc", 0.5) == b"abc"
    assert watch.feed(b"+", 0.6) == b"+"
    assert watch.deadline() is None

"""The player of transcripts itself: it fails at the first difference."""

import pytest
import trio
import trio.testing

from tests.transcript import Mismatch, Player, filler, parse

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize(
    ("text", "said", "message"),
    [
        (
            "> AT+CIPSEND=3,5",
            b"AT+CIPSEND=3,6\r",
            "expected  > AT.CIPSEND=3,5\n.*> AT.CIPSEND=3,6",
        ),
        (">| a\\x00b", b"a\x01", "differs at byte 1"),
        ("@ 1", b"AT\r", "silence was due"),
        ("> AT", b"A", "closed the line"),
    ],
)
async def test_the_player_fails_at_the_first_difference(
    text: str, said: bytes, message: str
) -> None:
    dte, dce = trio.testing.memory_stream_pair()
    player = Player(dce, parse(text))
    await dte.send_all(said)
    await dte.aclose()
    with pytest.raises(Mismatch, match=f"(?s){message}"):
        await player.run()


@pytest.mark.parametrize("text", ["AT", "<OK", "@ soon", "! stop", "? what"])
def test_what_is_no_notation_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"line 1|could not convert"):
        parse(text)


def test_placeholders_and_masks() -> None:
    [said, masked, taken] = parse("<| a{3}b\n> AT+CPIN=**\n>| {2}")
    assert said.data == tuple(b"a" + filler(3) + b"b")
    assert masked.data == (*b"AT+CPIN=", None, None, 0x0D)
    assert taken.data == (None, None)

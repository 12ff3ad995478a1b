"""Far hosts that speak and close, and output that loses lines."""

from collections.abc import Callable

from modemproxy.emulator.far_stream import FarStream
from modemproxy.emulator.output import Piece

from .rig import HOSTILE, Rig

BULK = (HOSTILE * 60)[:20000]


def speaker(r: Rig, data: bytes, port: int = 80, *, wait_for: int = 0) -> list[bytes]:
    """Listen on ``port``: take ``wait_for`` bytes, say ``data``, close; return what came."""
    heard: list[bytes] = []

    async def handler(stream: FarStream) -> None:
        got = b""
        while len(got) < wait_for:
            got += await stream.receive_some()
        heard.append(got)
        await stream.send_all(data)

    r.listen(handler, port)
    return heard


def without(*needles: bytes) -> Callable[[Piece, bytes], bytes]:
    """Make a tap on the module's output that loses pieces with these words."""

    def tap(piece: Piece, data: bytes) -> bytes:
        return b"" if any(needle in data for needle in needles) else data

    return tap

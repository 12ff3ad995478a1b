"""Row F58: the module gives a far client the number that an open has just asked for.

The far client keeps the number and has every byte of its own; the open goes on under
another number, and its client notices nothing but a moment. The two reports, of the client
and of the open, come in each of the orders that there are.
"""

from typing import Final

import trio

from modemproxy.config import Server
from modemproxy.config.checks import Endpoint
from modemproxy.module.servers import FarClient
from tests.matrix.harness import Rules, row
from tests.matrix.rows import T, case
from tests.matrix.world import World

_PORT: Final = 8080
_WEB: Final = Server(name="web", port=_PORT, connect=Endpoint("127.0.0.1", 80), allow=())
#: With everything in it that means something to somebody.
_WORDS: Final = b"OK\r\n>\x1a+++\r\n+IPCLOSE: 9,1\r\n" * 40
_ORDERS: Final = ("client_first", "refusal_first", "ok_first", "result_first", "no_result")


class _Echo:
    """Gives far clients back what they say."""

    def __init__(self, w: World, nursery: trio.Nursery) -> None:
        self.numbers: list[int] = []
        self._nursery = nursery
        w.on_far_client = self._receive

    def _receive(self, far: FarClient) -> None:
        self.numbers.append(far.link.number)
        self._nursery.start_soon(self._serve, far)

    async def _serve(self, far: FarClient) -> None:
        async for data in far.link:
            await far.link.send_all(data)
        far.link.abort()


async def _talk(w: World) -> None:
    """Be a far client that says all it has, hears it again, and closes."""
    far = w.internet.connect_to_server(_PORT)
    heard = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(far.send_all, _WORDS)
        while len(heard) < len(_WORDS) and (data := await far.receive_some()):
            heard += data
    w.notes["far client is whole"] = heard == _WORDS
    await trio.sleep(3)  # an acknowledgement of its last bytes is waited for
    await far.aclose()


def _judge(w: World, calm: World | None) -> list[str]:
    problems = []
    for each in (w, calm):
        if each is not None and not each.notes.get("far client is whole"):
            problems.append("the far client has not heard all it said")
    if not w.notes.get("moved"):
        problems.append("the open did not go on under another number")
    return problems


@row(
    58,
    "+CLIENT on a link just picked for CIPOPEN",
    [case(order.replace("_", " "), T, 3.0, order=order) for order in _ORDERS],
    rules=Rules(check=_judge),
    servers=(_WEB,),
)
async def test_f58(w: World, order: str) -> None:
    async with trio.open_nursery() as nursery:
        echo = _Echo(w, nursery)
        await w.start("download", others=["upload"])
        w.inject("collision", order=order, times=1, hold_s=2.0)
        nursery.start_soon(_talk, w)
        await trio.sleep(0.1)
        opened = w.connect("echo", victim=True)
        await opened.wait(lambda: opened.received)
        w.notes["moved"] = opened.link not in echo.numbers
        await w.finish()
        with trio.fail_after(60):
            while "far client is whole" not in w.notes:  # noqa: ASYNC110
                await trio.sleep(0.1)
    w.notes["moved"] = w.notes["moved"] and len(echo.numbers) == 1

"""Datagram links on the rig, and far sides for them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import trio

from modemproxy.emulator.memory import FarDatagrams
from modemproxy.module.claims import Claim
from modemproxy.module.datagram_link import DatagramLink

from .rig import FAR, Rig


def far_udp(
    r: Rig, answer: Callable[[bytes], list[bytes]] = lambda data: [], port: int = 53
) -> FarDatagrams:
    """Have a far host with a UDP port."""
    return r.internet.listen_udp(FAR, port, answer)


def echo_udp(r: Rig, port: int = 53) -> FarDatagrams:
    """RFC 862, for UDP."""
    return far_udp(r, lambda data: [data], port)


def udp(
    r: Rig, host: str = FAR, port: int = 53, *, weight: float = 2.0
) -> AbstractAsyncContextManager[DatagramLink]:
    """Open a datagram link."""
    claim = Claim("test", "127.0.0.1", weight)
    return r.session.open_datagrams(host, port, claim=claim, queue_s=10)


async def receive_all(link: DatagramLink, quiet_s: float = 3.0) -> list[bytes]:
    """Receive until nothing has come for a while."""
    got: list[bytes] = []
    while True:
        with trio.move_on_after(quiet_s):
            got.append(await link.receive())
            continue
        return got

"""Clients that a proxy talks to itself: bytes read too far, and a last word."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from modemproxy.config import Endpoint
from modemproxy.surfaces.client import ClientConnection
from modemproxy.surfaces.listening import bind_tcp

from .stand import end_of, reset

pytestmark = pytest.mark.timeout(20)


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[ClientConnection, trio.SocketStream]]:
    """The proxy's end of a connection, and the client's own."""
    listener = bind_tcp("test", Endpoint("127.0.0.1", 0))
    async with listener:
        ours = trio.socket.socket()
        await ours.connect(listener.socket.getsockname())
        accepted = await listener.accept()
        async with trio.SocketStream(ours) as program, ClientConnection(accepted) as client:
            yield client, program


async def test_what_was_pushed_back_is_read_again_first() -> None:
    async with pair() as (client, program):
        await program.send_all(b"fourth")
        client.push_back(b"third")
        client.push_back(b"firstsecond")
        got = b""
        while len(got) < 22:
            piece = await client.receive_some(4)
            assert 0 < len(piece) <= 4
            got += piece
        assert got == b"firstsecondthirdfourth"
        client.push_back(b"")
        await program.send_eof()
        assert await client.receive_some() == b""


async def test_the_last_words_arrive_although_the_client_was_still_talking() -> None:
    async with pair() as (client, program):
        await program.send_all(b"x" * 5000)  # unread: closing now would be a reset
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.dismiss, b"no")
            assert await program.receive_some() == b"no"
            assert await program.receive_some() == b""
            await program.send_eof()
        await client.aclose()
        assert await end_of(program) == (b"", "FIN")


async def test_a_client_that_keeps_talking_is_let_go_after_two_seconds(
    patient_clock: MockClock,
) -> None:
    async with pair() as (client, program):
        await program.send_all(b"x")
        started = trio.current_time()
        await client.dismiss(b"no")
        assert trio.current_time() - started == pytest.approx(2, abs=0.2)


async def test_a_client_that_resets_needs_no_last_words() -> None:
    async with pair() as (client, program):
        await program.send_all(b"x")
        await reset(program)
        await client.dismiss(b"no" * 1000)


async def test_the_address_that_a_client_connected_to() -> None:
    async with pair() as (client, program):
        assert client.local_host == "127.0.0.1"
        assert client.peer == f"127.0.0.1:{program.socket.getsockname()[1]}"
        assert program.socket.family is socket.AF_INET

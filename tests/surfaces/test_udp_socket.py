"""A host's UDP port on real sockets: who sent what, and answers from where it was sent to."""

import socket

import pytest
import trio

from modemproxy.config.checks import Endpoint
from modemproxy.errors import ConfigError
from modemproxy.surfaces.udp_socket import HostPort, bind_udp


async def _client(family: int, host: str, port: int) -> trio.socket.SocketType:
    """A client that takes answers from where it asked only."""
    sock = trio.socket.socket(family, socket.SOCK_DGRAM)
    await sock.connect((host, port))
    return sock


async def _echo_once(port: HostPort) -> bytes:
    data, peer = await port.receive()
    assert await port.send(data.upper(), peer)
    return data


@pytest.mark.parametrize(
    ("listen", "ask"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.2"),
        ("0.0.0.0", "127.3.4.5"),
        ("::1", "::1"),
        ("::", "::1"),
    ],
)
async def test_the_answer_comes_from_where_the_question_went(listen: str, ask: str) -> None:
    port = bind_udp("dns", Endpoint(listen, 0))
    family = socket.AF_INET6 if ":" in ask else socket.AF_INET
    try:
        with await _client(family, ask, port.port) as client, trio.fail_after(5):
            await client.send(b"question")
            assert await _echo_once(port) == b"question"
            assert await client.recv(100) == b"QUESTION"
    finally:
        port.close()


async def test_a_sender_has_a_host_and_a_name_for_the_log() -> None:
    port = bind_udp("dns", Endpoint("127.0.0.1", 0))
    try:
        with await _client(socket.AF_INET, "127.0.0.1", port.port) as client:
            await client.send(b"")
            data, peer = await port.receive()
            ours = client.getsockname()
    finally:
        port.close()
    assert data == b""
    assert peer.host == "127.0.0.1"
    assert str(peer) == f"127.0.0.1:{ours[1]}"


async def test_a_client_that_has_gone_away_does_no_harm() -> None:
    port = bind_udp("dns", Endpoint("127.0.0.1", 0))
    try:
        with await _client(socket.AF_INET, "127.0.0.1", port.port) as client:
            await client.send(b"x")
            _, peer = await port.receive()
        await port.send(b"to nobody", peer)
        with await _client(socket.AF_INET, "127.0.0.1", port.port) as client:
            await client.send(b"next")
            assert await _echo_once(port) == b"next"
    finally:
        port.close()


async def test_a_datagram_the_kernel_does_not_take_is_said_to_be_lost() -> None:
    port = bind_udp("dns", Endpoint("127.0.0.1", 0))
    try:
        with await _client(socket.AF_INET, "127.0.0.1", port.port) as client:
            await client.send(b"x")
            _, peer = await port.receive()
            assert not await port.send(bytes(70000), peer)
    finally:
        port.close()


async def test_a_port_that_is_taken_is_the_users_to_solve() -> None:
    port = bind_udp("dns", Endpoint("127.0.0.1", 0))
    try:
        with pytest.raises(ConfigError, match="dns: cannot listen on 127"):
            bind_udp("dns", Endpoint("127.0.0.1", port.port))
    finally:
        port.close()

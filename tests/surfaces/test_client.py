"""What the kernel tells about a client, on real loopback sockets."""

import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from modemproxy.surfaces.client import ClientConnection, is_orphan

pytestmark = pytest.mark.timeout(20)

FAMILIES = ["IPv4", "IPv6", "v4-mapped"]


def pair(kind: str = "IPv4") -> tuple[ClientConnection, socket.socket]:
    """A client's connection, and the client's own socket."""
    family = socket.AF_INET if kind == "IPv4" else socket.AF_INET6
    with socket.socket(family) as listener:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("127.0.0.1" if kind == "IPv4" else "::", 0))
        listener.listen()
        target = {"IPv4": "127.0.0.1", "IPv6": "::1", "v4-mapped": "127.0.0.1"}[kind]
        program = socket.create_connection((target, listener.getsockname()[1]))
        accepted, _ = listener.accept()
    return ClientConnection(
        trio.SocketStream(trio.socket.from_stdlib_socket(accepted))
    ), program


def state(client: ClientConnection) -> str:
    """What is known about the client."""
    return "broken" if client.broken else "gone" if client.gone else "here"


def end_of(program: socket.socket) -> str:
    """Read the client's end: FIN or RST."""
    program.settimeout(5)
    try:
        while program.recv(65536):
            pass
    except ConnectionResetError:
        return "RST"
    return "FIN"


@pytest.fixture
def clock() -> MockClock:
    return MockClock(autojump_threshold=0.02)


async def test_closing_is_a_reset(clock: MockClock) -> None:
    client, program = pair()
    await client.aclose()
    assert end_of(program) == "RST"
    program.close()


async def test_closing_behind_finish_is_a_fin(clock: MockClock) -> None:
    client, program = pair()
    await client.send_all(b"all of it")
    client.finish()
    await client.aclose()
    assert program.recv(100) == b"all of it"
    assert end_of(program) == "FIN"
    program.close()


@pytest.mark.parametrize("kind", FAMILIES)
async def test_a_client_that_closed_is_gone_and_one_that_shut_down_is_not(
    clock: MockClock, kind: str
) -> None:
    client, program = pair(kind)
    assert state(client) == "here"
    program.shutdown(socket.SHUT_WR)
    assert await client.receive_some() == b""
    assert state(client) == "here"
    await client.send_all(b"answer")
    assert program.recv(100) == b"answer"
    program.close()
    await trio.sleep(0.1)
    assert state(client) == "gone"
    await client.aclose()


@pytest.mark.parametrize("kind", FAMILIES)
async def test_a_client_that_closed_at_once_is_gone(clock: MockClock, kind: str) -> None:
    client, program = pair(kind)
    program.sendall(b"job")
    program.close()
    assert await client.receive_some() == b"job"
    assert await client.receive_some() == b""
    assert client.gone
    await client.aclose()


async def test_a_client_that_reset_is_broken(clock: MockClock) -> None:
    client, program = pair()
    assert state(client) == "here"
    program.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    program.close()
    await trio.sleep(0.1)
    assert state(client) == "broken"
    with pytest.raises(trio.BrokenResourceError):
        await client.receive_some()
    await client.aclose()


async def test_flush_waits_until_the_client_has_taken_everything(clock: MockClock) -> None:
    client, program = pair()
    data = bytes(range(256)) * 12_000
    with trio.move_on_after(0.1):
        await client.send_all(data)
    assert not await client.flush(0.2)
    assert client.unsent > 0
    program.setblocking(False)
    got = bytearray()

    async def read() -> None:
        while True:
            await trio.lowlevel.wait_readable(program)
            try:
                got.extend(program.recv(300_000))
            except ConnectionResetError:
                return

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        assert await client.flush(60)
        assert client.unsent == 0
        await client.aclose()  # a reset, and it destroys nothing
    assert len(got) > 100_000
    assert data.startswith(got)
    program.close()


async def test_flush_does_not_wait_for_a_client_that_is_gone(clock: MockClock) -> None:
    client, program = pair()
    with trio.move_on_after(0.1):
        await client.send_all(b"x" * 10_000_000)
    program.close()  # with unread bytes: the kernel resets
    started = trio.current_time()
    await client.flush(60)
    assert trio.current_time() - started < 1
    await client.aclose()


async def test_the_peer_is_named_for_the_log(clock: MockClock) -> None:
    for kind, form in (("IPv4", "127.0.0.1:%d"), ("IPv6", "[::1]:%d")):
        client, program = pair(kind)
        assert client.peer == form % program.getsockname()[1]
        program.close()
        await client.aclose()


# -- the kernel's table, played --------------------------------------------------------------

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
LINE = "   0: {local} {remote} {state} 0:0 00:0 0        0        0 {inode} 1 0\n"


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., list[Path]]:
    def write(*entries: tuple[str, str, str, str]) -> list[Path]:
        path = tmp_path / "tcp"
        lines = [
            LINE.format(local=local, remote=remote, state=state, inode=inode)
            for local, remote, state, inode in entries
        ]
        path.write_text(HEAD + "".join(lines))
        return [path]

    return write


ENDS = ("127.0.0.1", 43981), ("127.0.0.1", 1883)
LOCAL, REMOTE = "0100007F:ABCD", "0100007F:075B"


@pytest.mark.parametrize(
    ("state", "inode", "orphan"),
    [
        ("01", "12345", False),  # ESTABLISHED
        ("04", "12345", False),  # FIN_WAIT1 of a shutdown
        ("05", "12345", False),  # FIN_WAIT2 of a shutdown
        ("04", "0", True),  # FIN_WAIT1 of a close
        ("05", "0", True),
        ("06", "0", True),  # TIME_WAIT
    ],
)
def test_an_entry_without_an_inode_is_an_orphan(
    table: Callable[..., list[Path]], state: str, inode: str, orphan: bool
) -> None:
    other = ("0100007F:ABCE", REMOTE, "06", "0")
    mirrored = (REMOTE, LOCAL, "08", "999")
    tables = table(other, mirrored, (LOCAL, REMOTE, state, inode))
    assert is_orphan(*ENDS, tables) is orphan


def test_an_entry_in_the_other_table_is_found_by_its_mapped_address(
    table: Callable[..., list[Path]],
) -> None:
    mapped = "0000000000000000FFFF0000"
    tables = table((mapped + LOCAL, mapped + REMOTE, "05", "0"))
    assert is_orphan(*ENDS, tables)
    assert is_orphan(("::ffff:127.0.0.1", 43981), ("::ffff:127.0.0.1", 1883), tables)


def test_a_client_elsewhere_is_no_orphan(
    table: Callable[..., list[Path]], tmp_path: Path
) -> None:
    assert not is_orphan(*ENDS, table())
    assert not is_orphan(*ENDS, [tmp_path / "not there"])


def test_an_ipv6_entry_is_found(table: Callable[..., list[Path]]) -> None:
    one = "00000000000000000000000001000000"
    tables = table((one + ":ABCD", one + ":075B", "05", "0"))
    assert is_orphan(("::1", 43981), ("::1", 1883), tables)

"""Servers on the module with real far clients and real backends."""

import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal

import pytest
import trio

from modemproxy.config import Endpoint, Server
from tests.e2e.host import free_port, host, needs, program_serving, proxies, run_program
from tests.e2e.world import echo, hostile_bytes, serve

pytestmark = pytest.mark.slow


def server(port: int, backend: int, **keys: Any) -> Server:
    return Server(
        name=f"server-{port}",
        port=port,
        connect=Endpoint("127.0.0.1", backend),
        allow=(ip_network("127.0.0.0/8"),),
        **keys,
    )


async def exchange(port: int, data: bytes) -> bytes:
    """Be a far client that sends and reads at once."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        return await all_back(stream, data)


async def all_back(stream: trio.SocketStream, data: bytes) -> bytes:
    """Send and read at once; what came back, as much as was sent or up to the end."""
    got = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_all, data)
        while len(got) < len(data) and (more := await stream.receive_some()):
            got += more
    return bytes(got)


async def test_four_servers_at_once_echo_hostile_bytes_on_ten_links(tmp_path: Path) -> None:
    """Three clients each but for two: the module has ten links."""
    async with trio.open_nursery() as nursery:
        backend = await serve(nursery, echo)
        ports = (80, 81, 82, 83)
        sections = {"servers": tuple(server(port, backend) for port in ports)}
        async with host(tmp_path, sections) as h:
            await h.wait_armed(*ports)
            done, all_done = 0, trio.Event()

            async def one(port: int, seed: int) -> None:
                nonlocal done
                data = hostile_bytes(8_000, seed)
                stream = await trio.open_tcp_stream("127.0.0.1", h.far_port(port))
                async with stream:
                    assert await all_back(stream, data) == data
                    done += 1
                    if done == 10:
                        all_done.set()
                    await all_done.wait()  # nobody gets the link of another

            with trio.fail_after(90):
                async with trio.open_nursery() as clients:
                    for number in range(10):
                        clients.start_soon(one, ports[number % 4], number)
            await h.wait_free()
        nursery.cancel_scope.cancel()


async def test_far_clients_and_clients_of_a_proxy_race_for_links(tmp_path: Path) -> None:
    """Nobody gets another one's bytes, whoever is served and whoever is turned away."""
    served = turned_away = 0
    async with trio.open_nursery() as nursery:
        backend = await serve(nursery, echo)
        sections = {"servers": (server(80, backend),), **proxies()}
        async with host(tmp_path, sections) as h:
            await h.wait_armed(80)

            async def far(seed: int) -> None:
                nonlocal served, turned_away
                data = b"far%d" % seed + random.Random(seed).randbytes(200)
                try:
                    got = await exchange(h.far_port(80), data)
                except (OSError, ExceptionGroup, trio.BrokenResourceError):
                    got = b""
                assert data.startswith(got)
                served += got == data
                turned_away += got != data

            async def near(seed: int) -> None:
                nonlocal served
                data = b"near%d" % seed + random.Random(-seed).randbytes(200)
                name = b"far.example"
                request = b"\x05\x01\0\x05\x01\0\x03" + bytes((len(name),)) + name
                port = await trio.open_tcp_stream("127.0.0.1", h.ports["socks"])
                async with port as stream:
                    await stream.send_all(request + backend.to_bytes(2, "big") + data)
                    got = b""
                    while len(got) < 12 + len(data):
                        more = await stream.receive_some()
                        assert more
                        got += more
                assert got[12:] == data
                served += 1

            with trio.fail_after(90):
                for round_ in range(10):
                    async with trio.open_nursery() as clients:
                        for number in range(3):
                            clients.start_soon(far, round_ * 10 + number + 1)
                            clients.start_soon(near, round_ * 10 + number + 1)
            await h.wait_free()
        nursery.cancel_scope.cancel()
    assert served + turned_away == 60
    assert served >= 40


@asynccontextmanager
async def nginx(
    folder: Path, *, proxy_protocol: Literal["", "proxy_protocol"] = ""
) -> AsyncIterator[tuple[int, Path]]:
    """Serve a file by nginx; yields the port and its log."""
    port = free_port()
    (folder / "file").write_bytes(random.Random(1).randbytes(30_000))
    address = "$proxy_protocol_addr $proxy_protocol_server_port" if proxy_protocol else "-"
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"""
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error;
events {{ worker_connections 64; }}
http {{
  {temporary}
  log_format far '{address} "$request" $status $body_bytes_sent';
  server {{
    listen 127.0.0.1:{port} {proxy_protocol};
    access_log {folder}/access far;
    root {folder};
  }}
}}
"""
    )
    command = ("nginx", "-e", f"{folder}/error", "-c", f"{folder}/nginx.conf")
    async with program_serving(command, port):
        yield port, folder / "access"


@needs("nginx", "curl")
async def test_nginx_logs_the_far_client(tmp_path: Path) -> None:
    folder = tmp_path / "nginx"
    folder.mkdir()
    async with nginx(folder, proxy_protocol="proxy_protocol") as (backend, log):
        sections = {"servers": (server(80, backend, proxy_protocol="v2"),)}
        async with host(tmp_path, sections) as h:
            await h.wait_armed(80)
            url = f"http://127.0.0.1:{h.far_port(80)}/file"
            done = await run_program("curl", "-sS", "--noproxy", "*", url)
            assert done.stdout == (folder / "file").read_bytes()
            assert log.read_text() == '127.0.0.1 80 "GET /file HTTP/1.1" 200 30000\n'


@needs("nginx", "ab")
async def test_apache_bench_from_the_far_side(tmp_path: Path) -> None:
    folder = tmp_path / "nginx"
    folder.mkdir()
    async with (
        nginx(folder) as (backend, _),
        host(tmp_path, {"servers": (server(80, backend),)}) as h,
    ):
        await h.wait_armed(80)
        url = f"http://127.0.0.1:{h.far_port(80)}/nothing"
        done = await run_program("ab", "-q", "-n", "60", "-c", "4", url)
        assert done.returncode == 0, done.stderr
        text = done.stdout.decode()
        assert re.search(r"Complete requests:\s+60\n", text)
        assert re.search(r"Failed requests:\s+0\n", text)
        assert re.search(r"Non-2xx responses:\s+60\n", text)
        await h.wait_free()

"""The SOCKS5 proxy with real clients: bytes, curl and a browser."""

import shutil
from pathlib import Path

import pytest
import trio

from tests.e2e.host import host, http_files, needs, proxies, run_program
from tests.e2e.world import echo, hostile_bytes, odd_pieces, serve

pytestmark = pytest.mark.slow

PAGE = "<html><body><p id=x>hello through the module</p></body></html>"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium"


async def test_hostile_bytes_come_back_exactly(tmp_path: Path) -> None:
    async with host(tmp_path, proxies()) as h:
        port = await serve(h.nursery, echo)
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                for seed in range(4):
                    nursery.start_soon(_echo_through, h.ports["socks"], port, seed)
        await h.wait_free()


async def _echo_through(socks_port: int, far_port: int, seed: int) -> None:
    data = hostile_bytes(20_000, seed)
    name = b"far.example"
    request = b"\x05\x01\x00\x03" + bytes((len(name),)) + name + far_port.to_bytes(2, "big")
    async with await trio.open_tcp_stream("127.0.0.1", socks_port) as stream:
        await stream.send_all(b"\x05\x01\x00" + request)
        got = bytearray()
        while len(got) < 12:
            got += await stream.receive_some()
        assert got[:4] == b"\x05\x00\x05\x00"
        del got[:12]
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                for piece in odd_pieces(data, seed):
                    await stream.send_all(piece)

            nursery.start_soon(send)
            while len(got) < len(data) and (more := await stream.receive_some()):
                got += more
        assert bytes(got) == data


@needs("curl")
async def test_curl_with_and_without_a_login(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    data = hostile_bytes(50_000, 1)
    (tmp_path / "www" / "file").write_bytes(data)
    async with http_files(tmp_path / "www") as port:
        url = f"http://far.example:{port}/file"
        async with host(tmp_path, proxies()) as h:
            plain = f"127.0.0.1:{h.ports['socks']}"
            done = await run_program("curl", "-sS", "--socks5-hostname", plain, url)
            assert (done.returncode, done.stdout) == (0, data)
            nowhere = "http://nowhere.invalid/"
            done = await run_program("curl", "-sS", "--socks5-hostname", plain, nowhere)
            assert done.returncode == 97
        async with host(tmp_path, proxies(users=(("alice", "secret"),))) as h:
            at = f"@127.0.0.1:{h.ports['socks']}"
            through = ("curl", "-sS", "--socks5-hostname")
            done = await run_program(*through, f"alice:secret{at}", url)
            assert (done.returncode, done.stdout) == (0, data)
            done = await run_program(*through, f"alice:wrong{at}", url)
            assert done.returncode == 97
            assert b"rejected" in done.stderr


@needs(BROWSER)
async def test_a_browser_loads_a_page(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "index.html").write_text(PAGE)
    async with http_files(tmp_path / "www") as port, host(tmp_path, proxies()) as h:
        done = await run_program(
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--proxy-server=socks5://127.0.0.1:{h.ports['socks']}",
            "--dump-dom",
            f"http://far.example:{port}/",
            limit_s=90,
        )
        assert b"hello through the module" in done.stdout
        assert h.module.commands["+CIPOPEN"] >= 1

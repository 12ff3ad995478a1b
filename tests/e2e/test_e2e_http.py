"""The HTTP proxy with real clients: curl, git and pip, plain and through CONNECT."""

import ssl
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.e2e.host import (
    free_port,
    host,
    http_files,
    needs,
    program_serving,
    proxies,
    run_program,
)
from tests.e2e.world import hostile_bytes, serve

pytestmark = pytest.mark.slow

ALICE = (("alice", "secret"),)
SERVE_TLS = """
import functools, http.server, ssl, sys
folder, port, certificate = sys.argv[1:]
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


@asynccontextmanager
async def https_files(folder: Path, certificate: Path) -> AsyncIterator[int]:
    port = free_port()
    command = (sys.executable, "-c", SERVE_TLS, str(folder), str(port), str(certificate))
    async with program_serving(command, port):
        yield port


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """For far.example, signed by itself."""
    key, cert, both = (tmp_path / name for name in ("key", "cert", "both"))
    names = "subjectAltName=DNS:far.example"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -addext {names}"
    subprocess.run(
        [*command.split(), "-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
    )
    both.write_bytes(key.read_bytes() + cert.read_bytes())
    assert ssl.create_default_context(cafile=str(both))
    return both


@pytest.fixture
def www(tmp_path: Path) -> Path:
    folder = tmp_path / "www"
    folder.mkdir()
    (folder / "file").write_bytes(hostile_bytes(50_000, 1))
    return folder


@needs("curl")
async def test_curl_plain_and_in_a_tunnel_with_and_without_a_login(
    tmp_path: Path, www: Path
) -> None:
    data = (www / "file").read_bytes()
    async with http_files(www) as port:
        url = f"http://far.example:{port}/file"
        for users, login in (((), ""), (ALICE, "alice:secret@")):
            async with host(tmp_path, proxies(users=users)) as h:
                through = f"http://{login}127.0.0.1:{h.ports['http']}"
                for tunnel in ((), ("-p",)):
                    done = await run_program("curl", "-sS", *tunnel, "-x", through, url)
                    assert (done.returncode, done.stdout) == (0, data), done.stderr
                if users:
                    wrong = through.replace("secret", "wrong")
                    show = ("-o", "/dev/null", "-w", "%{http_code}")
                    done = await run_program("curl", "-sS", *show, "-x", wrong, url)
                    assert done.stdout == b"407"


@needs("curl")
async def test_curl_posts_a_body(tmp_path: Path) -> None:
    async def answer(stream: trio.SocketStream) -> None:
        got = b""
        while not got.endswith(data):
            got += await stream.receive_some()
        head = got.partition(b"\r\n\r\n")[0].lower()
        assert b"proxy" not in head
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")

    data = hostile_bytes(30_000, 2)
    (tmp_path / "body").write_bytes(data)
    async with host(tmp_path, proxies()) as h:
        port = await serve(h.nursery, answer)
        through = f"http://127.0.0.1:{h.ports['http']}"
        sent = ("--data-binary", f"@{tmp_path / 'body'}", "-H", "Expect:")
        url = f"http://far.example:{port}/"
        done = await run_program("curl", "-sS", "-x", through, *sent, url)
        assert (done.returncode, done.stdout) == (0, b"done"), done.stderr


@needs("git", "openssl")
async def test_git_clones_over_connect(tmp_path: Path, www: Path, certificate: Path) -> None:
    work = tmp_path / "work"

    def git(*arguments: str) -> None:
        person = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        subprocess.run(["git", *person, *arguments], check=True, capture_output=True)

    git("init", "-q", "-b", "main", str(work))
    for number in range(3):
        (work / f"file{number}").write_bytes(hostile_bytes(10_000, number))
        git("-C", str(work), "add", ".")
        git("-C", str(work), "commit", "-q", "-m", str(number))
    git("clone", "-q", "--bare", str(work), str(www / "repo.git"))
    git("-C", str(www / "repo.git"), "update-server-info")
    async with https_files(www, certificate) as port, host(tmp_path, proxies()) as h:
        done = await run_program(
            "git",
            "-c",
            f"http.proxy=http://127.0.0.1:{h.ports['http']}",
            "clone",
            "-q",
            f"https://far.example:{port}/repo.git",
            str(tmp_path / "clone"),
            environ={"GIT_SSL_CAINFO": str(certificate)},
        )
        assert done.returncode == 0, done.stderr
        for number in range(3):
            name = f"file{number}"
            assert (tmp_path / "clone" / name).read_bytes() == (work / name).read_bytes()


@needs("openssl")
async def test_pip_downloads_over_connect(tmp_path: Path, www: Path, certificate: Path) -> None:
    pytest.importorskip("pip")
    folder = www / "simple" / "sample"
    folder.mkdir(parents=True)
    wheel = folder / "sample-1.0-py3-none-any.whl"
    info = "sample-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("sample/data", hostile_bytes(20_000, 3))
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{info}/RECORD", "")
    (folder / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    async with https_files(www, certificate) as port, host(tmp_path, proxies()) as h:
        done = await run_program(
            sys.executable,
            "-m",
            "pip",
            "--isolated",
            "--disable-pip-version-check",
            "download",
            "-q",
            "--no-cache-dir",
            f"--proxy=http://127.0.0.1:{h.ports['http']}",
            f"--index-url=https://far.example:{port}/simple/",
            "-d",
            str(tmp_path / "got"),
            "sample",
            environ={"REQUESTS_CA_BUNDLE": str(certificate)},
        )
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "got" / wheel.name).read_bytes() == wheel.read_bytes()

"""The status page in a real browser: it comes to life, and has nothing to complain about."""

import html
import re
from pathlib import Path

import pytest
import trio

from modemproxy.config import Endpoint, Forward, Metrics
from tests.e2e.host import ANYWHERE, Host, host, http_files, needs, run_program
from tests.e2e.test_e2e_metrics import curl, wait_ready

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90), needs("chromium", "curl")]


async def open_page(h: Host, folder: Path, seconds: float) -> tuple[str, list[str]]:
    """Look at the page for a while; give its text, and what the console got."""
    done = await run_program(
        "chromium",
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder / 'browser'}",
        # Whatever comes from elsewhere fails, and failing is told on the console.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
        "--enable-logging=stderr",
        f"--virtual-time-budget={seconds * 1000:.0f}",
        "--dump-dom",
        f"http://localhost:{h.ports['metrics']}/",
        environ={"HOME": str(folder)},
    )
    assert done.returncode == 0
    console = [line for line in done.stderr.decode().splitlines() if "CONSOLE" in line]
    text = re.sub(r"<[^>]*>", " ", done.stdout.decode())
    return " ".join(html.unescape(text).split()), console


async def test_the_page_lives(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "file").write_bytes(b"x" * 20_000)
    metrics = Metrics(listen=ANYWHERE)
    async with http_files(tmp_path / "www") as port:
        far = Endpoint("far.example", port)
        forward = Forward(name="web", listen=ANYWHERE, connect=far)
        async with host(tmp_path, {"forwards": (forward,), "metrics": metrics}) as h:
            await wait_ready(h)
            await curl(f"http://localhost:{h.ports['web']}/file")
            text, console = await open_page(h, tmp_path, 3)
    assert console == []
    assert "in service" in text
    assert "921 600 baud" in text
    assert f"web 127.0.0.1:{h.ports['web']} tcp 0 1 0 \N{EN DASH}" in text
    assert "module up in" in text


async def test_the_page_says_that_the_module_is_away(tmp_path: Path) -> None:
    forward = Forward(name="web", listen=ANYWHERE, connect=Endpoint("far.example", 9))
    sections = {"forwards": (forward,), "metrics": Metrics(listen=ANYWHERE)}
    async with host(tmp_path, sections, sim="NOT INSERTED") as h:
        with trio.fail_after(20):
            while b"SIM" not in await curl(f"http://localhost:{h.ports['metrics']}/readyz"):  # noqa: ASYNC110
                await trio.sleep(0.1)
        text, console = await open_page(h, tmp_path, 2)
    assert console == []
    assert re.search(r"The module is (recovering|out of service)\. .*SIM", text)
    assert "none without the module" in text

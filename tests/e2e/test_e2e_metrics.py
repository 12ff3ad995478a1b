"""Metrics and health of a proxy at work, on a real tty, and what Prometheus makes of them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import trio

from modemproxy.config import Endpoint, Forward, Metrics
from tests.e2e.host import ANYWHERE, Host, free_port, host, http_files, needs, run_program
from tests.operate.exposition import Family, parse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]
CONFIG = Path(__file__).parent.parent.parent / "config" / "prometheus"


def sections(far_port: int) -> dict[str, Any]:
    far = Endpoint("far.example", far_port)
    return {
        "forwards": (Forward(name="web", listen=ANYWHERE, connect=far),),
        "metrics": Metrics(listen=ANYWHERE),
    }


async def curl(*arguments: str) -> bytes:
    done = await run_program("curl", "-sS", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def scrape(h: Host) -> dict[str, Family]:
    text = await curl(f"http://localhost:{h.ports['metrics']}/metrics")
    return parse(text.decode())


async def wait_ready(h: Host) -> None:
    where = f"http://localhost:{h.ports['metrics']}/readyz"
    with trio.fail_after(20):
        while await curl("-o", "/dev/null", "-w", "%{http_code}", where) != b"200":  # noqa: ASYNC110
            await trio.sleep(0.1)


@needs("curl")
async def test_what_went_through_is_counted(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "file").write_bytes(b"x" * 30_000)
    async with (
        http_files(tmp_path / "www") as port,
        host(tmp_path, sections(port)) as h,
    ):
        await wait_ready(h)
        for _ in range(3):
            assert len(await curl(f"http://localhost:{h.ports['web']}/file")) == 30_000
        with trio.fail_after(20):
            while (told := await scrape(h))["modemproxy_connections_active"].value():  # noqa: ASYNC110
                await trio.sleep(0.1)
        assert told["modemproxy_connections_total"].value(listener="web") == 3
        assert told["modemproxy_connections_ended_total"].value(cause="--") == 3
        assert told["modemproxy_traffic_bytes_total"].value(direction="down") > 90_000
        assert told["modemproxy_line_airtime_seconds_total"].value(kind="read") > 0
        assert 0 < told["modemproxy_line_turnaround_seconds"].value() < 1
        headers = await curl("-I", f"http://localhost:{h.ports['metrics']}/metrics")
        assert b"text/plain; version=0.0.4; charset=utf-8" in headers


@needs("curl", "promtool")
async def test_promtool_has_nothing_to_say(tmp_path: Path) -> None:
    async with host(tmp_path, sections(9)) as h:
        await wait_ready(h)
        text = await curl(f"http://localhost:{h.ports['metrics']}/metrics")
        checked = await run_program("promtool", "check", "metrics", stdin=text)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@needs("curl", "prometheus")
async def test_prometheus_scrapes_it_and_evaluates_the_rules(tmp_path: Path) -> None:
    shutil.copy(CONFIG / "modemproxy.rules.yml", tmp_path)
    async with host(tmp_path, sections(9)) as h, trio.open_nursery() as nursery:
        await wait_ready(h)
        text = (CONFIG / "prometheus.yml").read_text().replace("15s", "1s")
        config = tmp_path / "prometheus.yml"
        config.write_text(text.replace('9464"]', f'{h.ports["metrics"]}"]'))
        port = free_port()
        command = (
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        )
        nursery.start_soon(run_program, *command)
        asked = f"http://localhost:{port}/api/v1/query?query=modemproxy_module_up"
        with trio.fail_after(30):
            while not (found := await query(asked)):  # noqa: ASYNC110
                await trio.sleep(0.2)
        assert [series["value"][1] for series in found] == ["1"]
        (up,) = await query(f"http://localhost:{port}/api/v1/query?query=up")
        assert up["value"][1] == "1"
        rules = json.loads(await curl(f"http://localhost:{port}/api/v1/rules"))
        groups = rules["data"]["groups"]
        told = [rule for group in groups for rule in group["rules"]]
        assert len(told) > 10
        assert not [rule for rule in told if rule.get("lastError")]
        nursery.cancel_scope.cancel()


async def query(url: str) -> list[dict[str, Any]]:
    """Ask Prometheus; nothing while it does not answer yet."""
    done = await run_program("curl", "-sS", url)
    if done.returncode != 0 or not done.stdout.startswith(b"{"):
        return []
    result: list[dict[str, Any]] = json.loads(done.stdout)["data"]["result"]
    return result

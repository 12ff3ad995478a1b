"""The status page: its files are served, safe, and need nothing from anywhere else."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.config import Endpoint, Metrics
from modemproxy.operate.site import PAGE_FILES
from tests.operate.test_metrics import fetch
from tests.surfaces.stand import forward, stand, until

SECTIONS: dict[str, Any] = {"metrics": Metrics(listen=Endpoint("127.0.0.1", 0))}
PAGE = files("modemproxy.operate").joinpath("page")
TEXTS = {name: PAGE.joinpath(name).read_text() for name, _ in PAGE_FILES.values()}


@pytest.fixture
def patient_clock() -> MockClock:
    """Jump only when nothing has moved for a while of real time."""
    return MockClock(autojump_threshold=0.02)


def test_every_file_of_the_page_is_served_and_none_else() -> None:
    assert sorted(TEXTS) == sorted(item.name for item in PAGE.iterdir())


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_comes_from_elsewhere(name: str) -> None:
    found = set(re.findall(r"(?:[a-z]+:)?//[\w.]+[^\s\"')]*", TEXTS[name]))
    assert {url for url in found if "://" in url} <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(|src=\"//|import\(", TEXTS[name])


def test_the_page_has_nothing_inline() -> None:
    page = TEXTS["index.html"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert re.findall(r"<script([^>]*)>(.*?)</script>", page) == [
        (' type="module" src="main.js"', "")
    ]


@pytest.mark.parametrize("name", [name for name in TEXTS if name.endswith(".js")])
def test_what_clients_sent_is_never_markup(name: str) -> None:
    ways = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc"
    )
    assert not re.search(ways, TEXTS[name])
    assert 'setAttribute("style"' not in TEXTS[name]


def test_what_the_page_refers_to_exists() -> None:
    known = {path.lstrip("/") for path in PAGE_FILES} | {
        "metrics",
        "status.json",
        "events.json",
    }
    referred = set(re.findall(r"(?:href|src)=\"([^\"]+)\"", TEXTS["index.html"]))
    for name, text in TEXTS.items():
        if name.endswith(".js"):
            referred |= set(re.findall(r"from \"\./([^\"]+)\"", text))
            referred |= set(re.findall(r"get\(\"([^\"]+)\"\)", text))
    assert referred <= known


def test_the_ids_that_the_scripts_ask_for_are_on_the_page() -> None:
    scripts = "".join(text for name, text in TEXTS.items() if name.endswith(".js"))
    ways = r"(?:byId|say|legend|getElementById)\(\"([\w-]+)\""
    asked = set(re.findall(ways, scripts))
    assert len(asked) > 20
    assert asked <= set(re.findall(r"\sid=\"([\w-]+)\"", TEXTS["index.html"]))


async def test_the_files_are_served(patient_clock: MockClock, tmp_path: Path) -> None:
    async with stand(tmp_path, forward(), sections=SECTIONS) as s:
        for path, (name, content_type) in PAGE_FILES.items():
            stream = await s.connect("metrics")
            async with stream:
                await stream.send_all(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                got = b"".join([data async for data in stream])
            head, _, body = got.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            assert f"Content-Type: {content_type}".lower() in head.decode().lower()
            assert b"content-security-policy: default-src 'none'" in head.lower()
            assert body.decode() == TEXTS[name]
        assert (await fetch(s, "/index.html"))[0] == 404
        assert (await fetch(s, "/..%2fsite.py"))[0] == 404


async def test_what_the_page_is_fed_with(patient_clock: MockClock, tmp_path: Path) -> None:
    async with stand(tmp_path, forward("web", 9), sections=SECTIONS) as s:
        client = await s.connect("web")
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()
        await client.aclose()
        code, body = await fetch(s, "/status.json")
        status = json.loads(body)
        assert code == 200
        assert status["module"]["state"] == "up"
        (web,) = status["surfaces"]
        assert web["causes"] == {"SC": 1}
        assert status["explained"] == {
            "SC": "the far side, or its link, while the connection was being opened"
        }
        events = json.loads((await fetch(s, "/events.json"))[1])["events"]
        assert [event["text"] for event in events if event["kind"] == "ModuleUp"]
        assert {event["level"] for event in events} <= {"info", "warning", "error"}
        assert [event["at"] for event in events] == sorted(
            (event["at"] for event in events), reverse=True
        )


async def test_the_events_say_what_happened(patient_clock: MockClock, tmp_path: Path) -> None:
    async with stand(tmp_path, forward(), sections=SECTIONS) as s:
        assert (await fetch(s, "/events.json"))[0] == 200
        s.module.lose_network()
        await trio.sleep(1)
        await until(lambda: s.module.dce.stack.net, 60)
        events = json.loads((await fetch(s, "/events.json"))[1])["events"]
        kinds = [event["kind"] for event in events]
        assert "ModuleDown" in kinds
        assert kinds.index("ModuleDown") < len(kinds) - 1 - kinds[::-1].index("ModuleUp")


async def test_the_events_of_the_last_run_are_there_too(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    for run in (1, 2):
        async with stand(tmp_path, forward(), sections=SECTIONS) as s:
            events = json.loads((await fetch(s, "/events.json"))[1])["events"]
            assert [event["kind"] for event in events].count("ModuleUp") == run
            assert len({json.dumps(event) for event in events}) == len(events)

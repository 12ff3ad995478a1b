"""What Prometheus is told, from the reports of a program at work."""

import os
import re
import time
from math import inf
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from modemproxy.config import Endpoint, Metrics
from modemproxy.emulator.far_stream import FarStream
from modemproxy.journal import Journal
from modemproxy.module.condition import Condition, ModuleState
from modemproxy.operate.metrics import USES, exposition
from modemproxy.operate.program import Program
from modemproxy.operate.site import pages_of
from tests.operate.exposition import Family, parse
from tests.surfaces.stand import Stand, end_of, forward, stand, until

pytestmark = pytest.mark.timeout(40)
SECTIONS: dict[str, Any] = {"metrics": Metrics(listen=Endpoint("127.0.0.1", 0))}


@pytest.fixture
def patient_clock() -> MockClock:
    """Jump only when nothing has moved for a while of real time."""
    return MockClock(autojump_threshold=0.02)


async def fetch(s: Stand, path: str) -> tuple[int, bytes]:
    """Ask for a page; give the status and the body."""
    stream = await s.connect("metrics")
    async with stream:
        await stream.send_all(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        got = b""
        async for data in stream:
            got += data
    head, _, body = got.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def scrape(s: Stand) -> dict[str, Family]:
    status, body = await fetch(s, "/metrics")
    assert status == 200
    return parse(body.decode())


async def echo(stream: FarStream) -> None:
    async for data in stream:
        await stream.send_all(data)


async def test_a_program_at_work(patient_clock: MockClock, tmp_path: Path) -> None:
    async with stand(tmp_path, forward("web"), forward("off", 9), sections=SECTIONS) as s:
        s.play(80, echo)
        await until(lambda: s.module.dce.stack.net, 60)
        first = await scrape(s)
        assert first["modemproxy_connections_active"].value(listener="web", kind="tcp") == 0
        client = await s.connect("web")
        await client.send_all(b"x" * 5000)
        got = b""
        while len(got) < 5000:
            got += await client.receive_some()
        assert await end_of(await s.connect("off")) == (b"", "RST")
        told = await scrape(s)
        assert told["modemproxy_module_up"].value() == 1
        assert told["modemproxy_connections_active"].value(listener="web") == 1
        assert told["modemproxy_connections_total"].value(listener="web") == 1
        traffic = told["modemproxy_traffic_bytes_total"]
        assert traffic.value(listener="web", direction="up") == 5000
        assert traffic.value(listener="web", direction="down") == 5000
        assert told["modemproxy_line_payload_bytes_total"].value(direction="up") == 5000
        assert told["modemproxy_line_payload_bytes_total"].value(direction="down") == 5000
        ended = told["modemproxy_connections_ended_total"]
        assert ended.value(listener="off", cause="SC") == 1
        assert ended.value(listener="off", cause="--") == 0
        links = told["modemproxy_links"]
        assert [links.value(use=use) for use in USES] == [1, 0, 0, 9]
        assert told["modemproxy_line_exchanges_total"].value(kind="write") > 0
        assert told["modemproxy_line_prompts_total"].value() > 0
        assert told["modemproxy_module_sessions_total"].value() == 1
        for name, family in first.items():
            if family.kind == "counter":
                for labels, value in family.samples.items():
                    assert told[name].samples[labels] >= value, name
        await client.aclose()


async def test_of_the_process_itself(patient_clock: MockClock, tmp_path: Path) -> None:
    async with stand(tmp_path, forward(), sections=SECTIONS) as s:
        told = await scrape(s)
        assert abs(time.time() - told["process_start_time_seconds"].value()) < 60
        assert 1e7 < told["process_resident_memory_bytes"].value() < 1e9
        assert 0 < told["process_cpu_seconds_total"].value() <= time.process_time()
        assert told["modemproxy_build_info"].value() == 1


async def test_a_module_that_goes_away(patient_clock: MockClock, tmp_path: Path) -> None:
    async with stand(tmp_path, forward(), sections=SECTIONS) as s:
        assert await fetch(s, "/readyz") == (200, b"ready\n")
        s.module.set_profile(sim="NOT INSERTED")
        s.module.reboot()
        await trio.sleep(20)
        status, why = await fetch(s, "/readyz")
        assert status == 503
        assert re.fullmatch(rb"the module is (recovering|down): .*SIM.*\n", why), why
        assert await fetch(s, "/healthz") == (200, b"ok\n")
        told = await scrape(s)
        assert told["modemproxy_module_up"].value() == 0
        states = told["modemproxy_module_state"]
        assert states.value(state="up") == 0
        assert sum(states.samples.values()) == 1
        assert len(states.samples) == len(ModuleState)
        assert sum(told["modemproxy_links"].samples.values()) == 0
        assert sum(told["modemproxy_module_recoveries_total"].samples.values()) >= 1


async def test_a_proxy_whose_work_does_not_get_on_is_not_healthy(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, forward(), sections=SECTIONS) as s:
        await trio.sleep(120)
        assert await fetch(s, "/healthz") == (200, b"ok\n")
        await trio.sleep(120)
        assert await fetch(s, "/healthz") == (200, b"ok\n")
    health = pages_of(cast(Program, Stuck()))["/healthz"]
    assert health().status == 200
    await trio.sleep(30)
    assert health().status == 503


class StuckScheduler:
    """One that does not look although somebody wants something."""

    turns = 5
    overdue_at = inf
    wanted = True


class Gate:
    """Leads to a session whose scheduler is stuck."""

    def __init__(self) -> None:
        self.session = self
        self.scheduler = StuckScheduler()


class Stuck:
    """A program as far as its health is looked at."""

    def __init__(self) -> None:
        self.lifecycle = self
        self.gate = Gate()
        self.condition = Condition()
        self.chronicle = self.journal = Journal()


async def test_the_signal_is_absent_until_it_is_known(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, forward(), sections=SECTIONS) as s:
        assert "modemproxy_module_signal_dbm" not in await scrape(s)
        await trio.sleep(90)
        told = await scrape(s)
        assert -120 < told["modemproxy_module_signal_dbm"].value() < -30


def report(**changed: Any) -> dict[str, Any]:
    """A report of a program that has just begun."""
    kinds = dict.fromkeys(("read", "write", "control", "upkeep"), 0)
    module = {
        "state": "starting",
        "since_s": 1.0,
        "reason": "",
        "model": "",
        "port": "/dev/x",
        "signal_dbm": None,
        "sessions": 0,
        "recoveries": {},
    }
    line = {
        "seconds": kinds,
        "exchanges": kinds,
        "bytes_read": 0,
        "bytes_written": 0,
        "prompts": 0,
        "busy_answers": 0,
        "turnaround_ms": 0.0,
        "waiting": 0,
    }
    return {
        "version": "1",
        "pid": os.getpid(),
        "started_at": 1.5,
        "draining": False,
        "module": module,
        "line": line,
        "links": {"in_use": 0, "total": 10, "waiting": 0, "numbers": []},
        "surfaces": [],
        **changed,
    }


def test_a_rung_that_nobody_has_heard_of_is_told_beside_the_known_ones() -> None:
    module = {**report()["module"], "recoveries": {"R9": 2, "R4": 1}}
    told = parse(exposition(report(module=module)))["modemproxy_module_recoveries_total"]
    assert told.value(rung="R9") == 2
    assert told.value(rung="R4") == 1
    assert told.value(rung="R1") == 0


def test_draining_and_names_that_have_to_be_escaped() -> None:
    module = {**report()["module"], "model": 'A76"\\\n'}
    told = parse(exposition(report(module=module, draining=True)))
    assert told["modemproxy_draining"].value() == 1
    assert told["modemproxy_module_info"].value(model='A76"\\\n', port="/dev/x") == 1
    assert told["process_start_time_seconds"].value() == 1.5

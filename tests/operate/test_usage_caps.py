"""Usage in a whole program: what moves is counted, and clients meet the caps."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from modemproxy.operate.usage_command import lines
from tests.surfaces.backends import backend
from tests.surfaces.backends import echo as backend_echo
from tests.surfaces.stand import FAR, end_of, until

from .steered import echo, forward, forwards, send_and_take, steered, tell

pytestmark = pytest.mark.timeout(60)


async def test_what_moves_is_counted_as_it_moves(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward(), forward("other"))) as s:
        s.play(80, echo)
        client = await s.client()
        await send_and_take(client, bytes(5000))
        told = (await s.ask("usage"))["usage"]
        assert told["days"][told["day"]] == {"far": [5000, 5000]}
        await send_and_take(client, bytes(100))
        await send_and_take(await s.client("other"), bytes(7))
        told = (await s.ask("usage"))["usage"]
        month = told["months"][told["month"]]
        assert month == {"far": [5100, 5100], "other": [7, 7]}
        shown = list(lines(told))
        assert any(line.startswith("far") and "5.1 kB up 5.1 kB down" in line for line in shown)


async def test_a_cap_that_stops(patient_clock: MockClock, tmp_path: Path) -> None:
    usage = "usage: {action: stop, period: day}\n"
    async with steered(tmp_path, usage + forwards(forward(cap=10_000), forward("other"))) as s:
        s.play(80, echo)
        capped, free = await s.client(), await s.client("other")
        await send_and_take(capped, bytes(4500))
        await trio.sleep(3)
        await send_and_take(capped, bytes(1000))
        assert (await end_of(capped))[1] == "RST"
        assert (await end_of(await s.client()))[1] == "RST"
        assert await send_and_take(free, b"hello") == b"hello"
        surface = (await s.surfaces())["far"]
        assert not surface["enabled"]
        assert surface["why_not"] == "the cap of far for this day is used up"
        assert surface["causes"] == {"KD": 1}
        kinds = [told["kind"] for told in (await s.ask("events"))["events"]]
        assert kinds.count("CapNear") == kinds.count("CapReached") == 1
        # a higher cap lets clients in again
        await s.reload(usage + forwards(forward(cap=100_000), forward("other")))
        await trio.sleep(3)
        assert await send_and_take(await s.client(), b"again") == b"again"


async def test_a_cap_of_all_that_only_warns(patient_clock: MockClock, tmp_path: Path) -> None:
    async with steered(tmp_path, "usage: {cap: 1k}\n" + forwards(forward())) as s:
        s.play(80, echo)
        client = await s.client()
        await send_and_take(client, bytes(2000))
        await trio.sleep(10)
        assert await send_and_take(client, b"still") == b"still"
        reached = [
            told["text"]
            for told in (await s.ask("events"))["events"]
            if told["kind"] == "CapReached"
        ]
        assert reached == [
            "usage of all listeners: this month's 1000 bytes are used up, going on"
        ]


async def test_the_file_is_written_at_the_end(patient_clock: MockClock, tmp_path: Path) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        await send_and_take(await s.client(), bytes(3000))
    [file] = list(tmp_path.rglob("*.usage"))  # noqa: ASYNC240 - it is over
    [page] = json.loads(file.read_text())["days"].values()
    assert page == {"far": [3000, 3000]}


async def test_a_cap_stops_udp_clients_and_those_of_connect(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    text = "usage: {cap: 5k, action: stop}\n" + forwards(forward(protocol="udp", far_port=53))
    async with steered(tmp_path, text) as s:
        s.internet.listen_udp(FAR, 53, lambda data: [data])
        s.play(80, echo)
        client = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
        await client.connect(("127.0.0.1", s.ports["far"]))
        async with s.caller() as tunnel:
            assert (await tell(tunnel, "connect", host=FAR, port=80))["ok"]
            for _ in range(3):
                await client.send(bytes(1000))
                assert len(await client.recv(2000)) == 1000
            await until(lambda: s.ports and not s.module.dce.stack.any_open(), 10)
            assert await tunnel.receive_some(1) == b""
        await client.send(bytes(1000))
        with trio.move_on_after(5) as waited:
            await client.recv(2000)
        assert waited.cancelled_caught
        client.close()
        async with s.caller() as late:
            answer = await tell(late, "connect", host=FAR, port=80)
        why = "the cap of all listeners for this month is used up"
        assert answer == {"ok": False, "error": why}
        told = (await s.ask("usage"))["usage"]
        assert told["months"][told["month"]]["far"] == [3000, 3000]
        refused = [each["text"] for each in (await s.ask("events"))["events"]][-1]
        assert refused.startswith("far: 127.0.0.1:")
        assert refused.endswith(f"refused: {why}")


async def test_a_cap_stops_far_clients_of_a_server(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with backend(backend_echo) as b:
        server = (
            f"servers:\n  - {{name: a, port: 8001, connect: '{b.where}', "
            "allow: [0.0.0.0/0], cap: 4k}\n"
        )
        async with steered(tmp_path, "usage: {action: stop}\n" + server) as s:
            await until(lambda: s.module.dce.stack.servers, 20)
            await trio.sleep(1)
            far = s.internet.connect_to_server(8001)
            await far.send_all(bytes(2500))
            got = b""
            with suppress(trio.BrokenResourceError):
                while data := await far.receive_some(4096):
                    got += data
            assert got == bytes(2500)
            assert (await s.surfaces())["a"]["causes"] == {"KD": 1}
            assert (await s.surfaces())["a"]["why_not"] == (
                "the cap of a for this month is used up"
            )

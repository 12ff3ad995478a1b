"""Disable, enable, kick and drain: what clients see, and what is answered."""

import logging
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.operate.drain import DrainBegan, DrainEnded
from tests.surfaces.stand import end_of, until

from .steered import Steered, echo, forward, forwards, hear, steered, talks, tell

pytestmark = pytest.mark.timeout(60)


async def connections(s: Steered) -> list[dict[str, Any]]:
    status = (await s.ask("status"))["status"]
    found: list[dict[str, Any]] = status["connections"]
    return found


# disable and enable


async def test_a_disabled_listener_lets_nobody_in_and_leaves_those_inside(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward(), forward("other"))) as s:
        s.play(80, echo)
        inside = await s.client()
        assert await talks(inside)
        answer = await s.ask("disable", name="far")
        assert answer == {
            "ok": True, "name": "far", "enabled": False, "kicked": [], "inside": 1
        }  # fmt: skip
        assert (await end_of(await s.client()))[1] == "RST"
        assert await talks(inside)
        assert await talks(await s.client("other"))
        surface = (await s.surfaces())["far"]
        assert surface["enabled"] is False
        assert surface["why_not"] == "disabled by the operator"
        assert (await s.ask("enable", name="far"))["enabled"]
        assert await talks(await s.client())


async def test_disabled_survives_a_reload_changed_or_not(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        await s.ask("disable", name="far")
        for text in (
            forwards(forward()),
            forwards(forward(max_clients=3)),
            forwards(forward(listen="127.0.0.2:0")),
        ):
            assert (await s.reload(text))["ok"]
            assert (await s.surfaces())["far"]["enabled"] is False


async def test_disable_with_kick_resets_those_inside(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward(), forward("other"))) as s:
        s.play(80, echo)
        inside, other = await s.client(), await s.client("other")
        assert await talks(inside)
        assert await talks(other)
        [number] = [each["id"] for each in await connections(s) if each["surface"] == "far"]
        answer = await s.ask("disable", name="far", kick=True)
        assert answer["kicked"] == [number]
        assert (await end_of(inside))[1] == "RST"
        assert await talks(other)
        assert (await s.surfaces())["far"]["causes"] == {"KD": 1}


@pytest.mark.parametrize("request_name", ["disable", "enable"])
async def test_a_name_that_does_not_exist_is_answered_with_the_nearest(
    patient_clock: MockClock, tmp_path: Path, request_name: str
) -> None:
    async with steered(tmp_path, forwards(forward("mqtt"), forward("web"))) as s:
        answer = await s.ask(request_name, name="mqt")
        assert answer == {
            "ok": False, "error": "no listener 'mqt' (did you mean 'mqtt'?)"
        }  # fmt: skip
        answer = await s.ask(request_name, name="xyz")
        assert answer["error"] == "no listener 'xyz' (known: mqtt, web)"
        assert "not a text" in (await s.ask(request_name))["error"]


async def test_enabling_does_not_lift_a_cap(patient_clock: MockClock, tmp_path: Path) -> None:
    text = forwards(forward(cap=1000)) + "usage: {action: stop}\n"
    async with steered(tmp_path, text) as s:
        s.play(80, echo)
        await (await s.client()).send_all(bytes(2000))
        await trio.sleep(5)
        await s.ask("disable", name="far")
        answer = await s.ask("enable", name="far")
        assert answer["enabled"] is False
        assert "the cap of far" in answer["why_not"]
        moved = text.replace("127.0.0.1:0", "127.0.0.2:0")
        assert (await s.reload(moved))["ok"]
        assert (await s.surfaces())["far"]["enabled"] is False
        assert (await s.reload(moved.replace("1000", "0")))["ok"]
        await trio.sleep(3)
        assert (await s.surfaces())["far"]["enabled"] is True


# kick


async def test_one_connection_is_kicked(patient_clock: MockClock, tmp_path: Path) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        first, second = await s.client(), await s.client()
        assert await talks(first)
        assert await talks(second)
        numbers = [each["id"] for each in await connections(s)]
        assert (await s.ask("kick", id=numbers[0])) == {"ok": True, "kicked": numbers[:1]}
        assert (await end_of(first))[1] == "RST"
        assert await talks(second)
        answer = await s.ask("kick", id=numbers[0])
        assert answer["error"] == f"no connection {numbers[0]} (there are {numbers[1]})"


async def test_all_of_a_listener_are_kicked_also_of_one_that_was_removed(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward(), forward("other"))) as s:
        s.play(80, echo)
        first, second, other = await s.client(), await s.client(), await s.client("other")
        for client in (first, second, other):
            assert await talks(client)
        assert (await s.reload(forwards(forward("other"))))["ok"]
        assert len((await s.ask("kick", listener="far"))["kicked"]) == 2
        assert (await end_of(first))[1] == "RST"
        assert (await end_of(second))[1] == "RST"
        assert await talks(other)
        assert "no listener 'far'" in (await s.ask("kick", listener="far"))["error"]


@pytest.mark.parametrize(
    "keys", [{}, {"id": 1, "listener": "far"}, {"id": "1"}, {"id": True}, {"listener": 1}]
)
async def test_what_to_kick_must_be_said(
    patient_clock: MockClock, tmp_path: Path, keys: dict[str, Any]
) -> None:
    async with steered(tmp_path, forwards(forward()), wait_up=False) as s:
        assert not (await s.ask("kick", **keys))["ok"]


# drain


async def test_drain_lets_those_inside_finish_and_ends_the_program(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        inside = await s.client()
        assert await talks(inside)
        port = int((await s.surfaces())["far"]["listen"].rpartition(":")[2])
        async with s.caller() as caller:
            assert await tell(caller, "drain", deadline_s=100) == {
                "ok": True, "inside": 1, "deadline_s": 100.0
            }  # fmt: skip
            with pytest.raises(OSError, match=r"."):
                await trio.open_tcp_stream("127.0.0.1", port)
            status = (await s.ask("status"))["status"]
            assert status["draining"]
            assert status["surfaces"][0]["why_not"] == "draining"
            for request in ("reload", "enable", "connect"):
                answer = await s.ask(request, name="far", host="far.example.com", port=80)
                assert "about to stop" in answer["error"]
            await trio.sleep(20)
            assert await talks(inside)
            await inside.send_eof()  # its answer may come for timeouts.half_close_s
            assert await end_of(inside) == (b"", "FIN")
            began = trio.current_time()
            assert await hear(caller) == {"ok": True, "drained": True, "left": 0}
        await s.stopped.wait()
        assert trio.current_time() - began < 10
        assert s.module.commands["+NETCLOSE"] == 1
        assert not s.admin.exists()


async def test_at_the_deadline_those_inside_are_reset(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        inside = await s.client()
        assert await talks(inside)
        began = trio.current_time()
        async with s.caller() as caller:
            await tell(caller, "drain", deadline_s=20)
            assert (await end_of(inside))[1] == "RST"
            assert await hear(caller) == {"ok": True, "drained": True, "left": 1}
        await s.stopped.wait()
        assert 20 <= trio.current_time() - began < 23
        assert s.module.commands["+NETCLOSE"] == 1


async def test_a_second_drain_moves_the_deadline_and_who_asked_first_need_not_stay(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        inside = await s.client()
        assert await talks(inside)
        await s.ask("drain", deadline_s=500)  # and hangs up
        await trio.sleep(10)
        began = trio.current_time()
        await s.ask("drain", deadline_s=5)
        assert (await end_of(inside))[1] == "RST"
        assert 5 <= trio.current_time() - began < 6
        await s.stopped.wait()


async def test_a_stop_in_the_midst_of_a_drain_is_a_stop(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        inside = await s.client()
        assert await talks(inside)
        await s.ask("drain", deadline_s=500)
        began = trio.current_time()
        s.stop.set()
        assert (await end_of(inside))[1] == "RST"
        await s.stopped.wait()
        assert trio.current_time() - began <= 4


@pytest.mark.parametrize("deadline", ["5", -1, True, float("inf"), None])
async def test_a_deadline_is_a_number_of_seconds(
    patient_clock: MockClock, tmp_path: Path, deadline: object
) -> None:
    async with steered(tmp_path, forwards(forward()), wait_up=False) as s:
        answer = await s.ask("drain", deadline_s=deadline)
        assert answer["error"] == "deadline_s: not a number of seconds"
        assert not s.stopped.is_set()


async def test_nobody_inside_is_drained_at_once(
    patient_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "modemproxy.journal")
    async with steered(tmp_path, forwards(forward(), forward("u", protocol="udp"))) as s:
        began = trio.current_time()
        assert (await s.ask("drain"))["inside"] == 0
        await s.stopped.wait()
        assert trio.current_time() - began < 2
    assert DrainBegan(0, 60.0).text == "draining: 0 inside, who have 60 s"
    assert DrainEnded(0).text in caplog.text


async def test_a_drain_before_the_module_is_up(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward()), wait_up=False) as s:
        await s.ask("drain")
        await until(s.stopped.is_set, 5)

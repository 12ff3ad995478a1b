"""Reload of what is no listener: the modem, sockets of operators, the log, files of users."""

import logging
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from modemproxy.config import LogConfig
from modemproxy.emulator.far_stream import FarStream
from modemproxy.operate.reload_words import spell, spell_changes
from tests.surfaces.stand import end_of

from .steered import HEAD, echo, forward, forwards, steered, talks

pytestmark = pytest.mark.timeout(60)


# the modem


async def test_another_pin_ends_the_wait_for_somebody_who_knows_it(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    def head(pin: str) -> str:
        return HEAD.replace("}", f", pin: '{pin}'}}", 1)

    text = forwards(forward())
    async with steered(tmp_path, text, head=head("9999"), wait_up=False, sim="SIM PIN") as s:
        s.play(80, echo)

        async def why_not() -> str:
            reason: str = (await s.ask("status"))["status"]["module"]["reason"]
            return reason

        with trio.fail_after(60):
            while "modem.pin was refused" not in await why_not():  # noqa: ASYNC110 - it has to be asked
                await trio.sleep(1)
        await trio.sleep(200)
        s.write(text, head("1234"))
        assert (await s.ask("reload"))["reset"]
        assert await talks(await s.client())
        assert await why_not() == ""


async def test_what_matters_only_when_it_is_next_used_resets_nobody(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        client = await s.client()
        assert await talks(client)
        head = HEAD.replace("}", ", pin: '1234', power_command: [/bin/true]}", 1)
        s.write(forwards(forward()), head.replace("shutdown_s: 4", "stall_s: 30"))
        answer = await s.ask("reload")
        assert answer == {
            "ok": True,
            "reset": False,
            "kept": ["far"],
            "changes": [
                "modem.pin changed",
                "modem.power_command [] -> [/bin/true]",
                "timeouts.shutdown_s 4 -> 10",
                "timeouts.stall_s 300 -> 30",
            ],
        }
        assert await talks(client)


async def test_a_change_in_the_midst_of_bring_up(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward()), wait_up=False) as s:
        s.play(80, echo)
        for apn in ("a", "b", "c"):
            s.write(forwards(forward()), HEAD.replace("}", f", apn: {apn}}}", 1))
            assert (await s.ask("reload"))["reset"]
            await trio.sleep(0.3)
        assert await talks(await s.client())


# where operators come in


async def test_the_admin_socket_moves_and_who_asked_is_answered(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        old, new = s.admin, tmp_path / "new.sock"
        answer = await s.reload(forwards(forward()) + f"admin: {{socket: {new}}}\n")
        assert answer["changes"] == [f"admin.socket none -> {new}"]
        assert not old.exists()
        s.admin = new
        assert (await s.ask("status"))["ok"]
        (tmp_path / "taken").mkdir()
        text = forwards(forward(), forward("x")) + f"admin: {{socket: {tmp_path / 'taken'}}}\n"
        assert "is no socket" in (await s.reload(text))["error"]
        assert list(await s.surfaces()) == ["far"]
        s.admin = old
        s.admin = new
        assert (await s.reload(forwards(forward())))["ok"]
        assert not new.exists()
        s.admin = old
        assert (await s.ask("status"))["ok"]


async def get(where: str) -> bytes:
    host, _, port = where.rpartition(":")
    async with await trio.open_tcp_stream(host, int(port)) as stream:
        await stream.send_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return bytes(await stream.receive_some(1000))


async def test_the_http_listener_comes_changes_and_goes(
    patient_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "modemproxy.operate.site")

    def place() -> str:
        [*_, last] = [message for message in caplog.messages if "http://" in message]
        return last.split("http://")[1].rstrip("/")

    lines = forwards(forward())
    async with steered(tmp_path, lines) as s:
        assert (await s.reload(lines + "metrics: {listen: '127.0.0.1:0'}\n"))["changes"] == [
            "metrics: added"
        ]
        first = place()
        assert b"200" in await get(first)
        text = lines + "metrics: {listen: '127.0.0.1:0', hosts: [gw.example.com]}\n"
        assert (await s.reload(text))["ok"]
        assert place() == first
        assert b"200" in await get(first)
        assert (await s.reload(lines))["ok"]
        with pytest.raises(OSError, match=r"."):
            await get(first)


@pytest.mark.usefixtures("preserved_log")
async def test_the_log_changes_its_level(patient_clock: MockClock, tmp_path: Path) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        answer = await s.reload(forwards(forward()) + "log: {level: error, format: json}\n")
        assert answer["changes"] == ["log.level info -> error", "log.format text -> json"]
        assert logging.getLogger("modemproxy").level == logging.ERROR


async def test_a_users_file_is_read_again(patient_clock: MockClock, tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("alice:one\n")
    text = (
        "proxies:\n  - {name: p, protocol: socks5, listen: '127.0.0.1:0', "
        f"users_file: {users}}}\n"
    )
    async with steered(tmp_path, text) as s:

        async def may_log_in(password: bytes) -> bool:
            client = await s.client("p")
            await client.send_all(b"\x05\x01\x02")
            assert await client.receive_some() == b"\x05\x02"
            await client.send_all(b"\x01\x05alice" + bytes([len(password)]) + password)
            return await client.receive_some() == b"\x01\x00"

        assert await may_log_in(b"one")
        users.write_text("alice:two\n")
        answer = await s.reload()
        assert answer["changes"] == ["p: users changed (old rules for its 1 connection)"]
        assert await may_log_in(b"two")
        assert not await may_log_in(b"one")
        users.write_text("alice\n")
        assert "not a user" in (await s.reload())["error"]
        assert await may_log_in(b"two")


# words


def test_words_are_short_and_hold_no_secret() -> None:
    assert spell(None) == "none"
    assert spell(0.5) == "0.5"
    assert spell(("a", 2)) == "[a, 2]"
    assert len(spell(("x" * 500,))) == 60
    old, new = LogConfig(), LogConfig(level="debug")
    assert list(spell_changes(old, new, "log.")) == ["log.level info -> debug"]
    assert list(spell_changes(old, old)) == []


async def test_both_kinds_of_end_are_told_apart(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    """A connection that the old configuration let in ends as it would have."""
    async with steered(tmp_path, forwards(forward())) as s:

        async def speak(stream: FarStream) -> None:
            await trio.sleep(5)
            await stream.send_all(b"x" * 2000)

        s.play(80, speak)
        client = await s.client()
        assert (await s.reload(forwards(forward("else"))))["ok"]
        assert await end_of(client) == (b"x" * 2000, "FIN")

"""Killed while a send was under way: what the next run knows of it, and what it says."""

import contextlib
import os
from pathlib import Path

import pytest
import trio
import trio.testing

from modemproxy.at.transfer import SendData
from modemproxy.emulator.faults import Fault
from modemproxy.errors import ModemProxyError
from modemproxy.line.channel import AtChannel
from modemproxy.line.port import StreamPort
from modemproxy.module import state
from modemproxy.module.state import StateStore

from .recovery_bench import recovering
from .rig import CLAIM, FAR

pytestmark = pytest.mark.timeout(30)

PORT = "/dev/emulated"


def killed(directory: Path, *, sending: bool = True) -> StateStore:
    """Leave what a run leaves that was killed; with ``sending``, in a small send."""
    store = StateStore(directory, PORT)
    store.note_session()
    store.note_small_send(True)
    if not sending:
        store.note_small_send(False)
    return store


# -- the mark --


def test_a_small_send_that_was_cut_off_is_known_to_the_next_run(tmp_path: Path) -> None:
    assert StateStore(tmp_path, PORT).small_send_due_s == 0
    killed(tmp_path)
    assert 15.5 <= StateStore(tmp_path, PORT).small_send_due_s <= 16
    assert StateStore(tmp_path, "/dev/another").small_send_due_s == 0


def test_a_send_that_is_over_leaves_no_mark(tmp_path: Path) -> None:
    killed(tmp_path, sending=False)
    assert StateStore(tmp_path, PORT).small_send_due_s == 0


def test_a_session_that_ended_in_order_leaves_no_mark_and_no_open_file(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    store = killed(tmp_path)
    store.note_session()
    store.clear_session()
    store.note_small_send(True)
    assert store.small_send_due_s == 0
    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("passed_s", "due_s"),
    [(0.0, 16.0), (10.0, 6.0), (15.9, 0.1), (16.0, 0.0), (1e6, 0.0), (-500.0, 16.0)],
)
def test_the_mark_lasts_as_long_as_the_module_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passed_s: float, due_s: float
) -> None:
    """A machine that has started anew since counts from nought again."""
    monkeypatch.setattr(state, "_since_boot", lambda: 1000.0)
    killed(tmp_path)
    monkeypatch.setattr(state, "_since_boot", lambda: 1000.0 + passed_s)
    assert StateStore(tmp_path, PORT).small_send_due_s == pytest.approx(due_s)


@pytest.mark.parametrize("rubbish", [b"", b"x", b"x" * 7, b"x" * 100])
def test_a_mark_that_makes_no_sense_is_none(tmp_path: Path, rubbish: bytes) -> None:
    killed(tmp_path)
    [file] = tmp_path.glob("*.send")
    file.write_bytes(rubbish)
    assert StateStore(tmp_path, PORT).small_send_due_s == 0


def test_a_directory_that_cannot_be_written_is_no_reason_to_fail() -> None:
    assert killed(Path("/proc/none")).small_send_due_s == 0


def test_a_full_disk_is_no_reason_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    store = StateStore(tmp_path, PORT)
    monkeypatch.setattr(Path, "write_text", full)
    store.note_session()
    monkeypatch.undo()
    store.note_session()
    monkeypatch.setattr(os, "pwrite", full)
    store.note_small_send(True)
    assert store.small_send_due_s == 0


# -- who makes it --


@pytest.mark.parametrize(
    ("size", "answers", "marks"),
    [
        (9, [b"\r\n>", b"\r\nOK\r\n"], [True, False]),
        (9, [b"\r\nERROR\r\n"], [True, False]),
        (1, [b"\r\n>"], [True]),
        (10, [b"\r\n>", b"\r\nOK\r\n"], []),
    ],
    ids=["sent", "refused", "pending", "not so small"],
)
async def test_a_small_send_is_marked_before_it_is_announced_and_while_it_may_be_pending(
    autojump_clock: trio.testing.MockClock, size: int, answers: list[bytes], marks: list[bool]
) -> None:
    async with trio.open_nursery() as nursery:
        ours, module = trio.testing.memory_stream_pair()
        channel = AtChannel(StreamPort(ours))
        seen: list[bool] = []

        def note(pending: bool) -> None:
            assert channel.payload_pending is False  # not announced yet, or over
            seen.append(pending)

        channel.on_small_send = note
        nursery.start_soon(channel.read_forever)
        nursery.start_soon(_send, channel, size)
        for answer in answers:
            await trio.sleep(0.1)
            await module.send_all(answer)
        await trio.sleep(0.1)
        assert seen == marks
        nursery.cancel_scope.cancel()


async def _send(channel: AtChannel, size: int) -> None:
    with contextlib.suppress(ModemProxyError):  # refused, or cut off
        await channel.roundtrip(SendData(3, b"x" * size))


# -- what the next run says --


@pytest.mark.usefixtures("autojump_clock")
@pytest.mark.parametrize("size", range(1, 10))
@pytest.mark.parametrize("chatty", [False, True])
async def test_no_word_of_the_next_run_completes_a_small_send(
    tmp_path: Path, size: int, chatty: bool
) -> None:
    """A module that says things meanwhile is asked again: three times AT are nine bytes."""
    killed(tmp_path)
    async with recovering(tmp_path, command_latency_s=0.0, prompt_latency_s=0.0) as b:
        b.module.dce.settings.values["+CIPTIMEOUT"] = [120000, 30000, 15000]
        b.module.preset.data_entry(0, size)
        ghost = b.module.dce.stack.tcp(0)
        assert ghost is not None
        b.module.dce.advance()  # its prompt has come, and nobody has heard it
        if chatty:
            b.faults.add(Fault("say", every_s=0.3, text="+CGEV: NW MODIFY 1", times=0))
        await b.session(60)
        assert ghost.sent_total == 0
        b.faults.clear()
        await b.served(10)


@pytest.mark.usefixtures("autojump_clock")
async def test_a_kill_outside_a_send_costs_no_silence(tmp_path: Path) -> None:
    killed(tmp_path, sending=False)
    async with recovering(tmp_path) as b:
        await b.session(5)


@pytest.mark.usefixtures("autojump_clock")
async def test_the_daemon_marks_its_small_sends(tmp_path: Path) -> None:
    async with recovering(tmp_path, prompt_latency_s=2.0) as b:
        session = await b.session(60)
        async with session.open_link(FAR, 7, claim=CLAIM, queue_s=5) as link:
            await link.send_all(b"ab")
            await trio.sleep(1)
            assert StateStore(tmp_path, PORT).small_send_due_s > 15
            await trio.sleep(2)
            assert StateStore(tmp_path, PORT).small_send_due_s == 0

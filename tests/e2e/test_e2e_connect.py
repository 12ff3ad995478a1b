"""``modemproxy connect`` as a process: what it reads, writes, and how it exits."""

import os
import pty
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.e2e.host import (
    Host,
    free_port,
    host,
    modemproxy,
    needs,
    program_serving,
    run_program,
)
from tests.e2e.world import echo, hostile_bytes, serve

pytestmark = pytest.mark.slow


def command(h: Host, port: int, name: str = "far.example") -> tuple[str, ...]:
    return modemproxy("connect", "--socket", str(h.admin), f"{name}:{port}")


async def answers_and_closes(stream: trio.SocketStream) -> None:
    """Take a request of one line, answer at length, close."""
    got = b""
    while not got.endswith(b"\n"):
        got += await stream.receive_some()
    await stream.send_all(hostile_bytes(20_000, 7))


async def swallow(stream: trio.SocketStream) -> None:
    async for _ in stream:
        pass


async def test_an_answer_and_the_far_ends_close_are_exit_0(tmp_path: Path) -> None:
    async with host(tmp_path, {}) as h:
        port = await serve(h.nursery, answers_and_closes)
        done = await run_program(*command(h, port), stdin=b"question\n")
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout == hostile_bytes(20_000, 7)
        await h.wait_free()


@pytest.mark.parametrize("kind", ["file", "null", "closed"])
async def test_any_kind_of_input_will_do(tmp_path: Path, kind: str) -> None:
    async def hear(stream: trio.SocketStream) -> None:
        async for data in stream:
            heard.extend(data)

    async def speak(stream: trio.SocketStream) -> None:
        await stream.send_all(b"greeting")
        await trio.sleep(0.2)

    heard = bytearray()
    data = hostile_bytes(20_000, 1)
    file = tmp_path / "input"
    file.write_bytes(data)
    async with host(tmp_path, {}) as h:
        port = await serve(h.nursery, hear if kind == "file" else speak)
        line = " ".join(command(h, port))
        given = {"file": f"< {file}", "null": "< /dev/null", "closed": "<&-"}[kind]
        # The reader's end closes at once for the file: nobody waits for an answer.
        tail = " | true" if kind == "file" else ""
        done = await run_program("sh", "-c", f"{line} {given}{tail}", limit_s=20)
        assert (done.returncode, done.stderr) == (0, b"")
        if kind == "file":
            assert bytes(heard) == data
        else:
            assert done.stdout == b"greeting"
        await h.wait_free()


async def test_a_terminal_is_left_as_it_was(tmp_path: Path) -> None:
    async def greet(stream: trio.SocketStream) -> None:
        await stream.send_all(b"hello\n")
        await stream.receive_some()
        await stream.send_all(b"bye\n")

    async with host(tmp_path, {}) as h:
        port = await serve(h.nursery, greet)
        ours, theirs = pty.openpty()
        try:
            process = await trio.lowlevel.open_process(
                command(h, port), stdin=theirs, stdout=theirs, stderr=theirs
            )
            os.set_blocking(ours, False)
            with trio.fail_after(20):
                await trio.lowlevel.wait_readable(ours)
                assert os.read(ours, 100) == b"hello\r\n"
                assert not os.get_blocking(theirs)
                os.write(ours, b"bye\n")
                assert await process.wait() == 0
            assert os.get_blocking(theirs)
        finally:
            os.close(ours)
            os.close(theirs)


async def start(h: Host, port: int, **streams: Any) -> trio.Process:
    """Start it with pipes."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return await trio.lowlevel.open_process(command(h, port), **{**pipes, **streams})


async def end_of(process: trio.Process) -> tuple[int, bytes]:
    """Wait for its end; the exit code, and what it complained of."""
    assert process.stderr is not None
    with trio.fail_after(20):
        complaint = b"".join([bytes(data) async for data in process.stderr])
        code = await process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            await stream.aclose()
    return code, complaint


async def greeted(process: trio.Process) -> None:
    """Wait until it is connected to an echo."""
    assert process.stdin is not None
    assert process.stdout is not None
    await process.stdin.send_all(b"x")
    with trio.fail_after(20):
        assert await process.stdout.receive_some() == b"x"


async def test_a_reader_that_goes_away_ends_it_when_there_is_something_to_write(
    tmp_path: Path,
) -> None:
    async with host(tmp_path, {}) as h:
        process = await start(h, await serve(h.nursery, echo))
        await greeted(process)
        assert process.stdin is not None
        assert process.stdout is not None
        await process.stdout.aclose()
        await process.stdin.send_all(b"y")
        assert await end_of(process) == (1, b"standard output was closed\n")
        await h.wait_free()


async def test_a_signal_ends_it_and_its_link(tmp_path: Path) -> None:
    async with host(tmp_path, {}) as h:
        port = await serve(h.nursery, echo)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process = await start(h, port)
            await greeted(process)
            process.send_signal(number)
            assert await end_of(process) == (128 + number, b"")
            await h.wait_free()
        process = await start(h, port)
        await greeted(process)
        process.kill()
        await end_of(process)
        await h.wait_free()


async def test_a_reset_is_exit_1_and_a_line(tmp_path: Path) -> None:
    async with host(tmp_path, {}) as h:
        process = await start(h, await serve(h.nursery, echo))
        await greeted(process)
        h.module.lose_network()
        code, complaint = await end_of(process)
        assert code == 1
        assert complaint.startswith(b"far.example:")
        assert b"reset" in complaint
        assert complaint.count(b"\n") == 1


async def test_a_proxy_that_stops_is_exit_1_and_a_line(tmp_path: Path) -> None:
    async with host(tmp_path, {}) as h:
        process = await start(h, await serve(h.nursery, echo))
        await greeted(process)
        h.stop.set()
        code, complaint = await end_of(process)
        assert code == 1
        assert b"the proxy is stopping" in complaint
        assert complaint.count(b"\n") == 1


@pytest.mark.parametrize(
    ("name", "code", "complaint"),
    [
        ("far.example", 1, b"far.example:1: operation not supported\n"),
        ("nowhere.invalid", 1, b"nowhere.invalid:1: DNS parse failed\n"),
        ('a"b', 2, b"modemproxy connect: the host name"),
    ],
)
async def test_a_refusal_is_a_line(
    tmp_path: Path, name: str, code: int, complaint: bytes
) -> None:
    async with host(tmp_path, {}) as h:
        done = await run_program(*command(h, 1, name))
        assert (done.returncode, done.stdout) == (code, b"")
        assert done.stderr.startswith(complaint)
        assert done.stderr.count(b"\n") == 1


async def test_without_a_proxy_it_says_where_it_looked(tmp_path: Path) -> None:
    done = await run_program(*modemproxy("connect", "--socket", f"{tmp_path}/no", "a.b:1"))
    assert done.returncode == 1
    where = f"{tmp_path}/no: No such file or directory"
    complaint = f"no proxy can be asked: none runs here (tried {where})\n"
    assert done.stderr.decode() == complaint


async def test_what_is_sent_after_the_far_side_closed_is_not_lost_in_silence(
    tmp_path: Path,
) -> None:
    async def close_early(stream: trio.SocketStream) -> None:
        await stream.receive_some()

    async with host(tmp_path, {}) as h:
        process = await start(h, await serve(h.nursery, close_early))
        assert process.stdin is not None
        with trio.move_on_after(10):
            try:
                for _ in range(200):
                    await process.stdin.send_all(b"x" * 1000)
                    await trio.sleep(0.01)
            except trio.BrokenResourceError:
                pass
        code, complaint = await end_of(process)
        assert code == 1
        assert b"reset" in complaint


@needs("ssh", "sshd", "ssh-keygen")
@pytest.mark.skipif(
    os.geteuid() == 0 and not Path("/run/sshd").is_dir(),
    reason="root's sshd needs /run/sshd to drop its rights in",
)
async def test_ssh_through_proxy_command(tmp_path: Path) -> None:
    for name in ("host", "user"):
        key = ("-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name))
        assert (await run_program("ssh-keygen", *key)).returncode == 0
    port = free_port()
    options = {
        "ListenAddress": "127.0.0.1",
        "HostKey": str(tmp_path / "host"),
        "AuthorizedKeysFile": str(tmp_path / "user.pub"),
        "StrictModes": "no",
        "UsePAM": "no",
        "PidFile": "none",
    }
    given = [f"-o{name}={text}" for name, text in options.items()]
    sshd = ("/usr/sbin/sshd", "-D", "-f", "/dev/null", "-p", str(port), *given)
    async with program_serving(sshd, port), host(tmp_path, {}) as h:
        proxy = " ".join(modemproxy("connect", "--socket", str(h.admin), "%h:%p"))
        data = hostile_bytes(20_000, 5)
        done = await run_program(
            "ssh",
            "-F/dev/null",
            f"-p{port}",
            f"-i{tmp_path / 'user'}",
            "-oStrictHostKeyChecking=no",
            "-oUserKnownHostsFile=/dev/null",
            "-oLogLevel=ERROR",
            f"-oProxyCommand={proxy}",
            "far.example",
            "cat; exit 7",
            stdin=data,
        )
        assert (done.returncode, done.stdout) == (7, data), done.stderr
        await h.wait_free()

"""A service manager as a test wants it: Type=notify-reload, a watchdog, restarts."""

import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

import trio

WATCHDOG_S = 3.0


class Manager:
    """A service manager with one service.

    Attributes:
        heard: all that the service said.
        starts: how often it was started.
        trips: how often its watchdog had to.
        codes: how it ended, each time.
    """

    def __init__(self, nursery: trio.Nursery, folder: Path, command: list[str]) -> None:
        self.heard: list[str] = []
        self.starts = 0
        self.trips = 0
        self.codes: list[int] = []
        self.process: trio.Process | None = None
        self._nursery = nursery
        self._folder = folder
        self._command = command
        self._fed_at = 0.0

    async def hear(self, task_status: trio.TaskStatus[None]) -> None:
        """Listen at the notify socket, until cancelled."""
        with trio.socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            await sock.bind(str(self._folder / "notify"))
            task_status.started()
            while True:
                said = (await sock.recv(4096)).decode()
                self.heard.append(said)
                if "WATCHDOG=1" in said or "READY=1" in said:
                    self._fed_at = trio.current_time()

    async def start(self) -> None:
        """Start the service, and wait until it says that it is ready."""
        self.heard.clear()
        self._nursery.start_soon(self._keep)
        await self.hears("READY=1")

    async def _keep(self) -> None:
        """Run the service until it ends well."""
        while True:
            code = await self._run()
            self.codes.append(code)
            if code == 0:
                return

    async def _run(self) -> int:
        environment = {
            **os.environ,
            "XDG_STATE_HOME": str(self._folder / "state"),
            "NOTIFY_SOCKET": str(self._folder / "notify"),
            "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6)),
        }
        self.starts += 1
        with (self._folder / "log").open("ab") as log:
            self.process = await trio.lowlevel.open_process(
                self._command, env=environment, stderr=log
            )
        try:
            async with trio.open_nursery() as nursery:
                self._fed_at = trio.current_time() + 20  # for the start
                nursery.start_soon(self._watch, self.process)
                code = await self.process.wait()
                nursery.cancel_scope.cancel()
            return code
        finally:
            with suppress(ProcessLookupError):
                self.process.kill()

    async def _watch(self, process: trio.Process) -> None:
        while trio.current_time() - self._fed_at < WATCHDOG_S:  # noqa: ASYNC110
            await trio.sleep(0.1)
        self.trips += 1
        process.send_signal(signal.SIGABRT)

    def send(self, number: signal.Signals) -> None:
        """Send the service a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    async def hears(self, words: str, *, count: int = 1) -> None:
        """Wait until the service has said something."""
        with trio.fail_after(30):
            while sum(words in said for said in self.heard) < count:  # noqa: ASYNC110
                await trio.sleep(0.02)


async def ended(manager: Manager) -> int:
    """Wait until the service has ended by itself."""
    process = manager.process
    assert process is not None
    with trio.fail_after(15):
        code = await process.wait()
    await trio.sleep(0.1)  # the manager hears of it, too
    return code

"""What the service manager is told, and when it is not."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from modemproxy.operate.notify import Notifier


class Manager:
    """The service manager's end."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind("\0" + address[1:] if address.startswith("@") else address)
        self._sock.setblocking(False)

    def heard(self) -> list[str]:
        """All that has come since."""
        said = []
        while True:
            try:
                said.append(self._sock.recv(4096).decode())
            except BlockingIOError:
                return said

    def close(self) -> None:
        """Go."""
        self._sock.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """A service manager by either kind of name."""
    path = str(tmp_path / "notify")
    made = Manager(path if request.param == "path" else f"@{path}")
    yield made
    made.close()


def test_all_that_can_be_said(manager: Manager) -> None:
    notifier = Notifier.from_environ({"NOTIFY_SOCKET": manager.address})
    notifier.ready("module is starting")
    notifier.status("module up,\nat last")
    notifier.reloading()
    notifier.stopping(10)
    ready, status, reloading, stopping = manager.heard()
    assert ready == "READY=1\nSTATUS=module is starting"
    assert status == "STATUS=module up, at last"
    assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert stopping == "STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000"
    assert notifier.watchdog_s == 0


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
    ],
)
def test_the_watchdog_is_meant_for_one_process(environ: dict[str, str], seconds: float) -> None:
    assert Notifier.from_environ(environ).watchdog_s == seconds


def test_nobody_who_listens_hurts_nobody(tmp_path: Path) -> None:
    Notifier.from_environ({}).ready()
    Notifier(str(tmp_path / "gone")).ready("anybody?")
    Notifier("/" + "long" * 100).ready()


async def test_the_watchdog_is_fed_twice_in_its_time_while_the_work_goes_on(
    tmp_path: Path, autojump_clock: object
) -> None:
    manager = Manager(str(tmp_path / "notify"))
    notifier = Notifier(manager.address, watchdog_s=10)
    alive = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(notifier.feed_watchdog, lambda: alive)
        await trio.sleep(60.5)
        fed = manager.heard()
        assert 11 <= len(fed) <= 16
        assert set(fed) == {"WATCHDOG=1"}
        alive = False
        await trio.sleep(60)
        assert manager.heard() == []
        alive = True
        await trio.sleep(2)
        assert manager.heard() == ["WATCHDOG=1"]
        nursery.cancel_scope.cancel()
    manager.close()


async def test_without_a_watchdog_nothing_is_fed() -> None:
    await Notifier().feed_watchdog(lambda: True)


async def test_words_that_no_encoding_has_are_said_all_the_same(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    Notifier(manager.address).status("a model named \udcff")
    assert manager.heard() == ["STATUS=a model named ?"]
    manager.close()

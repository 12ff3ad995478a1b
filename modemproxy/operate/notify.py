"""Tell the service manager how we are (sd_notify(3)): ready, reloading, stopping, alive.

A datagram on a Unix socket that the service manager names in the environment. Where it
names none, nothing is said; a datagram that can not be sent hurts nobody.
"""

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

import trio

log = logging.getLogger(__name__)

#: How often to look whether the work goes on, at least.
_LOOK_S: Final = 1.0
#: After so many looks in vain it is said in the log.
_STUCK: Final = 3
_MICRO: Final = 1_000_000


class Notifier:
    """The service manager's ear.

    Attributes:
        watchdog_s: how long we may be silent before it restarts us; 0 when it does not.
    """

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        """Args:
        address: a socket's path, or with ``@`` in front its abstract name; empty for none.
        watchdog_s: how long it may hear nothing of us, seconds.
        """
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_s = watchdog_s

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Notifier":
        """Take what the service manager has put into the environment."""
        meant = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        micro = environ.get("WATCHDOG_USEC", "") if meant else ""
        watchdog_s = int(micro) / _MICRO if micro.isdecimal() else 0.0
        return cls(environ.get("NOTIFY_SOCKET", ""), watchdog_s)

    def ready(self, status: str = "") -> None:
        """All listeners are bound: who waits for us may go on."""
        self._say("READY=1", status)

    def status(self, status: str) -> None:
        """Say in words how we are; ``systemctl status`` shows it."""
        self._say(status=status)

    def reloading(self) -> None:
        """The configuration is being read anew; ``ready()`` follows."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={int(time.monotonic() * _MICRO)}")

    def stopping(self, within_s: float) -> None:
        """We are on our way out, and need up to ``within_s`` seconds."""
        self._say(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={int((within_s + 5) * _MICRO)}")

    async def feed_watchdog(self, is_alive: Callable[[], bool]) -> None:
        """Say that we live for as long as that is so, until cancelled.

        Args:
            is_alive: whether the work goes on, which is more than that this task does.
        """
        if not self.watchdog_s:
            return
        gap_s = min(_LOOK_S, self.watchdog_s / 4)
        fed_at = -self.watchdog_s
        missed = 0
        while True:
            now = trio.current_time()
            if not is_alive():
                missed += 1
                if missed == _STUCK:
                    log.critical("the work loop is stuck: the watchdog is not fed any more")
            elif now - fed_at >= self.watchdog_s / 2 - gap_s or missed:
                missed, fed_at = 0, now
                self._say("WATCHDOG=1")
            await trio.sleep(gap_s)

    def _say(self, what: str = "", status: str = "") -> None:
        lines = [what] if what else []
        if status:
            lines.append(f"STATUS={' '.join(status.split())}")
        if not self._address or not lines:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto("\n".join(lines).encode(errors="replace"), self._address)
        except OSError as error:
            log.debug("the service manager can not be told: %s", error)

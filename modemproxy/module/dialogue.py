"""Commands in sequence before a session exists: bring-up and goodbye talk through this.

No scheduler runs yet, so the channel is used directly, by this task alone. Asynchronous
results (``+NETOPEN: 0`` ...) are kept as they come, because they may stand before or
after the OK of their command.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import trio

from modemproxy.at.commands import Command
from modemproxy.at.results import Refused
from modemproxy.at.urcs import ModuleBooted, NetworkLost, Urc
from modemproxy.errors import BringUpFailed, CommandError, ModuleRebooted
from modemproxy.line.channel import AtChannel

log = logging.getLogger(__name__)

ReplyT = TypeVar("ReplyT")

_DONE_POLL_S: Final = 4.0


class Dialogue:
    """One task's talk with the module, step by step.

    Attributes:
        channel: the line.
        echoed: a command line came back since this was last cleared.
        ok_was_first: the last command with a result said OK before it.
        ok_took_s: how long that OK took, seconds.
    """

    def __init__(self, channel: AtChannel) -> None:
        self.channel = channel
        self.echoed = False
        self.ok_was_first = False
        self.ok_took_s = 0.0
        self._heard: list[Urc] = []
        self._news = trio.Event()
        self._booting_ends_it = False
        self._echo_ends_it = False
        channel.on_urc = self._hear
        channel.on_oddity = self._note_oddity

    def _hear(self, urc: Urc) -> None:
        if isinstance(urc, ModuleBooted) and self._booting_ends_it:
            # what is under way will never be answered: NETOPEN alone would wait for minutes
            self.channel.abort(ModuleRebooted(f"the module restarted ({urc.banner})"))
        self._heard.append(urc)
        del self._heard[:-100]
        self._news.set()

    def _note_oddity(self, what: str) -> None:
        log.debug("%s", what)
        if what.startswith("echo"):
            self.echoed = True
            if self._echo_ends_it:  # a restart that nobody was told of: it forgot ATE0
                self.channel.abort(ModuleRebooted("the module restarted (echo is on again)"))

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[None]:
        """Time and log a step; a command that fails in it fails the step by name."""
        started = trio.current_time()
        try:
            yield
        except CommandError as error:
            raise BringUpFailed(name, str(error)) from error
        finally:
            log.debug("bring-up: %s took %.2f s", name, trio.current_time() - started)
        log.info("bring-up: %s ok (%.2f s)", name, trio.current_time() - started)

    async def ask(self, command: Command[ReplyT]) -> ReplyT:
        """Do one command.

        Raises:
            CommandError, LineError: as ``AtChannel.roundtrip``.
            ModuleRebooted: the module restarted meanwhile.
        """
        return await self.channel.roundtrip(command)

    async def attempt(self, command: Command[ReplyT]) -> ReplyT | None:
        """Do one command that not every firmware has; None when it is refused."""
        try:
            return await self.ask(command)
        except Refused as error:
            log.debug("%s (goes on without)", error)
            return None

    async def ask_with_result(
        self,
        command: Command[None],
        is_result: Callable[[Urc], bool],
        limit_s: float,
        is_done: Callable[[], Awaitable[bool]] | None = None,
        *,
        ok_limit_s: float | None = None,
    ) -> Urc | None:
        """Do a command whose result may come before or after OK.

        Args:
            command: what to do.
            is_result: knows its result.
            limit_s: how long the result may take after OK, seconds.
            is_done: asks the module every few seconds whether it is done all the same: the
                report may be lost.
            ok_limit_s: a tighter bound on the OK than the command's own, seconds.

        Returns:
            The result, or None if none came, or it was done without one.

        Raises:
            Refused: with the result's number in ``code`` where there was one.
        """
        self._heard.clear()
        began = trio.current_time()
        await self.channel.roundtrip(command, limit_s=ok_limit_s)
        self.ok_took_s = trio.current_time() - began
        self.ok_was_first = not any(map(is_result, self._heard))
        deadline = trio.current_time() + limit_s
        while trio.current_time() < deadline:
            for urc in self._heard:
                if is_result(urc):
                    return urc
                if isinstance(urc, ModuleBooted | NetworkLost):
                    return None
            self._news = trio.Event()
            with trio.move_on_at(min(deadline, trio.current_time() + _DONE_POLL_S)):
                await self._news.wait()
                continue
            if is_done is not None and await is_done():
                return None
        return None

    def take_heard(self) -> list[Urc]:
        """Return what the module said on its own since this was last asked."""
        heard, self._heard = self._heard, []
        return heard

    def expect_boot(self, *, expected: bool) -> None:
        """Say whether a boot banner is no news, or the end of everything that was set."""
        self._booting_ends_it = not expected
        self._echo_ends_it = self._echo_ends_it and not expected

    def forbid_echo(self) -> None:
        """Echo was switched off: from now on it means that the module restarted."""
        self._echo_ends_it = True

"""What the upper rungs of the recovery ladder do to a module that answers."""

import contextlib
import logging
import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Final

import trio

from modemproxy.at.commands import Assign, Reset
from modemproxy.errors import CommandError, LineSilent
from modemproxy.module.dialogue import Dialogue
from modemproxy.module.sync import silence_echo

log = logging.getLogger(__name__)

#: Long enough for the network to notice that we left (field reports: CFUN=0, ten seconds).
RADIO_OFF_S: Final = 10.0
#: A module that was told to reset stops answering after its OK.
_RESET_SETTLES_S: Final = 2.0
POWER_LIMIT_S: Final = 60.0
_KILLED_AFTER_S: Final = 1.0


async def switch_radio_off_and_on(dialogue: Dialogue) -> None:
    """R5: leave the network and attach anew.

    Raises:
        LineError: the line ended, as when the firmware takes this for a reset.
    """
    dialogue.expect_boot(expected=True)
    await _try(dialogue, Assign("CFUN", "0"))
    await trio.sleep(RADIO_OFF_S)
    await _try(dialogue, Assign("CFUN", "1"))
    dialogue.expect_boot(expected=False)
    await silence_echo(dialogue)
    dialogue.forbid_echo()


async def reset_module(dialogue: Dialogue) -> None:
    """R6: have the module start anew; its device may vanish for a while.

    Raises:
        LineError: the line ended.
    """
    dialogue.expect_boot(expected=True)
    if not await _try(dialogue, Reset()):
        await _try(dialogue, Assign("CFUN", "1,1"))
    await trio.sleep(_RESET_SETTLES_S)


async def _try(dialogue: Dialogue, command: Assign | Reset) -> bool:
    """A remedy that fails is no failure: the ladder goes on."""
    try:
        await dialogue.ask(command)
    except (CommandError, LineSilent) as error:
        log.warning("%s", error)
        return False
    return True


async def run_power_command(command: Sequence[str]) -> None:
    """R7: run the user's command that cuts the module's power; the port is closed.

    At most a minute. What it prints goes to the log; that it fails is logged and no more.
    Cancelling ends it, with whatever it has started: first asked, a second later killed.
    """
    try:
        with trio.fail_after(POWER_LIMIT_S):
            done = await trio.run_process(
                command,
                check=False,
                stdin=b"",
                capture_stdout=True,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                deliver_cancel=_end,
            )
    except trio.TooSlowError:
        log.error("power_command: not done after %.0f s: killed", POWER_LIMIT_S)
        return
    except OSError as error:
        log.error("power_command: %s", error)
        return
    for line in done.stdout.decode(errors="replace").splitlines()[:20]:
        log.info("power_command: %s", line)
    if done.returncode:
        log.error("power_command: exit code %d", done.returncode)


async def _end(process: trio.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        await trio.sleep(_KILLED_AFTER_S)
        os.killpg(process.pid, signal.SIGKILL)

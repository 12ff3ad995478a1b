"""Finding the module's ear: speed, echo, half-typed commands, a payload left hanging.

The first thing said to a module in an unknown state is one ``AT``. No answer may mean
another speed, a module still booting, results switched off, or that it waits for the
payload of a send that a killed run had begun: then everything we say reaches a stranger
as data. A mark tells whether the last session was cut off; if so, we keep silent until
the module's own time-out has passed before trying other speeds.
"""

import logging
from typing import Final

import trio

from modemproxy.at.commands import Assign, Attention, Basic, SetRate
from modemproxy.at.dte import AnyCommand
from modemproxy.at.results import Refused
from modemproxy.errors import BringUpFailed, NoAnswer
from modemproxy.line.channel import AtChannel
from modemproxy.module.dialogue import Dialogue

log = logging.getLogger(__name__)

#: The order in which speeds are tried after the configured one.
SPEEDS: Final = (115200, 9600, 57600, 230400, 460800, 921600, 1842000, 3686400)
#: ATQ0 and ATV1 bring back a module whose results were switched off or made numbers.
_PROBES: Final[tuple[AnyCommand, ...]] = (Attention(), Basic("Q0"), Basic("V1"))
_PROBE_S: Final = 0.4
_FIRST_PROBE_S: Final = 1.0
_SWITCH_S: Final = 0.1
_QUIET_S: Final = 0.1
_QUIET_LIMIT_S: Final = 2.0


async def find_module(channel: AtChannel, baudrate: int, *, cut_off: bool) -> int:
    """Get an OK out of the module, at whatever speed it has.

    Args:
        channel: the line.
        baudrate: the speed to try first.
        cut_off: the last session may have left a payload pending.

    Returns:
        The speed at which it answers.

    Raises:
        BringUpFailed: it does not answer at any.
        LineError: the device failed.
    """
    first = _PROBES[:1] if cut_off else _PROBES  # each byte may be somebody's payload
    if await _answers(channel, baudrate, _FIRST_PROBE_S, first):
        return baudrate
    if cut_off:
        log.warning("the last session was cut off: listening until a pending send times out")
        await trio.sleep(channel.data_entry_s)
        if await _answers(channel, baudrate, _FIRST_PROBE_S):
            return baudrate
    for speed in dict.fromkeys((baudrate, *SPEEDS)):
        if await _answers(channel, speed, _PROBE_S):
            return speed
    raise BringUpFailed(
        "answer", "no answer to AT at any speed (powered on? right port? TX and RX crossed?)"
    )


async def _answers(
    channel: AtChannel,
    speed: int,
    wait_s: float,
    probes: tuple[AnyCommand, ...] = _PROBES,
) -> bool:
    """Try a speed; on success the line is left quiet, with no answer outstanding."""
    await channel.port.set_line(baudrate=speed, rtscts=False)
    await channel.wait_quiet(_QUIET_S, _QUIET_LIMIT_S)
    for probe in probes:
        if await channel.probe(probe, wait_s):
            await channel.wait_quiet(_QUIET_S, _QUIET_LIMIT_S)
            return True
    return False


async def silence_echo(dialogue: Dialogue) -> None:
    """Switch echo off and see that it is off: with echo on, payload comes back as text.

    Raises:
        BringUpFailed: it stays on.
        CommandError, LineError: as for any command.
    """
    for _ in range(3):
        await dialogue.ask(Basic("E0"))
        dialogue.echoed = False
        await dialogue.ask(Attention())
        if not dialogue.echoed:
            return
    raise BringUpFailed("echo", "the module keeps echoing commands (ATE0 has no effect)")


async def set_speed(dialogue: Dialogue, found: int, wanted: int) -> int:
    """Move the module to the configured speed; keep the one found if it refuses.

    Returns:
        The speed in use.
    """
    if found == wanted:
        return found
    channel = dialogue.channel
    try:
        await dialogue.ask(SetRate(wanted))
    except (Refused, NoAnswer) as error:
        log.warning("the module refuses %d baud (%s): staying at %d", wanted, error, found)
        return found
    await trio.sleep(_SWITCH_S)  # OK came at the old speed; it switches behind it
    await channel.port.set_line(baudrate=wanted, rtscts=False)
    for _ in range(5):
        if await channel.probe(Attention(), _PROBE_S):
            return wanted
    log.warning("no answer at %d baud: back to %d", wanted, found)
    await channel.port.set_line(baudrate=found, rtscts=False)
    if not await channel.probe(Attention(), _FIRST_PROBE_S):
        raise BringUpFailed("speed", f"lost the module between {found} and {wanted} baud")
    return found


async def set_flow_control(dialogue: Dialogue, speed: int, *, rtscts: bool) -> None:
    """Agree on flow control, the module first: the other order can stop both."""
    if not rtscts:
        await dialogue.attempt(Assign("IFC", "0,0"))
        return
    if await dialogue.channel.probe(Assign("IFC", "2,2"), 2.0):
        await dialogue.channel.port.set_line(baudrate=speed, rtscts=True)
    else:
        log.warning("the module refuses RTS/CTS flow control: going on without")

"""Finding the module's ear: speed, echo, half-typed commands, a payload left hanging.

The first thing said to a module in an unknown state is one ``AT``. No answer may mean
another speed, a module still booting, results switched off, or that it waits for the
payload of a send that a killed run had begun: then everything we say reaches a stranger
as data. A mark tells whether the last session was cut off; if so, we keep silent until
the module's own time-out has passed before trying other speeds.
"""

import logging
from collections.abc import Iterator
from math import inf
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
_UNUSUAL: Final[tuple[AnyCommand, ...]] = (Basic("Q0"), Basic("V1"))
_ATTENTION: Final[tuple[AnyCommand, ...]] = (Attention(),)
#: Rubbish left of another speed may spoil the first command at the right one.
_REFUSED_TRIES: Final = 3
_PROBE_S: Final = 0.4
_FIRST_PROBE_S: Final = 1.0
_SWITCH_S: Final = 0.1
_QUIET_S: Final = 0.1
_QUIET_LIMIT_S: Final = 2.0


async def find_module(
    channel: AtChannel,
    baudrate: int,
    *,
    cut_off: bool = False,
    quiet_until: float = -inf,
    limit_s: float = 0.0,
) -> int:
    """Get an OK out of the module, at whatever speed it has.

    A module that is just booting is most likely at the configured speed, or at the one it
    has from the factory: these two are tried between all others.

    Args:
        channel: the line.
        baudrate: the speed to try first.
        cut_off: the last run may have left a payload pending.
        quiet_until: say nothing before this time: a payload is known to be pending.
        limit_s: go on trying for so long, seconds; the speeds are tried once at least.

    Returns:
        The speed at which it answers.

    Raises:
        BringUpFailed: it does not answer at any.
        LineError: the device failed.
    """
    if quiet_until > trio.current_time():
        log.warning("a send was cut off: listening until the module gives it up")
        await trio.sleep_until(quiet_until)
        cut_off = False  # that was what the mark is about
    deadline = trio.current_time() + limit_s
    if await _answers(channel, baudrate, _FIRST_PROBE_S):
        return baudrate
    if cut_off:  # each byte more may be somebody's payload
        log.warning("the last session was cut off: listening until a pending send times out")
        await trio.sleep(channel.data_entry_s)
        if await _answers(channel, baudrate, _FIRST_PROBE_S):
            return baudrate
    while True:
        for speed in _sweep(baudrate):
            if await _answers(channel, speed, _PROBE_S):
                return speed
        for speed in dict.fromkeys((baudrate, SPEEDS[0])):
            if await _answers(channel, speed, _PROBE_S, _UNUSUAL):
                return speed
        if trio.current_time() >= deadline:
            raise BringUpFailed(
                "answer",
                "no answer to AT at any speed (powered on? right port? TX and RX crossed?)",
            )


def _sweep(baudrate: int) -> Iterator[int]:
    """All speeds, and the likely ones again and again."""
    likely = tuple(dict.fromkeys((baudrate, SPEEDS[0])))
    for speed in SPEEDS[1:]:
        yield from likely
        if speed not in likely:
            yield speed


async def _answers(
    channel: AtChannel,
    speed: int,
    wait_s: float,
    probes: tuple[AnyCommand, ...] = _ATTENTION,
) -> bool:
    """Try a speed; on success the line is left quiet, with no answer outstanding."""
    await channel.port.set_line(baudrate=speed, rtscts=False)
    await channel.wait_quiet(_QUIET_S, _QUIET_LIMIT_S)
    for probe in probes:
        for _ in range(_REFUSED_TRIES):
            await trio.sleep_until(max(channel.quiet_until, trio.current_time()))
            understood = channel.lines_in
            if await channel.probe(probe, wait_s):
                await channel.wait_quiet(_QUIET_S, _QUIET_LIMIT_S)
                return True
            if channel.lines_in == understood:  # nothing that makes sense at this speed
                break
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

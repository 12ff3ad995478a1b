"""From an unknown state to a running stack, step by step as the manual's chapter.

Everything is set again each time, because nothing of it survives a reboot, and nothing
is believed from before: a stack that is already open was opened by somebody else (or by
a run of ours that was killed), with settings that latched when it was opened, ten links
and four servers perhaps. It is closed first, which is quicker than closing them one by
one, configured, and opened again.

Limits are those of the application note: 10 s for the SIM, 90 s for registration, 150 s
for the PDP context.
"""

import logging
from dataclasses import dataclass
from math import inf
from typing import Final

from modemproxy.at.commands import Assign, Identify
from modemproxy.at.identity import QueryNumbers
from modemproxy.at.subscription import QueryFunction
from modemproxy.at.tcpip import QueryIp
from modemproxy.config import ModemConfig
from modemproxy.line.channel import AtChannel
from modemproxy.module import sync
from modemproxy.module.dialogue import Dialogue
from modemproxy.module.habits import Habits
from modemproxy.module.ladder import Rung
from modemproxy.module.remedies import reset_module, switch_radio_off_and_on
from modemproxy.module.stack import Stack
from modemproxy.module.state import StateStore
from modemproxy.module.subscriber import Subscriber

log = logging.getLogger(__name__)

#: A module that was reset may need this long before it answers (SIM7600: 23 s and more).
_BOOT_LIMIT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """What bring-up found out.

    Attributes:
        baudrate: the line's speed now.
        model: words of the module about itself; empty when it has none.
        address: the stack's own address.
        package_mode: the firmware keeps datagrams apart.
    """

    baudrate: int
    model: str
    address: str
    package_mode: bool


async def bring_up(
    channel: AtChannel,
    modem: ModemConfig,
    *,
    connect_s: float,
    state: StateStore,
    rung: Rung = Rung.AGAIN,
    quiet_until: float = -inf,
    habits: Habits | None = None,
) -> Readiness:
    """Bring the module to where links can be opened.

    Args:
        channel: the line; nobody else uses it meanwhile.
        modem: the configuration.
        connect_s: the bound on an open that the module is told, seconds.
        state: what earlier runs left for us to know.
        rung: the step of the recovery ladder this is; it may do something first.
        quiet_until: say nothing before this time (trio's clock): a payload is pending.
        habits: what was learned of this module, and is learned here.

    Raises:
        BringUpFailed: a step failed; it says which, and why.
        LineError: the line ended.
    """
    dialogue = Dialogue(channel)
    subscriber = Subscriber(dialogue, modem, state)
    habits = habits or Habits()
    channel.learn_from(habits.trailer)
    stack = Stack(dialogue, modem, connect_s, habits)
    found = await _meet(
        dialogue, modem.baudrate, cut_off=state.cut_off, quiet_until=quiet_until
    )
    if rung is Rung.RADIO:
        async with dialogue.step("radio"):
            await switch_radio_off_and_on(dialogue)
    elif rung is Rung.RESET:
        await reset_module(dialogue)
        found = await _meet(dialogue, modem.baudrate, limit_s=_BOOT_LIMIT_S)
    async with dialogue.step("speed"):
        baudrate = await sync.set_speed(dialogue, found, modem.baudrate)
        rtscts = modem.flow_control == "rtscts"
        await sync.set_flow_control(dialogue, baudrate, rtscts=rtscts)
    async with dialogue.step("module"):
        model = await _identify(dialogue)
    async with dialogue.step("SIM"):
        await subscriber.unlock_sim()
    async with dialogue.step("PDP context"):
        await subscriber.define_context()
    async with dialogue.step("registration"):
        await subscriber.wait_registered()
    async with dialogue.step("sockets"):
        await stack.close_left_over_network()
        package_mode = await stack.configure_sockets()
    async with dialogue.step("network"):
        await stack.open_network()
        await stack.keep_alive()
    async with dialogue.step("left-overs"):
        await stack.clear_left_overs()
        habits.note_family(model)
    async with dialogue.step("address"):
        address = await dialogue.ask(QueryIp())
    return Readiness(baudrate, model, address, package_mode)


async def _meet(
    dialogue: Dialogue,
    baudrate: int,
    *,
    cut_off: bool = False,
    quiet_until: float = -inf,
    limit_s: float = 0.0,
) -> int:
    """Find the module and silence it; return its speed."""
    dialogue.expect_boot(expected=True)
    async with dialogue.step("answer"):
        found = await sync.find_module(
            dialogue.channel,
            baudrate,
            cut_off=cut_off,
            quiet_until=quiet_until,
            limit_s=limit_s,
        )
        dialogue.expect_boot(expected=False)
    async with dialogue.step("echo"):
        await sync.silence_echo(dialogue)
        dialogue.forbid_echo()
    return found


async def _identify(dialogue: Dialogue) -> str:
    await dialogue.attempt(Assign("CMEE", "2"))
    await dialogue.attempt(Assign("CEREG", "1"))  # a lost registration is told at once
    await dialogue.attempt(Assign("CSCLK", "0"))  # asleep, it loses first bytes
    if await dialogue.attempt(QueryFunction()) not in (1, None):
        log.warning("the module is not in full functionality: switching it on")
        await dialogue.attempt(Assign("CFUN", "1"))
    reports_on = await dialogue.attempt(QueryNumbers("CATR"))
    if reports_on and reports_on[0]:  # not on all its ports, and we may have another
        await dialogue.attempt(Assign("CATR", "0"))
    words = [await dialogue.attempt(Identify(what)) or "" for what in ("CGMM", "CGMR")]
    return " ".join(filter(None, words))

"""Row F60: UDP. What is not delivered is counted; what is, is whole (U1) and single (U2).

Every case has clients of a UDP forward with a far side that echoes, and a TCP connection
beside them that is not to notice anything: its extra time against the calm run is what is
held against N = 0.
"""

import random
from typing import Any, Final

import trio

from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.output import Piece
from tests.matrix.rows import Case, case, enter
from tests.matrix.setting import Setting
from tests.matrix.udp_scene import CLIENTS, EACH, D, UdpScene, udp_case

_BURST: Final = 200
#: The connection beside has link 9, and is not to be struck.
_STRUCK: Final = 8
_TOO_LONG: Final = (1501, 2000, 65507)


async def _too_long(s: UdpScene) -> None:
    """A client that sends what no send can carry, in the midst of others."""
    rude = s.asker(50, [])

    async def send_too_long() -> None:
        for size in _TOO_LONG * 20:
            await s.say(rude, bytes(size))
            await trio.sleep(0.1)

    async with trio.open_nursery() as nursery:
        if not s.w.calm:
            nursery.start_soon(send_too_long)
        await s.ask(outstanding=1)
    refused = 0 if s.w.calm else 20 * len(_TOO_LONG)
    s.expect("all are counted", holds=s.forward.traffic.too_long == refused)
    s.expect("all good ones are answered", holds=len(s.arrived) == CLIENTS * EACH)


async def _burst_down(s: UdpScene) -> None:
    """The far side says two hundred things at once, more than the module can hold."""
    source = random.Random(60)
    burst = [b"b%d " % n + source.randbytes(source.randint(1, 1390)) for n in range(_BURST)]
    s.far._answer = lambda data: burst if data == b"burst" else [data]
    await s.ask()
    hearer = s.asker(60, [b"burst"])
    if not s.w.calm:
        await hearer.ask_all(lambda data: s.say(hearer, data))
        await trio.sleep(10)
        s.expect("the part that fits comes", holds=len(hearer.got) >= 16)
        s.expect("in order", holds=hearer.got == [d for d in burst if d in set(hearer.got)])
        hearer.sent[:] = burst  # what it may have got; "burst" itself is counted beneath
        s.far.received[:] = [each for each in s.far.received if each[0] != b"burst"]


async def _burst_up(s: UdpScene) -> None:
    """A client says two hundred things at once: the newest go out."""
    await s.ask()
    burst = [b"%d " % n + bytes(200) for n in range(_BURST)]
    talker = s.asker(61, burst, outstanding=_BURST, patience_s=5.0)
    if not s.w.calm:
        await talker.ask_all(lambda data: s.say(talker, data))
        got = [data for data in s.arrived if data in set(burst)]
        s.expect("the newest is among them", holds=burst[-1] in got)
        s.expect("in order", holds=got == [data for data in burst if data in set(got)])
        await trio.sleep(60)
        lost = sum(len(asker.sent) for asker in s.askers) - len(s.arrived)
        dropped = s.forward.traffic.dropped
        s.expect(f"{lost} lost, {dropped} counted", holds=lost == dropped)


async def _ask(s: UdpScene, least: float = 0.95, **fault: Any) -> None:
    """Ask, with a fault of the box or of the setting."""
    if fault:
        s.w.inject(fault.pop("kind"), link=_STRUCK, **fault)
    await s.ask()
    answered = sum(len(asker.got) for asker in s.askers)
    s.expect(f"{answered} answered", holds=answered >= least * CLIENTS * EACH)


async def _merged(s: UdpScene) -> None:
    """Firmware that merges: with one outstanding each, nothing is there to merge."""
    await s.ask(outstanding=1)
    answered = sum(len(asker.got) for asker in s.askers)
    s.expect("all are answered", holds=answered == CLIENTS * EACH)


_BODIES: Final = {
    "longer than 1500": _too_long,
    "burst of 200 for a client": _burst_down,
    "burst of 200 from a client": _burst_up,
    "merging firmware, one outstanding": _merged,
}


def _result_first(module: EmulatedModule) -> None:
    module.set_profile(send_result_before_ok=True)


def _other_orders(module: EmulatedModule) -> None:
    """OK first and the result behind it where the manual has it the other way round."""

    def tap(piece: Piece, data: bytes) -> bytes:
        for tag in (b"\r\n+CIPOPEN: ", b"\r\n+CIPCLOSE: "):
            line, ok, rest = data.partition(b"\r\n\r\nOK\r\n")
            if data.startswith(tag) and ok and line.count(b",") == 1 and not rest:
                return b"\r\nOK\r\n" + line + b"\r\n"
        return data

    module.dce.out.tap = tap


def _merge(module: EmulatedModule) -> None:
    module.set_profile(cipccfg_fields=7)


_PREPARE: Final = {
    "send results before OK": _result_first,
    "open and close results after OK": _other_orders,
    "merging firmware, one outstanding": _merge,
}


def _setting(case: Case) -> Setting:
    prepare = _PREPARE.get(case.name, lambda module: None)
    return Setting(prepare=prepare, complaints=("while a send result is pending",))


async def _body(s: UdpScene, what: str, **given: Any) -> None:
    await _BODIES.get(what, _ask)(s, **given)


def _fault(name: str, least: float, limit_s: float = 0.0, **given: Any) -> Case:
    """One fault of the box on one of the links; ``least`` of all are answered all the same."""
    return case(name, D, limit_s, what=name, least=least, **given)


def _cases() -> list[Case]:
    lossy = "lose_payload"
    return [
        *(case(name, D, 0.0, what=name) for name in {**_BODIES, **_PREPARE}),
        # while one is due, other links do not send (protocol.md 4.1)
        _fault("late send results", 0.8, 2.0, kind="late_result", delay_s=0.3, times=20),
        _fault("lost send results", 0.8, kind="drop_urc", urc="send_result", times=5),
        _fault("two verdicts", 0.9, kind="double_verdict", times=20),
        _fault("ERROR, then OK", 0.8, kind="double_verdict", first="error", times=10),
        _fault("busy", 0.95, kind="send_busy", probability=0.2),
        _fault("lost reports of data", 0.9, kind="drop_urc", urc="data", times=30),
        _fault("a rest that lies", 0.95, kind="rest_lies", times=50, also_zero=True),
        # as rows 28 and 29: the line is found in step again within 3 s
        _fault("reads that lose bytes", 0.6, 9.0, kind=lossy, times=3, count=3),
        _fault("headers with a flipped bit", 0.3, 30.0, kind="flip_header", times=10),
    ]


test_f60 = enter(
    60,
    "UDP: datagram > 1500, burst of 200, merged read, result lines in the wrong order",
    _cases(),
    udp_case(_body, _setting),
)

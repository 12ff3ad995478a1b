"""The watch over a pause: what ends it, what does not, and what is said meanwhile."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from modemproxy.emulator.faults import FaultBox
from modemproxy.emulator.faults_cable import MemoryCable
from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.errors import BringUpFailed, LineError, NetworkError
from modemproxy.line.channel import AtChannel, open_channel
from modemproxy.module.vigil import Vigil

from .recovery_bench import CablePort

pytestmark = pytest.mark.usefixtures("autojump_clock")

LIMIT_S = 60.0


class Watch:
    """A vigil over a pause, on an emulated module that nobody has set up.

    Attributes:
        took_s: how long the pause was, once it is over.
        told: when the module was told what.
    """

    def __init__(self, channel: AtChannel, module: EmulatedModule, faults: FaultBox) -> None:
        self.channel = channel
        self.module = module
        self.faults = faults
        self.vigil = Vigil(channel)
        self.took_s = 0.0
        self.told: list[tuple[float, str]] = []
        self._began = trio.current_time()
        module.trace = self._trace

    def _trace(self, direction: str, data: bytes) -> None:
        if direction == ">":
            self.told.append((trio.current_time() - self._began, data.decode("latin-1")))

    async def wait(
        self, limit_s: float = LIMIT_S, *, ask: bool = True, speeds: tuple[int, ...] = ()
    ) -> str:
        """Wait, and return what made it shorter."""
        self._began = trio.current_time()
        await self.vigil.wait(limit_s, ask=ask, speeds=speeds)
        self.took_s = trio.current_time() - self._began
        return self.vigil.better

    async def after(self, seconds: float, fault: str, **given: object) -> None:
        """Have a fault, or a word, later."""
        await trio.sleep(seconds)
        self.faults.inject(fault, **given)


@asynccontextmanager
async def watch(**options: object) -> AsyncIterator[tuple[Watch, trio.Nursery]]:
    """A module, echo off, and a vigil on its line."""
    async with trio.open_nursery() as nursery:
        module = EmulatedModule(Profile(**options), internet=MemoryInternet(nursery))  # type: ignore[arg-type]
        module.dce.echo = False
        cable = MemoryCable(module, nursery)
        faults = FaultBox(module, cable)
        nursery.start_soon(faults.run)
        async with open_channel(CablePort(cable)) as channel:
            await trio.testing.wait_all_tasks_blocked()
            yield Watch(channel, module, faults), nursery
        nursery.cancel_scope.cancel()


# -- what ends a pause --


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("RDY", "the module has started"),
        ("*ATREADY: 1", "the module has started"),
        ("PB DONE", "the module has started"),
        ("SMS DONE", "the module has started"),
        ("+CPIN: READY", "the SIM is there"),
        ("+CPIN: SIM PIN", "the SIM is there"),
        ("+CEREG: 1", "registered"),
        ("+CEREG: 5", "registered"),
        ("+CGREG: 11", "registered"),
        ("+CGEV: EPS PDN ACT 1", "the bearer is up"),
    ],
)
@pytest.mark.parametrize("limit_s", [3.0, LIMIT_S])
async def test_good_news_ends_a_pause(line: str, words: str, limit_s: float) -> None:
    async with watch() as (w, nursery):
        nursery.start_soon(lambda: w.after(1.1, "say", text=line))
        assert await w.wait(limit_s) == words
        assert 1.1 <= w.took_s <= 1.1 + 0.25 + 1.0 + 0.1


@pytest.mark.parametrize(
    "line",
    [
        "+CPIN: NOT READY",
        "+CPIN: SIM PUK",
        "+CEREG: 0",
        "+CEREG: 2",
        "+CEREG: 3",
        "+CGEV: EPS PDN DEACT 1",
        "+CGEV: NW DETACH",
        "+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY",
        "+IPCLOSE: 1,1",
        "something else",
    ],
)
async def test_other_news_does_not(line: str) -> None:
    async with watch() as (w, nursery):
        nursery.start_soon(lambda: w.after(1.1, "say", text=line))
        assert await w.wait() == ""
        assert LIMIT_S <= w.took_s <= LIMIT_S + 0.5


@pytest.mark.parametrize(
    ("fault", "given", "words"),
    [
        ("sim", {"state": "NOT INSERTED"}, "the SIM is there"),
        ("sim", {"state": "SIM PUK"}, "the SIM is there"),
        ("registration", {"state": "denied"}, "registered"),
        ("registration", {"state": "searching"}, "registered"),
    ],
)
async def test_what_was_wrong_and_is_not_any_more_ends_a_pause(
    fault: str, given: dict[str, object], words: str
) -> None:
    async with watch() as (w, nursery):
        wrong = w.faults.inject(fault, urc=False, **given)

        async def mend() -> None:
            await trio.sleep(12)
            wrong.lift()

        nursery.start_soon(mend)
        assert await w.wait() == words
        assert w.took_s <= 12 + 6.5


async def test_a_sim_that_is_gone_meanwhile_is_no_good_news_and_back_again_is() -> None:
    async with watch() as (w, nursery):
        nursery.start_soon(lambda: w.after(7, "sim", state="NOT INSERTED", urc=False, for_s=16))
        assert await w.wait() == "the SIM is there"
        assert 23 <= w.took_s <= 23 + 6.5


async def test_what_was_well_all_along_is_no_news() -> None:
    async with watch() as (w, _):
        assert await w.wait() == ""
        assert LIMIT_S <= w.took_s <= LIMIT_S + 0.5


# -- what is said meanwhile --


async def test_a_module_that_answers_is_asked_every_five_seconds() -> None:
    async with watch() as (w, _):
        await w.wait(30.0)
        assert [text for _, text in w.told] == ["AT+CPIN?\r", "AT+CEREG?\r"] * 6
        times = [at for at, text in w.told if "CPIN" in text]
        assert times == pytest.approx([0, 5, 10, 15, 20, 25], abs=0.5)


@pytest.mark.parametrize("ask", [False, True])
async def test_in_a_short_pause_nothing_is_said(ask: bool) -> None:
    async with watch() as (w, _):
        assert await w.wait(4.0, ask=ask, speeds=(115200,)) == ""
        assert w.told == []
        assert w.took_s == pytest.approx(4)


async def test_a_question_without_an_answer_is_no_news() -> None:
    async with watch() as (w, _):
        w.faults.inject("lose_command", command="+CPIN", times=2)
        w.faults.inject("answer", command="+CEREG", final="ERROR", times=0)
        assert await w.wait() == "the SIM is there"  # it answers again


async def test_a_module_that_falls_silent_ends_the_line() -> None:
    async with watch() as (w, _):
        w.faults.inject("deaf", keep=False)
        with pytest.raises(LineError):
            await w.wait()


async def test_a_cable_that_is_pulled_ends_the_vigil() -> None:
    with pytest.RaisesGroup(LineError, flatten_subgroups=True):
        async with watch() as (w, nursery):
            nursery.start_soon(lambda: w.after(7, "vanish"))
            await w.wait()


# -- a module that does not answer --


@pytest.mark.parametrize("words", ["+CGEV: NW MODIFY 1", "OK", "+CPIN: SIM PUK"])
async def test_any_word_of_a_silent_module_is_good_news(words: str) -> None:
    async with watch() as (w, nursery):
        w.faults.inject("deaf", keep=False)
        nursery.start_soon(lambda: w.after(7, "say", text=words))
        assert await w.wait(ask=False) == "the module speaks"
        assert w.took_s <= 7 + 0.25 + 1.1


@pytest.mark.parametrize("baudrate", [9600, 115200])
async def test_a_silent_module_is_called_at_each_speed_until_it_answers(baudrate: int) -> None:
    async with watch(baudrate=baudrate) as (w, nursery):
        deaf = w.faults.inject("deaf", keep=False)

        async def mend() -> None:
            await trio.sleep(12)
            deaf.lift()

        nursery.start_soon(mend)
        assert await w.wait(ask=False, speeds=(9600, 115200)) in (
            "the module answers",
            "the module speaks",
        )
        assert 12 <= w.took_s <= 12 + 5 + 1 + 1.5
        assert {text for _, text in w.told[:1]} == {"AT\r"}


async def test_rubbish_is_no_word() -> None:
    async with watch(baudrate=9600) as (w, _):
        assert await w.wait(30, ask=False, speeds=(115200,)) == ""


async def test_a_prompt_that_nobody_asked_for_forbids_to_call() -> None:
    async with watch() as (w, _):
        w.faults.inject("deaf", keep=False)
        w.faults.inject("say", text="\r\n>", raw=True)
        await trio.sleep(0.1)
        w.vigil = Vigil(w.channel)
        silent_s = w.channel.quiet_until - trio.current_time()
        assert silent_s > 10
        await w.wait(40, ask=False, speeds=(115200,))
        assert w.told[0][0] >= silent_s


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (BringUpFailed("SIM", "not inserted"), "the SIM is there"),
        (BringUpFailed("registration", "stat 2"), "registered"),
        (BringUpFailed("SIM", "locked", hopeless=True), ""),
        (BringUpFailed("network", "NETOPEN failed"), ""),
        (NetworkError("gone"), ""),
    ],
)
async def test_what_came_back_just_before_the_pause_ends_it(
    failure: Exception, words: str
) -> None:
    async with watch() as (w, _nursery):
        w.vigil = Vigil(w.channel, failure)
        assert await w.wait() == words
        assert w.took_s < 2 if words else w.took_s >= LIMIT_S

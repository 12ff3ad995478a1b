"""Every dialect of the module carries exact bytes both ways, without a rule broken."""

from typing import Any, Final

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.profile import Profile

from .rig import HOSTILE, exchange, rig

pytestmark = pytest.mark.timeout(15)

URCS: Final = (
    "+CIPRXGET: 1,9",
    "+CREG: 1",
    "+CGEV: NW DETACH",
    "+CIPRXGET: 1,3",
    "*COPN: 1",
    "SMS DONE",
)
EVERYWHERE: Final = {"urc_everywhere": URCS}

DIALECTS: Final[dict[str, dict[str, Any]]] = {
    "default": {},
    "no latency": {"command_latency_s": 0.0},
    "send result before OK": {"send_result_before_ok": True},
    "open result before OK": {"open_result": "before_ok", "open_delay_s": 1.0},
    "close result before OK": {"close_result": "before_ok"},
    "net result before OK": {"netopen_result_before_ok": True},
    "slow close": {"close_delay_s": 8.0},
    "slow open": {"open_delay_s": 20.0},
    "prompt with a space": {"prompt_text": "\r\n> "},
    "bare prompt": {"prompt_text": ">"},
    "short prompt": {"prompt_text": "\r\n>", "prompt_latency_s": 0.5},
    "long trailer": {"trailer": "\r\n\r\n"},
    "URCs everywhere": EVERYWHERE,
    "URCs everywhere, long trailer": {**EVERYWHERE, "trailer": "\r\n\r\n"},
    "URCs everywhere, prompt with a space": {**EVERYWHERE, "prompt_text": "\r\n> "},
    "URCs half of the time": {**EVERYWHERE, "urc_everywhere_p": 0.5},
    "ghost hints": {"ghost_urc_p": 0.5},
    "no CIPACK": {"cipack": False},
    "7-field CIPCCFG": {"cipccfg_fields": 7},
    "no CIPCFG": {"cipcfg": False},
    "CIPRXGET up to 4": {"rxget_modes": 4},
    "CREG denied": {"creg": 3},
    "CGREG denied": {"cgreg": 3},
    "no data URCs": {"data_urcs": "none"},
    "a URC for every segment": {"data_urcs": "every"},
    "half of the data URCs lost": {"data_urc_loss": 0.5},
    "late send results": {"send_result_delay_s": 0.8},
    "short reads": {"short_reads": 100},
    "reads of one byte": {"short_reads": 1},
    "second stage": {"second_stage_bytes": 2000},
    "second stage without a URC": {"second_stage_bytes": 2000, "second_stage_urc": False},
    "busy while a result is pending anywhere": {"busy_scope": "global"},
    "small send buffer, busy": {"send_buffer_bytes": 3000, "wan_latency_s": 0.2},
    "small send buffer, busy in words": {
        "send_buffer_bytes": 3000,
        "wan_latency_s": 0.2,
        "send_full": "busy_text",
    },
    "small send buffer, busy in lower case": {
        "send_buffer_bytes": 3000,
        "wan_latency_s": 0.2,
        "send_full": "busy_text",
        "error_case": "lower",
    },
    "small send buffer, waits": {
        "send_buffer_bytes": 3000,
        "wan_latency_s": 0.2,
        "send_full": "wait",
    },
    "small send buffer, takes a part": {
        "send_buffer_bytes": 3000,
        "wan_latency_s": 0.2,
        "send_full": "short",
    },
    "error words in lower case": {"error_case": "lower"},
    "error numbers": {"err_mode": 0},
    "closed link is an error to ask": {"closed_link_query": "error"},
    "pause before the OK of a read": {"read_gap_s": 0.5},
    "slow network": {"wan_latency_s": 0.3, "wan_rate_bytes_s": 20000.0},
    "small receive buffer": {"receive_buffer_bytes": 2000},
    "terse errors": {"cmee": 0},
    "four links": {"link_count": 4},
    "five links, as in old ones": {"link_count": 5},
    "mode lost at NETCLOSE": {"rxget_survives_netclose": False},
}


def test_the_dialects_name_real_options() -> None:
    for options in DIALECTS.values():
        Profile(**options)


@pytest.mark.parametrize("name", DIALECTS)
async def test_hostile_bytes_come_back_exactly(autojump_clock: MockClock, name: str) -> None:
    size = 1 if DIALECTS[name].get("short_reads") == 1 else 16
    async with rig(**DIALECTS[name]) as r:
        async with r.link() as link:
            assert await exchange(link, HOSTILE * size) == HOSTILE * size
        await r.settle()
        assert r.failure is None


@pytest.mark.parametrize("chop", [1, 2, 3, 7])
@pytest.mark.parametrize("name", ["default", "URCs everywhere", "long trailer", "bare prompt"])
async def test_replies_in_pieces_carry_the_same(
    autojump_clock: MockClock, name: str, chop: int
) -> None:
    async with rig(chop=chop, **DIALECTS[name]) as r:
        async with r.link() as link:
            assert await exchange(link, HOSTILE * 2) == HOSTILE * 2
        await r.settle()
        assert r.failure is None


@pytest.mark.parametrize(
    "name", ["default", "URCs everywhere", "busy while a result is pending anywhere"]
)
async def test_ten_links_at_once_keep_their_bytes_apart(
    autojump_clock: MockClock, name: str
) -> None:
    async with rig(**DIALECTS[name]) as r:

        async def one(index: int) -> None:
            data = b"%d:" % index + HOSTILE * (1 + index)
            async with r.link() as link:
                assert await exchange(link, data) == data

        async with trio.open_nursery() as nursery:
            for index in range(10):
                nursery.start_soon(one, index)
        await r.settle()

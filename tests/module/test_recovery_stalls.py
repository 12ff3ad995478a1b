"""A stall that begins when the clock says nought."""

from typing import cast

import pytest
import trio

from modemproxy.module.opens import Patience
from modemproxy.module.pool import LinkPool
from modemproxy.module.stalls import StallWatch

from .health_bench import HealthBench


@pytest.mark.usefixtures("autojump_clock")
async def test_a_stall_that_began_at_nought_is_one() -> None:
    async with trio.open_nursery() as nursery:
        bench = HealthBench()
        assert trio.current_time() == 0
        [stuck] = bench.add_links(9)
        stuck.stick()
        watch = StallWatch(cast(LinkPool, bench), Patience(), bench.note_failure)
        nursery.start_soon(watch.watch)
        await trio.sleep(60)
        assert {target for _, target in bench.probes} == {stuck.target}
        nursery.cancel_scope.cancel()

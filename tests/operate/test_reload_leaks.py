"""Reload again and again: no task and no descriptor is left over."""

import os
import random
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.surfaces.stand import until

from .steered import (
    echo,
    forward,
    forwards,
    send_and_take,
    steered,
    talks,
)

pytestmark = pytest.mark.timeout(60)


async def test_fifty_reloads_under_traffic_leave_nothing_behind(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    texts = [
        forwards(forward(), forward("other", "127.0.0.2:0", rate=1000)),
        forwards(forward(), forward("other", "127.0.0.3:0")) + "dns: {listen: '127.0.0.1:0'}\n",
        forwards(forward(), forward("third", protocol="udp")),
    ]
    async with steered(tmp_path, texts[0], wan_latency_s=0.05) as s:
        s.play(80, echo)
        client = await s.client()
        assert await talks(client)
        assert (await s.reload(texts[0]))["ok"]
        before = count_descriptors(), count_tasks()
        data = random.Random(9).randbytes(40_000)
        got: list[bytes] = []

        async def transfer() -> None:
            got.append(await send_and_take(client, data))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(transfer)
            for number in range(1, 51):
                answer = await s.reload(texts[number % 3])
                assert answer["ok"], answer
                assert not answer["reset"]
        assert got == [data]
        assert (await s.reload(texts[0]))["ok"]
        await until(lambda: count_descriptors() <= before[0], 10)
        await until(lambda: count_tasks() <= before[1], 10)


def count_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def count_tasks() -> int:
    """How many tasks there are in all."""

    def below(task: trio.lowlevel.Task) -> int:
        nurseries = task.child_nurseries
        return 1 + sum(below(t) for nursery in nurseries for t in nursery.child_tasks)

    root = trio.lowlevel.current_root_task()
    assert root is not None
    return below(root)

"""The soak's part in CI: the judge itself, a sample of worlds, and every seed that failed."""

from dataclasses import replace
from typing import Any
from unittest import mock

import pytest

from modemproxy.module.link import Link
from modemproxy.surfaces import relay
from tests.soak import host
from tests.soak.checker import explain, judge
from tests.soak.history import FIN, RST, Connection, End, History, Levels
from tests.soak.runs import run_short
from tests.soak.seeds import EVER_FAILED, SAMPLE
from tests.soak.simulation import run_world
from tests.soak.stream import BLOCK, Direction, find_block, place_of, stream
from tests.soak.world import Size

UP, DOWN = Direction.UP, Direction.DOWN


# -- streams ----------------------------------------------------------------------------


def test_every_block_says_where_it_belongs() -> None:
    data = stream(7, DOWN, 10 * BLOCK)
    for index in range(10):
        place = place_of(data[index * BLOCK : (index + 1) * BLOCK])
        assert place is not None
        assert (place.connection, place.direction, place.offset) == (7, DOWN, index * BLOCK)


def test_streams_are_prefixes_of_themselves_and_differ_from_each_other() -> None:
    assert stream(1, UP, 5000)[:77] == stream(1, UP, 77)
    assert len(stream(1, UP, 77)) == 77
    assert stream(1, UP, 0) == b""
    assert len({stream(n, way, 64) for n in range(50) for way in Direction}) == 100


def test_no_line_of_a_stream_is_a_command() -> None:
    data = stream(3, UP, 200_000)
    assert b"\rAT" not in data
    assert b"\nAT" not in data


def test_a_block_is_found_behind_rubbish() -> None:
    assert find_block(b"\xa5\x01rubbish" + stream(9, UP, BLOCK)) == (
        9,
        place_of(stream(9, UP, 64)),
    )
    assert find_block(b"\xa5" * 200) is None


# -- the judge: one hand-made history for each way to be wrong ------------------------------


def connection(**changes: Any) -> Connection:
    """A connection that went well: 300 bytes up, 500 down, FIN from the far side."""
    client = End(1.0, bytearray(stream(5, DOWN, 500)), sent=300, offered=300, end=FIN)
    client.ended_at = 3.0
    far = End(1.5, bytearray(stream(5, UP, 300)), sent=500, offered=500, end=FIN)
    far.fin_at, far.reached = 2.0, 300
    bare = Connection(5, "both", client, [far], done_at=4.0)
    for name, value in changes.items():
        setattr(bare, name, value)
    return bare


def found(broken: Connection, **world: Any) -> list[str]:
    history = History(connections=[broken], ended_at=10.0, **world)
    return sorted({violation.invariant for violation in judge(history)})


def test_a_good_history_passes() -> None:
    assert found(connection(), calm=True) == []


def test_i1_a_byte_lost_inside() -> None:
    broken = connection()
    del broken.client.received[100]
    assert found(broken) == ["I1", "I2"]


def test_i1_a_byte_doubled() -> None:
    broken = connection()
    broken.fars[0].received.insert(100, broken.fars[0].received[100])
    assert found(broken) == ["I1"]


def test_i1_bytes_in_another_order() -> None:
    broken = connection()
    data = broken.client.received
    data[0:64], data[64:128] = data[64:128], data[0:64]
    assert found(broken) == ["I1"]


def test_i1_at_text_at_the_far_side() -> None:
    broken = connection()
    broken.fars[0].received[:] = b"AT\r" + broken.fars[0].received[3:]
    assert found(broken) == ["I1"]


def test_i1_more_than_was_ever_sent() -> None:
    broken = connection()
    broken.fars[0].offered = 499
    assert found(broken) == ["I1"]


def test_i1_two_far_connections_get_bytes_of_one_client() -> None:
    broken = connection()
    broken.fars.append(replace(broken.fars[0]))
    assert found(broken) == ["I1"]


def test_i2_fin_before_the_last_byte() -> None:
    broken = connection()
    del broken.client.received[499:]
    assert found(broken) == ["I2"]


def test_i2_fin_that_nobody_sent() -> None:
    broken = connection()
    broken.fars[0].fin_at = None
    assert found(broken) == ["I2"]


def test_i2_an_answer_that_was_there_when_its_wait_ran_out() -> None:
    broken = connection(half_close_s=5.0)
    client, far = broken.client, broken.fars[0]
    client.fin_at, client.ended_at, far.fin_at = 2.0, 9.0, None
    client.arrivals, far.landings = [(1.8, 400)], [(1.5, 400), (5.0, 100)]
    del client.received[400:]
    assert found(broken) == ["I2"]
    far.landings = [(1.5, 400), (8.9, 100)]  # that one came too late
    assert found(broken) == []


def test_i3_bytes_of_the_client_are_missing_and_it_heard_of_no_reset() -> None:
    broken = connection()
    broken.fars[0].reached = 299
    assert found(broken) == ["I3"]
    broken.client.reset_after_fin = True
    assert found(broken) == []


@pytest.mark.parametrize(("at", "blamed"), [(2.9, ["I3"]), (3.5, []), (4.1, ["I3"])])
def test_i3_what_was_under_way_may_be_struck_behind_a_far_close(
    at: float, blamed: list[str]
) -> None:
    broken = connection()
    broken.fars[0].reached = 299
    assert found(broken, faults=[(at, "reboot")]) == blamed


def test_i3_is_satisfied_by_a_reset() -> None:
    broken = connection()
    del broken.client.received[100:]
    broken.client.end = RST
    broken.fars[0].reached = 10
    assert found(broken) == []
    assert found(broken, calm=True) == []  # the far side ended with bytes on their way
    broken.fars[0].fin_at = None
    assert found(broken, calm=True) == ["IT"]


def test_i4_bytes_of_another_connection() -> None:
    broken = connection()
    broken.client.received[128:] = stream(6, DOWN, 500)[128:]
    assert found(broken) == ["I4"]


def test_i4_bytes_of_the_other_direction() -> None:
    broken = connection()
    broken.client.received[:] = stream(5, UP, 500)
    assert found(broken) == ["I4"]


def test_i5_never_connected_and_never_reset() -> None:
    broken = connection(fars=[], done_at=None)
    broken.client.end, broken.client.ended_at = "open", None
    broken.client.received.clear()
    history = History(connections=[broken], ended_at=60.0)
    assert [v.invariant for v in judge(history)] == ["I5"]


def test_i5_neither_ends_nor_moves() -> None:
    broken = connection(done_at=None)
    broken.client.end, broken.client.ended_at = "open", None
    history = History(connections=[broken], ended_at=400.0)
    assert [v.invariant for v in judge(history)] == ["I5"]


@pytest.mark.parametrize(("serving_at", "wrong"), [(20.0, False), (200.0, True), (None, True)])
def test_i6_serving_again_in_time(serving_at: float | None, wrong: bool) -> None:
    history = History(clear_at=10.0, serving_at=serving_at, ended_at=300.0)
    assert [v.invariant for v in judge(history)] == ["I6"] * wrong


@pytest.mark.parametrize("name", ["tasks", "links", "descriptors", "memory_bytes"])
def test_i7_something_is_left(name: str) -> None:
    before = Levels(tasks=10, links=0, descriptors=5, memory_bytes=50 << 20)
    after = replace(before, **{name: getattr(before, name) + (64 << 20)})
    assert [v.invariant for v in judge(History(before=before, after=after))] == ["I7"]
    assert judge(History(before=before, after=before)) == []


def test_i8_the_supervisor_ends_or_a_bug_is_logged() -> None:
    assert [v.invariant for v in judge(History(supervisor="returned"))] == ["I8"]
    assert [v.invariant for v in judge(History(bugs=["Traceback"]))] == ["I8"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[:70] + data[80:], "lost 10 bytes"),
        (lambda data: data[:70] + data[60:], "10 bytes too many"),
        (lambda data: data[:70] + b"AT\r" + data[73:], "changed bytes"),
        (lambda data: data[:256] + b"\r\nOK\r\n", "nobody's"),
    ],
)
def test_what_is_wrong_is_said(damage: Any, words: str) -> None:
    invariant, what = explain(damage(stream(5, UP, 512)), 5, UP)
    assert invariant == "I1"
    assert words in what


# -- products with something broken on purpose ------------------------------------------------

_CALM = Size(connections=12, seconds=8.0, typical_bytes=6000, calm_p=1.0)


def violations(seed: int = 5) -> set[str]:
    return {violation.invariant for violation in run_world(seed, size=_CALM).violations}


@pytest.mark.parametrize("seed", [4, 5, 12])
def test_the_worlds_of_these_are_good(seed: int) -> None:
    assert violations(seed) == set()


def test_a_fin_instead_of_a_reset_is_caught() -> None:
    aclose = host.ProxySocket.aclose

    async def finish_and_close(self: host.ProxySocket) -> None:
        self.finish()
        await aclose(self)

    with mock.patch.object(host.ProxySocket, "aclose", finish_and_close):
        assert "I2" in violations(4)


def test_a_byte_doubled_on_its_way_down_is_caught() -> None:
    receive = Link.receive_some

    async def doubled(self: Link, max_bytes: int | None = None) -> bytes:
        data = await receive(self, max_bytes)
        return data + data[-1:]

    with mock.patch.object(Link, "receive_some", doubled):
        assert "I1" in violations()


def test_a_byte_lost_on_its_way_up_is_caught() -> None:
    send = Link.send_all

    async def shortened(self: Link, data: bytes | bytearray | memoryview) -> None:
        await send(self, data[:-1] if len(data) > 100 else data)

    with mock.patch.object(Link, "send_all", shortened):
        assert {"I1", "I3"} & violations()


def test_a_relay_that_waits_for_nothing_is_caught() -> None:
    async def end_at_once(self: Any) -> None:
        return

    with mock.patch.object(relay._Relay, "_linger", end_at_once):
        assert "I2" in violations(12)


# -- worlds -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SAMPLE)
def test_sample(seed: int) -> None:
    assert [str(violation) for violation in run_short(seed).violations] == []


@pytest.mark.parametrize("seed", EVER_FAILED)
def test_seed_that_failed(seed: int) -> None:
    assert [str(violation) for violation in run_short(seed).violations] == []


def test_a_seed_replays_to_the_byte() -> None:
    first, second = run_world(11), run_world(11)
    assert first.virtual_s == second.virtual_s
    assert (first.relayed, first.faults) == (second.relayed, second.faults)

import math

import pytest

from modemproxy.bench.figures import Meter, jain, percentile, rate, ratio, shares, slope
from modemproxy.bench.payload import PERIOD, Checker, stretch
from modemproxy.bench.tally import WireTally


def test_percentiles_are_measured_values() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, percent) for percent in (1, 50, 99, 100)] == [1, 50, 99, 100]
    assert percentile([7.0], 50) == 7.0
    assert math.isnan(percentile([], 50))


@pytest.mark.parametrize(
    ("values", "index"), [([5, 5, 5], 1), ([1, 0, 0, 0], 0.25), ([2, 1], 0.9)]
)
def test_jain(values: list[float], index: float) -> None:
    assert jain(values) == pytest.approx(index)


def test_what_cannot_be_said_is_nan() -> None:
    assert all(map(math.isnan, [jain([0, 0]), ratio(1, 0), slope([]), *shares([0, 0])]))


def test_a_rate_is_taken_between_arrivals() -> None:
    """Wherever the window is cut, chunks of 100 every 0.1 s are 1000 bytes a second."""
    arrivals = [(0.05 + 0.1 * number, 100) for number in range(10)]
    for cut in range(8):
        assert rate(arrivals[cut:]) == pytest.approx(1000)
    assert rate(arrivals[:1]) == rate([]) == 0


def test_a_meter_joins_the_pieces_of_an_exchange() -> None:
    meter = Meter()
    for at, count in ((1.0, 10), (1.0001, 20), (2.0, 30)):
        meter.note(at, count)
    assert meter.arrivals == [(1.0, 30), (2.0, 30)]
    assert meter.total == 60
    assert meter.between(1.5, 3.0) == [(2.0, 30)]


def test_slope() -> None:
    assert slope([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) == pytest.approx(2)


def test_the_checker_sees_what_is_lost_doubled_or_changed() -> None:
    right = stretch(0, 3 * PERIOD)
    for data, wrong in (
        (right, 0),
        (right[:5000] + right[6460:], 1),
        (right[:1460] + right[:1460], 1),
        (right[:9] + b"?" + right[10:], 1),
    ):
        checker = Checker()
        checker.feed(data[:1460])
        checker.feed(data[1460:])
        assert checker.wrong == wrong


def test_the_tally_counts_by_link_however_the_bytes_are_cut() -> None:
    said = b"AT+CIPSEND=3,20\r" + bytes(20) + b"AT+CIPRXGET=2,4,1460\rAT+CIPSEND=3,1460\r"
    tally = WireTally()
    for value in said:
        tally.trace(">", bytes([value]))
    for piece in (b"\r\n+CIPERR", b"OR: 8\r\n\r\nERROR\r\n", b"\r\nOK\r\n", b"\r\nOK\r\n"):
        tally.trace("<", piece)
    assert (tally.links[3].sends, tally.links[3].send_bytes) == (2, 1480)
    assert tally.links[4].reads == 1
    assert tally.busy == 1

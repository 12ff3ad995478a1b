"""The arithmetic, against the published table of the half-duplex line."""

import pytest

from modemproxy.bench.limits import Direction, Line


@pytest.mark.parametrize(
    ("baud", "chunk", "latency_ms", "up", "down", "both"),
    [
        (115200, 512, 0, 10.5, 10.4, 10.5),
        (115200, 1460, 5, 10.3, 10.7, 10.5),
        (115200, 1460, 50, 6.3, 8.0, 7.1),
        (230400, 1024, 10, 15.4, 18.0, 16.6),
        (460800, 1460, 20, 20.1, 27.6, 23.2),
        (921600, 1460, 0, 89.0, 88.8, 88.9),
        (921600, 1460, 5, 55.3, 68.1, 61.0),
        (921600, 512, 50, 4.8, 9.1, 6.3),
        (3000000, 1460, 5, 97.1, 145, 116),
    ],
)
def test_goodput_is_that_of_the_table(
    baud: int, chunk: int, latency_ms: float, up: float, down: float, both: float
) -> None:
    line = Line(baud, latency_ms / 1000)
    expected: dict[Direction, float] = {"up": up, "down": down, "both": both}
    for direction, published in expected.items():
        half_a_digit = 0.051 if published < 100 else 0.51
        assert line.goodput(direction, chunk) / 1000 == pytest.approx(
            published, abs=half_a_digit
        )


@pytest.mark.parametrize(
    ("baud", "chunk", "bound_ms"),
    [(115200, 1460, 311), (115200, 512, 146), (921600, 1460, 70), (3000000, 256, 38)],
)
def test_the_bound_of_a_ping_is_two_exchanges_and_its_own(
    baud: int, chunk: int, bound_ms: int
) -> None:
    line = Line(baud, 0.005)
    assert round((2 * line.send_s(chunk) + line.echo_s(32)) * 1000) == bound_ms


def test_the_wire_cost_is_what_is_written() -> None:
    line = Line(10, 0)  # a byte takes a second
    sent = b"AT+CIPSEND=1,1460\r" + bytes(1460)
    said = b"\r\n>" + b"\r\nOK\r\n" + b"\r\n+CIPSEND: 1,1460,1460\r\n"
    assert line.send_s(1460) == len(sent + said)
    asked = b"AT+CIPRXGET=2,1,1460\r"
    read = b"\r\n+CIPRXGET: 2,1,1460,9999\r\n" + bytes(1460) + b"\r\nOK\r\n"
    assert line.read_s(1460) == len(asked + read)
    assert line.query_s() == len(b"AT+CIPRXGET=4,1\r\r\n+CIPRXGET: 4,1,1460\r\n\r\nOK\r\n")
    opened = b'AT+CIPOPEN=1,"TCP","far.bench",40001\r\r\nOK\r\n\r\n+CIPOPEN: 1,0\r\n'
    assert line.open_s("far.bench", 40001) == len(opened)

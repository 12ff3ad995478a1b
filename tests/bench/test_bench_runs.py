"""What a run says of itself, the real module's configuration, and the drawing."""

from pathlib import Path

import pytest

from modemproxy.bench.airtime import airtime
from modemproxy.bench.limits import Line
from modemproxy.bench.real import modem_section
from modemproxy.bench.runs import Run, services_for
from modemproxy.bench.table import Column, Table, words
from modemproxy.bench.world import Counters


def counted(**fields: object) -> Counters:
    nothing = {"at": 0.0, "commands": {}, "wire_bytes": 0, "busy": 0, "wrong": 0}
    return Counters(**{**nothing, **fields})  # type: ignore[arg-type]


def test_directions_that_take_turns_do_not_look_faster_than_the_line() -> None:
    run = Run(0.0, 10.0, counted())
    run.up = {"duplex0": [(number + 0.0, 100) for number in range(5)]}
    run.down = {"duplex0": [(number + 5.0, 100) for number in range(5)]}
    run.down["echo9"] = [(9.5, 32)]
    assert run.goodput == pytest.approx(100)
    assert run.volume == 1032


def test_the_cost_is_for_each_thousand_bytes_delivered() -> None:
    run = Run(0.0, 1.0, counted(commands={"+CIPSEND": 2, "+CIPACK": 1}))
    run.up = {"sink0": [(0.5, 3000)]}
    assert run.commands_per_kb == 1.0
    assert run.counted.exchanges == 2


def test_counters_are_told_apart_by_time() -> None:
    before = counted(commands={"AT": 1}, links={"0": {"sends": 2}}, busy=1)
    after = counted(at=2.0, commands={"AT": 4}, links={"0": {"sends": 5}, "1": {"sends": 1}})
    passed = after.since(before)
    assert (passed.at, passed.commands, passed.busy) == (2.0, {"AT": 3}, -1)
    assert passed.links == {"0": {"sends": 3}, "1": {"sends": 1}}


def test_airtime_is_that_of_the_exchanges() -> None:
    line = Line(115200, 0.005)
    tally = {"sends": 10, "send_bytes": 200, "reads": 2}
    run = Run(0.0, 1.0, counted(open={"4": "duplex1"}, links={"4": tally}))
    run.down = {"duplex1": [(0.1, 1460), (0.2, 1460)]}
    expected = 10 * line.send_s(20) + 2 * line.read_s(1460)
    assert airtime(line, run) == {"duplex1": pytest.approx(expected)}


def test_services() -> None:
    assert services_for("both", 2) == ["duplex0", "duplex1"]


def test_the_real_module_keeps_its_section_as_written(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text("modem: {port: /dev/x, pin: 0123, password_file: secret}\nforwards: []\n")
    assert modem_section(file) == {
        "port": "/dev/x",
        "pin": "0123",
        "password_file": str(tmp_path / "secret"),
    }


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_it_draws(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib")
    from modemproxy.bench.plot import draw

    table = Table("goodput", "x", (words("who", "who"), Column("rate", "kB/s")), bars=("rate",))
    table.rows += [{"who": "bare", "rate": 1.0}, {"who": "proxy", "rate": None}]
    draw([table], tmp_path / f"x{suffix}")
    assert (tmp_path / f"x{suffix}").stat().st_size > 1000

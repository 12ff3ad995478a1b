"""How the doctor's findings look."""

import io
import json

import pytest

from modemproxy.operate.doctor.examination import verdict
from modemproxy.operate.doctor.finding import Grade, failed, ok, skipped, warning
from modemproxy.operate.doctor.show import Display, JsonDisplay, TextDisplay


def play(display: Display) -> None:
    display.begin("port")
    display.end("port", ok("/dev/ttyUSB2"))
    display.begin("SIM")
    display.end("SIM", failed("there is no SIM", "put the SIM in, with the power off"))
    display.end("signal", skipped("needs: SIM"))
    display.finish("1 failed: SIM. Begin with it.")


def test_into_a_file_each_step_is_a_line() -> None:
    out = io.StringIO()
    play(TextDisplay(out, lively=False, coloured=False))
    assert out.getvalue().splitlines() == [
        "ok       port           /dev/ttyUSB2",
        "FAILED   SIM            there is no SIM",
        "                        -> put the SIM in, with the power off",
        "skipped  signal         needs: SIM",
        "",
        "1 failed: SIM. Begin with it.",
    ]


def test_on_a_terminal_the_step_under_way_is_shown_and_long_lines_are_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    out = io.StringIO()
    display = TextDisplay(out, lively=True, coloured=True)
    display.begin("names")
    assert out.getvalue() == "...      names"
    display.end("names", warning("one two " * 10, "three four " * 6))
    lines = out.getvalue().splitlines()[-1:] + out.getvalue().split("\n")[1:]
    assert all(len(line) <= 60 for line in lines[1:])
    assert "\x1b[33mwarning  \x1b[0mnames" in out.getvalue()
    assert "-> three four" in out.getvalue()


def test_steps_skipped_in_a_row_share_a_line() -> None:
    out = io.StringIO()
    display = TextDisplay(out, lively=False, coloured=False)
    for name in ("signal", "registration"):
        display.end(name, skipped("needs: SIM"))
    display.end("UDP", ok("fine"))
    display.end("names", skipped("needs: network"))
    display.finish("...")
    assert out.getvalue().splitlines()[:3] == [
        "skipped  signal, registration",
        "ok       UDP            fine",
        "skipped  names          needs: network",
    ]


def test_several_mistakes_have_a_line_each() -> None:
    out = io.StringIO()
    display = TextDisplay(out, lively=False, coloured=False)
    display.end("configuration", failed("a.yaml:1: x\na.yaml:2: y", "put it right"))
    assert out.getvalue().splitlines() == [
        "FAILED   configuration  a.yaml:1: x",
        "                        a.yaml:2: y",
        "                        -> put it right",
    ]


def test_json_is_one_object() -> None:
    out = io.StringIO()
    play(JsonDisplay(out))
    shown = json.loads(out.getvalue())
    assert not shown["ok"]
    assert shown["verdict"] == "1 failed: SIM. Begin with it."
    assert shown["steps"][1] == {
        "step": "SIM",
        "grade": "failed",
        "found": "there is no SIM",
        "advice": "put the SIM in, with the power off",
    }
    assert [step["grade"] for step in shown["steps"]] == ["ok", "failed", "skipped"]


def test_the_verdict_names_where_to_begin() -> None:
    well, doubt, bad = Grade.OK, Grade.WARNING, Grade.FAILED
    assert verdict({"a": well}) == ("All is well.", 0)
    assert verdict({"a": doubt, "b": doubt}) == ("All is well, 2 warnings.", 0)
    assert verdict({"a": bad, "b": doubt}) == ("1 failed: a, 1 warning. Begin with it.", 1)
    assert verdict({"a": bad, "b": bad}) == ("2 failed: a, b. Begin with a.", 1)

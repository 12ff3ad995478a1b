"""The text format: what is written is read back as it was, whatever stands in it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.operate.metrics_text import Exposition
from tests.operate.exposition import parse

texts = st.text()
#: What UTF-8 can carry.
clean = st.text(st.characters(exclude_categories=["Cs"]))


@given(clean, clean)
def test_a_label_is_read_back_as_it_was(one: str, other: str) -> None:
    out = Exposition()
    out.add("a_metric", "gauge", "About.", [({"one": one, "other": other}, 1)])
    assert parse(out.text())["a_metric"].samples == {(("one", one), ("other", other)): 1}


@given(texts)
def test_any_text_can_be_sent_and_stays_on_its_line(text: str) -> None:
    out = Exposition()
    out.add("a_metric", "gauge", "About.", [({"label": text}, 1)])
    encoded = out.text().encode()
    assert encoded.count(b"\n") == 3
    assert parse(encoded.decode())["a_metric"].value() == 1


@given(clean.filter(str.strip))
def test_a_help_stays_on_its_line(text: str) -> None:
    out = Exposition()
    out.gauge("a_metric", text, 1)
    assert out.text().count("\n") == 3


@given(st.floats() | st.integers(-(2**60), 2**60))
def test_a_value_is_read_back_as_it_was(value: float) -> None:
    out = Exposition()
    out.gauge("a_metric", "About.", value)
    got = parse(out.text())["a_metric"].value()
    assert got == float(value) or (math.isnan(got) and math.isnan(value))


def test_the_text_of_a_family() -> None:
    out = Exposition()
    rows = [({"way": "up", "who": 'a"b\\c\nd'}, 3), ({"way": "down", "who": ""}, 0.25)]
    out.add("bytes_total", "counter", "Bytes \\ of\nall.", rows)
    assert out.text() == (
        "# HELP bytes_total Bytes \\\\ of\\nall.\n"
        "# TYPE bytes_total counter\n"
        'bytes_total{way="up",who="a\\"b\\\\c\\nd"} 3\n'
        'bytes_total{way="down",who=""} 0.25\n'
    )


def test_what_is_not_known_is_left_out() -> None:
    out = Exposition()
    out.gauge("signal_dbm", "Signal.", None)
    out.add("nothing", "gauge", "Nothing.", [])
    assert out.text() == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "1"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
        (1e300, "1e+300"),
    ],
)
def test_how_values_are_spelled(value: float, text: str) -> None:
    out = Exposition()
    out.gauge("x", "X.", value)
    assert out.text().splitlines()[-1] == f"x {text}"


@pytest.mark.parametrize(
    "text",
    [
        "# HELP a About.\n# TYPE a gauge\na 1",
        "# TYPE a gauge\na 1\n",
        "# HELP a About.\n# TYPE a gauge\nb 1\n",
        "# HELP a About.\n# TYPE a counter\na 1\n",
        "# HELP a About.\n# TYPE a gauge\na 1\na 2\n",
        '# HELP a About.\n# TYPE a gauge\na{b="\\x"} 1\n',
        '# HELP a About.\n# TYPE a gauge\na{b="c",} 1\n',
        "# HELP a About.\n# TYPE a gauge\na one\n",
    ],
)
def test_the_reader_of_these_tests_is_strict(text: str) -> None:
    with pytest.raises(AssertionError):
        parse(text)

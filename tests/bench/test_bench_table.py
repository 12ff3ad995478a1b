import io
import json
import math

from modemproxy.bench.progress import Progress
from modemproxy.bench.table import Column, Table, words

COLUMNS = (words("who", "who"), Column("rate", "kB/s"), Column("count", "n"))


def example() -> Table:
    table = Table("goodput", "115200 baud", COLUMNS, notes=["a note"])
    table.rows.append({"who": "bare", "rate": 10.26, "count": 3, "baud": 115200})
    table.rows.append({"who": "the proxy", "rate": math.nan})
    return table


def test_the_table_is_aligned_and_rounds() -> None:
    assert example().as_text() == "\n".join(
        (
            "goodput: 115200 baud",
            "",
            "  who        kB/s  n",
            "  ---------  ----  -",
            "  bare       10.3  3",
            "  the proxy     -  -",
            "",
            "  a note",
        )
    )


def test_json_has_every_value_unrounded_and_no_nan() -> None:
    said = json.loads(json.dumps(example().as_json(), allow_nan=False))
    assert said["scenario"] == "goodput"
    assert said["columns"]["rate"] == "kB/s"
    assert said["rows"] == [
        {"who": "bare", "rate": 10.26, "count": 3, "baud": 115200},
        {"who": "the proxy", "rate": None},
    ]


def test_progress_is_for_terminals() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    quiet, seen = io.StringIO(), Terminal()
    for file in (quiet, seen):
        progress = Progress(file)
        progress.step("goodput: bare loop")
        progress.done()
    assert quiet.getvalue() == ""
    assert "goodput: bare loop" in seen.getvalue()
    assert "\n" not in seen.getvalue()

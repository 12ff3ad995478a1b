"""The schema and the printed example: made from the same table, so they must agree."""

import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from modemproxy.config import Config, load
from modemproxy.config.example import example
from modemproxy.config.keys import LATER, entries
from modemproxy.config.model import Forward, LogConfig, ModemConfig, Timeouts
from modemproxy.config.schema import schema
from modemproxy.errors import ConfigError

IN_REPOSITORY = Path(__file__).parent.parent / "config" / "modemproxy.yaml"
VALIDATOR = jsonschema.Draft202012Validator(schema())


def valid(text: str) -> bool:
    return bool(VALIDATOR.is_valid(yaml.safe_load(text)))


def loads(path: Path, text: str) -> bool:
    path.write_text(text)
    try:
        load(path)
    except ConfigError:
        return False
    return True


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_the_repository_holds_the_printed_example() -> None:
    assert IN_REPOSITORY.read_text() == example()


def test_the_example_loads_and_is_valid() -> None:
    config = load(IN_REPOSITORY)
    assert [str(forward.listen) for forward in config.forwards] == [
        "127.0.0.1:1883",
        "127.0.0.1:8443",
    ]
    assert valid(example())


@pytest.mark.parametrize("model", [Config, ModemConfig, Timeouts, Forward, LogConfig])
def test_the_example_shows_every_key(model: type[Any]) -> None:
    for name in entries(model):
        assert re.search(rf"^[ -]*#?{name}:", example(), re.MULTILINE), name


@pytest.mark.parametrize("line", re.findall(r"^ *#\w+: .*", example(), re.MULTILINE))
def test_each_key_of_the_example_can_be_switched_on(line: str, tmp_path: Path) -> None:
    text = example().replace(line, line.replace("#", "", 1), 1)
    (tmp_path / "sim-pin").write_text("1234\n")
    assert valid(text)
    # A user name or a password alone has no use: those three belong together, with auth.
    assert loads(tmp_path / "m.yaml", text) == (
        "username:" not in line and "password" not in line
    )


def test_the_login_of_the_example_can_be_switched_on(tmp_path: Path) -> None:
    text = example().replace("#auth: none", "auth: pap")
    text = text.replace("#username:", "username:").replace("#password:", "password:")
    assert loads(tmp_path / "m.yaml", text)
    assert valid(text)


def test_defaults_in_the_schema_are_the_program_s() -> None:
    timeouts = schema()["properties"]["timeouts"]["properties"]  # type: ignore[index]
    assert {name: key["default"] for name, key in timeouts.items()} == {
        name: getattr(Timeouts(), name) for name in entries(Timeouts)
    }


BOTH = "modem: {port: x}\nforwards: [{listen: '127.0.0.1:1', connect: 'a:1'}]\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("port: x", "apn: x"),
        ("port: x", "port: x, apm: y"),
        ("port: x", "port: x, baudrate: 5"),
        ("port: x", "port: x, baudrate: fast"),
        ("port: x", "port: x, pin: '123'"),
        ("port: x", "port: x, pin: '1234', pin_file: y"),
        ("port: x", "port: x, apn: 'a\"b'"),
        ("port: x", "port: x, apn: 'a\\b'"),
        ("port: x", "port: x, dns: []"),
        ("port: x", "port: x, dns: [1.1.1.1, 1.1.1.2, 1.1.1.3]"),
        ("port: x", "port: x, power_command: a"),
        ("127.0.0.1:1", "host:1"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("a:1", "a_b:1"),
        ("a:1'", "a:1', class: fast"),
        ("a:1'", "a:1', protocol: udp"),
        ("a:1'", "a:1', max_clients: -1"),
        ("a:1'", "a:1', max_clients: many"),
        ("a:1'", "a:1', name: 'a b'"),
        (BOTH, "[]"),
        (BOTH, "modem: {port: x}"),
        (BOTH, BOTH + "timeouts: {connect_s: 0}"),
        (BOTH, BOTH + "timeouts: {shutdown_s: 3}"),
        (BOTH, BOTH + "log: {level: loud}"),
        (BOTH, BOTH + "servers: []"),
    ],
)
def test_schema_and_reader_refuse_the_same(old: str, new: str, tmp_path: Path) -> None:
    assert valid(BOTH)
    assert loads(tmp_path / "m.yaml", BOTH)
    text = BOTH.replace(old, new)
    assert not valid(text)
    assert not loads(tmp_path / "m.yaml", text)


def test_what_comes_later_is_not_offered() -> None:
    shown = set(entries(Config)) | {f"modem.{key}" for key in entries(ModemConfig)}
    shown |= {f"forwards.{key}" for key in entries(Forward)}
    assert not shown & LATER

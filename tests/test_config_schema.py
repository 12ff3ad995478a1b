"""The schema and the printed example: made from the same table, so they must agree."""

import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from modemproxy.config import Config, load
from modemproxy.config.example import example
from modemproxy.config.keys import entries
from modemproxy.config.model import (
    Admin,
    Dns,
    Forward,
    LogConfig,
    Metrics,
    ModemConfig,
    Proxy,
    Server,
    Timeouts,
)
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
        "127.0.0.1:5683",
    ]
    assert valid(example())


def with_every_section() -> str:
    """Take away the first # of each line of the sections that stand behind one."""
    return re.sub(r"^#(?=[a-z]+:$|(  |    )[-#a-z])", "", example(), flags=re.MULTILINE)


def test_the_sections_of_the_example_can_be_switched_on(tmp_path: Path) -> None:
    text = with_every_section()
    assert valid(text)
    assert loads(tmp_path / "m.yaml", text)
    config = load(tmp_path / "m.yaml")
    assert [server.name for server in config.servers] == ["server-8080"]
    assert [proxy.name for proxy in config.proxies] == ["socks5-1080", "http-3128"]
    assert config.dns is not None
    assert load(IN_REPOSITORY).servers == ()


@pytest.mark.parametrize(
    ("section", "model"),
    [
        (None, Config),
        ("modem", ModemConfig),
        ("timeouts", Timeouts),
        ("forwards", Forward),
        ("servers", Server),
        ("proxies", Proxy),
        ("dns", Dns),
        ("admin", Admin),
        ("metrics", Metrics),
        ("log", LogConfig),
    ],
)
def test_the_example_shows_every_key(section: str | None, model: type[Any]) -> None:
    text = with_every_section()
    if section is not None:
        (text,) = re.findall(rf"^{section}:\n((?: .*\n|\n)*)", text, re.MULTILINE)
    for name in entries(model):
        assert re.search(rf"^[ -]*#?{name}:", text, re.MULTILINE), name


SWITCHES = list(re.finditer(r"^ *#(?=\w+: )", with_every_section(), re.MULTILINE))


@pytest.mark.parametrize(
    "switch", SWITCHES, ids=lambda switch: switch.string[switch.end() :].split("\n")[0]
)
def test_each_key_of_the_example_can_be_switched_on(
    switch: re.Match[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = switch.string[: switch.end() - 1] + switch.string[switch.end() :]
    line = switch.string[switch.end() :].partition("\n")[0]
    (tmp_path / "sim-pin").write_text("1234\n")
    (tmp_path / "proxy-users").write_text("alice:secret\n")
    monkeypatch.setenv("SIM_PIN", "1234")
    monkeypatch.setenv("PROXY_USERS", "alice:secret")
    assert valid(text)
    # A user name or a password alone has no use: those three belong together, with auth.
    assert loads(tmp_path / "m.yaml", text) == (not line.startswith(("username:", "password")))


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
FULL = (
    BOTH
    + """\
servers: [{port: 80, connect: 'a:1', allow: [0.0.0.0/0], proxy_protocol: v2}]
proxies: [{protocol: socks5, listen: '127.0.0.1:2', users: {alice: secret},
  allow_destinations: ["*.a.de:443"]}]
dns: {listen: '127.0.0.1:53', server: 9.9.9.9}
admin: {socket: a.sock}
metrics: {listen: '127.0.0.1:9464', allow: [127.0.0.0/8], hosts: [gateway]}
"""
)


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
        ("a:1'", "a:1', protocol: sctp"),
        ("a:1'", "a:1', protocol: udp, half_close_s: 5"),
        ("a:1'", "a:1', protocol: udp, on_client_fin: close"),
        ("a:1'", "a:1', reserve: 11"),
        ("a:1'", "a:1', rate: fast"),
        ("a:1'", "a:1', max_clients: -1"),
        ("a:1'", "a:1', max_clients: many"),
        ("a:1'", "a:1', name: 'a b'"),
        (BOTH, "[]"),
        (BOTH, "modem: {port: x}"),
        (BOTH, "modem: {port: x}\nlog: {}\n"),
        (BOTH, BOTH + "timeouts: {connect_s: 0}"),
        (BOTH, BOTH + "timeouts: {shutdown_s: 3}"),
        (BOTH, BOTH + "log: {level: loud}"),
        (BOTH, BOTH + "servers: []"),
        (BOTH, BOTH + "metrics: {}"),
        (BOTH, BOTH + "admin: {socket: []}"),
        (BOTH, BOTH + "admin: {path: a}"),
        (FULL, FULL.replace("[gateway]", "[]")),
        (FULL, FULL.replace("[gateway]", "[a_b]")),
        (FULL, FULL.replace("127.0.0.1:9464", "localhost")),
        (FULL, FULL.replace("port: 80,", "")),
        (FULL, FULL.replace("port: 80", "port: 0")),
        (FULL, FULL.replace("port: 80", "port: 65536")),
        (FULL, FULL.replace("port: 80", "port: http")),
        (FULL, FULL.replace(", allow: [0.0.0.0/0]", "")),
        (FULL, FULL.replace("[0.0.0.0/0]", "[]")),
        (FULL, FULL.replace("[0.0.0.0/0]", "[all]")),
        (FULL, FULL.replace("v2", "v3")),
        (FULL, FULL.replace("servers: [", "servers: [{}, {}, {}, {}, ")),
        (FULL, FULL.replace("protocol: socks5, ", "")),
        (FULL, FULL.replace("socks5", "socks4")),
        (FULL, FULL.replace("{alice: secret}", "{}")),
        (FULL, FULL.replace("{alice: secret}", "[alice]")),
        (FULL, FULL.replace("{alice: secret}", "{'a:b': secret}")),
        (FULL, FULL.replace("{alice: secret}", "{'': secret}")),
        (FULL, FULL.replace("{alice: secret}", "{alice: ''}")),
        (FULL, FULL.replace("{alice: secret}", "{alice: [secret]}")),
        (FULL, FULL.replace("secret", "s" * 256)),
        (FULL, FULL.replace("{alice: secret}", '{alice: "a\\tb"}')),
        (FULL, FULL.replace("{alice: secret}", '{"a\\tb": secret}')),
        (FULL, FULL.replace("users:", "users_file: x, users:")),
        (FULL, FULL.replace("*.a.de:443", "a.de")),
        (FULL, FULL.replace("*.a.de:443", "a.*.de:443")),
        (FULL, FULL.replace("*.a.de:443", "*a.de:443")),
        (FULL, FULL.replace("*.a.de:443", "*.:443")),
        (FULL, FULL.replace("*.a.de:443", "a.de:https")),
        (FULL, FULL.replace("*.a.de:443", "a.de:1-")),
        (FULL, FULL.replace("*.a.de:443", "2001:db8::1:443")),
        (FULL, FULL.replace("listen: '127.0.0.1:53', ", "")),
        (FULL, FULL.replace("9.9.9.9", "dns.example")),
        (FULL, FULL.replace("9.9.9.9", "9.9.9.9:domain")),
        (FULL, FULL.replace("9.9.9.9", "[9.9.9.9]")),
    ],
)
def test_schema_and_reader_refuse_the_same(old: str, new: str, tmp_path: Path) -> None:
    start = FULL if old == FULL else BOTH
    assert valid(start)
    assert loads(tmp_path / "m.yaml", start)
    text = start.replace(old, new)
    assert text != start
    assert not valid(text)
    assert not loads(tmp_path / "m.yaml", text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("port: 80", "port: 65535"),
        ("port: 80", "port: 80, name: 8080, on_client_fin: linger, half_close_s: 0.5"),
        ("v2", "none"),
        ("socks5", "http"),
        ("{alice: secret}", "{'42': 42, 'ä b': 'ö\"\\#'}"),
        ("{alice: secret}", "{" + "a" * 255 + ": " + "b" * 255 + "}"),
        ("*.a.de:443", "*:*"),
        ("*.a.de:443", "A-b.de.:1-65535"),
        ("*.a.de:443", "localhost:1"),
        ("*.a.de:443", "10.0.0.0/8:*"),
        ("*.a.de:443", "10.0.0.0/255.0.0.0:*"),
        ("*.a.de:443", "10.0.0.1:22"),
        ("*.a.de:443", "[2001:DB8::/32]:1-2"),
        ("*.a.de:443", "[::1]:1"),
        ("9.9.9.9", "9.9.9.9:5353"),
        ("9.9.9.9", "'2620:fe::fe'"),
        ("9.9.9.9", "'[2620:fe::fe]'"),
        ("9.9.9.9", "'[2620:fe::fe]:54'"),
        ("127.0.0.1:53", "localhost:0"),
        (BOTH, "modem: {port: x}\n"),
        ("forwards", "log:\ntimeouts:\nforwards"),
        ("{socket: a.sock}", ""),
        (", hosts: [gateway]", ""),
        ("gateway", "Gate-way.example.com., '::1'"),
    ],
)
def test_schema_and_reader_accept_the_same(old: str, new: str, tmp_path: Path) -> None:
    text = FULL.replace(old, new)
    assert text != FULL
    assert loads(tmp_path / "m.yaml", text)
    assert valid(text)

"""Good configurations, where they are found, and how they are described."""

import ipaddress
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from modemproxy.config import (
    Admin,
    Config,
    Dns,
    Endpoint,
    Forward,
    ModemConfig,
    Proxy,
    Server,
    Timeouts,
    check_at_string,
    check_host,
    describe,
    find,
    load,
)
from modemproxy.config.keys import entries
from modemproxy.errors import ConfigError

FULL = """\
modem:
  port: /dev/ttyUSB2
  baudrate: 921600
  flow_control: rtscts
  apn: no
  ip_type: IPV4V6
  auth: chap
  username: 0123
  password: 8080:22
  pin: 0123
  dns: [9.9.9.9, "2620:FE::fe"]
timeouts: {connect_s: 5, half_close_s: 2.5, queue_s: 0, shutdown_s: 4, stall_s: 60}
forwards:
  - listen: 127.0.0.1:1883
    connect: broker.example.com:1883
    name: mqtt
    protocol: tcp
    class: interactive
    idle_timeout_s: 90
    allow: [127.0.0.0/8, 127.0.0.1]
    max_clients: 5
    max_per_client: 2
    on_client_fin: close
    half_close_s: 7
  - {listen: "[::1]:0", connect: "[2001:DB8::1]:443"}
  - {listen: localhost:80, connect: 192.0.2.1:80, name: 42}
  - {listen: 0.0.0.0:81, connect: a-b.example.:81, allow: [0.0.0.0/0], class: bulk}
log:
  level: debug
  format: json
"""
SMALL = "modem: {port: x}\nforwards: [{listen: '127.0.0.1:1', connect: 'a:1'}]\n"


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.fixture
def full(tmp_path: Path) -> Config:
    return load(written(tmp_path / "m.yaml", FULL))


def test_text_stays_as_it_was_written(full: Config) -> None:
    assert (full.modem.apn, full.modem.pin) == ("no", "0123")
    assert (full.modem.username, full.modem.password) == ("0123", "8080:22")


def test_every_value_arrives(full: Config) -> None:
    assert full.modem.baudrate == 921600
    assert full.modem.dns == ("9.9.9.9", "2620:fe::fe")
    assert full.timeouts == Timeouts(
        connect_s=5, half_close_s=2.5, queue_s=0, shutdown_s=4, stall_s=60
    )
    assert full.forwards[0] == Forward(
        listen=Endpoint("127.0.0.1", 1883),
        connect=Endpoint("broker.example.com", 1883),
        name="mqtt",
        traffic_class="interactive",
        idle_timeout_s=90,
        allow=(ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("127.0.0.1/32")),
        max_clients=5,
        max_per_client=2,
        on_client_fin="close",
        half_close_s=7,
    )
    assert (full.log.level, full.log.format) == ("debug", "json")


def test_what_follows_from_other_keys(full: Config) -> None:
    assert [forward.name for forward in full.forwards] == ["mqtt", "tcp-0", "42", "tcp-81"]
    assert [forward.half_close_s for forward in full.forwards] == [7, 2.5, 2.5, 2.5]
    assert full.forwards[1].listen == Endpoint("::1", 0)
    assert str(full.forwards[1].connect) == "[2001:db8::1]:443"
    assert full.forwards[2].listen == Endpoint("127.0.0.1", 80)


def test_defaults(tmp_path: Path) -> None:
    config = load(written(tmp_path / "m.yaml", SMALL + "timeouts:\nlog:\n"))
    assert config.timeouts == Timeouts()
    assert config.modem.apn is None
    assert config.forwards[0] == Forward(
        listen=Endpoint("127.0.0.1", 1), connect=Endpoint("a", 1), name="tcp-1"
    )
    assert config.path == tmp_path / "m.yaml"


def test_anchors_and_aliases(tmp_path: Path) -> None:
    text = SMALL.replace("'a:1'", "'a:1', allow: &us [127.0.0.0/8]").replace(
        "}]", "}, {listen: '127.0.0.1:2', connect: 'a:1', allow: *us}]"
    )
    config = load(written(tmp_path / "m.yaml", text))
    assert config.forwards[0].allow == config.forwards[1].allow


def test_listeners_that_do_not_meet(tmp_path: Path) -> None:
    rest = "connect: 'a:1', allow: ['0.0.0.0/0', '::/0']"
    listens = [
        "0.0.0.0:1",
        "[::]:1",
        "127.0.0.1:0",
        "127.0.0.1:0",
        "127.0.0.1:2",
        "127.0.0.2:2",
    ]
    items = [f"  - {{listen: '{one}', name: n{i}, {rest}}}\n" for i, one in enumerate(listens)]
    text = "modem: {port: x}\nforwards:\n" + "".join(items)
    assert len(load(written(tmp_path / "m.yaml", text)).forwards) == 6


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.encode())
    assert load(path).modem.port == "x"


def test_describe(full: Config) -> None:
    assert describe(full) == [
        "module   /dev/ttyUSB2 at 921600 baud, RTS/CTS",
        "network  APN no (IPV4V6), chap login as 0123, with PIN",
        "resolver 9.9.9.9, 2620:fe::fe",
        "tcp      127.0.0.1:1883 -> broker.example.com:1883  name mqtt  class interactive  "
        "for 127.0.0.0/8, 127.0.0.1/32  at most 5 clients  at most 2 per client  "
        "ended when idle for 90 s",
        "tcp      [::1]:0 -> [2001:db8::1]:443  name tcp-0  class normal  for this machine",
        "tcp      127.0.0.1:80 -> 192.0.2.1:80  name 42  class normal  for this machine",
        "tcp      0.0.0.0:81 -> a-b.example.:81  name tcp-81  class bulk  for 0.0.0.0/0",
        "WARNING: tcp-81: exposed on 0.0.0.0:81: everyone who can reach it may use the mobile "
        "connection",
    ]


def test_describe_of_the_least(tmp_path: Path) -> None:
    assert describe(load(written(tmp_path / "m.yaml", SMALL)))[:2] == [
        "module   x at 115200 baud, no flow control",
        "network  the module's own APN (IP)",
    ]


def test_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"MODEMPROXY_CONFIG": "env.yaml"}
    assert find("here.yaml", environ) == Path("here.yaml")
    assert find(None, environ) == Path("env.yaml")
    monkeypatch.setattr("modemproxy.config._USUAL", (Path("a.yaml"), Path("b/c.yaml")))
    with pytest.raises(ConfigError, match=r"no configuration: tried a\.yaml and b/c\.yaml"):
        find(None, {"MODEMPROXY_CONFIG": ""})
    (tmp_path / "b").mkdir()
    written(tmp_path / "b" / "c.yaml", "")
    assert find(None, {}) == Path("b/c.yaml")
    written(tmp_path / "a.yaml", "")
    assert find(None, {}) == Path("a.yaml")


def test_find_names_a_file_that_may_not_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    assert find(None, {}) == Path("modemproxy.yaml")


SLOW_HOST = settings(deadline=None)
GOOD_HOSTS = ["a", "a-b.example.com", "example.com.", "1.2.3.4", "::1", "64:ff9b::1", "1a.de"]


@pytest.mark.parametrize("host", [*GOOD_HOSTS, "a" * 63, ".".join(["a" * 49] * 5)])
def test_good_hosts(host: str) -> None:
    assert check_host(host) is None


@given(st.text())
@SLOW_HOST
def test_no_host_and_no_string_can_break_out_of_its_quotes(text: str) -> None:
    for problem in (check_host(text), check_at_string(text, "the APN")):
        if problem is None:
            assert not set(text) & set('"\\\r\n\x1a\x1b\0')
            assert text.isascii()
        else:
            assert problem.isprintable()


PIECES = """
modem forwards timeouts log port listen connect apn pin allow dns name class auth << *a &a
127.0.0.1:1 a:1 [::1]:2 ~ 0x1 - [] {} : , [ ] { } ? | > ! % @ ' " # --- ... %YAML
"""
BLANKS = ["\n", "\n  ", "\n    ", ": ", "- ", "\t"]
WORDS = st.sampled_from([*PIECES.split(), *BLANKS, "\0", "\\x", "\ud800", "9" * 5000])
IN_ONE_FOLDER = settings(SLOW_HOST, suppress_health_check=[HealthCheck.function_scoped_fixture])


def load_or_refuse(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    problems = ["none"]
    try:
        load(path)
    except ConfigError as exc:
        problems = exc.problems
    assert problems
    assert all(problem.isprintable() for problem in problems)


@given(content=st.binary() | st.text().map(lambda text: text.encode("utf-8", "replace")))
@example(content=b"&a [*a]")
@example(content=b"modem: &a {port: *a}\nforwards: &b [*b, {allow: *b, listen: *a}]")
@example(content=b"? {a: b}\n: c\n")
@example(content=b"%YAML 1." + b"9" * 5000 + b"\n---\n")
@example(content=b"'" + b"\\U" * 3)
@IN_ONE_FOLDER
def test_any_bytes_are_loaded_or_refused(tmp_path: Path, content: bytes) -> None:
    load_or_refuse(tmp_path / "m.yaml", content)


@given(words=st.lists(WORDS, max_size=30))
@IN_ONE_FOLDER
def test_any_words_of_yaml_are_loaded_or_refused(tmp_path: Path, words: list[str]) -> None:
    load_or_refuse(tmp_path / "m.yaml", "".join(words).encode("utf-8", "replace"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=5,
)


def sections(model: type[object]) -> st.SearchStrategy[object]:
    """Make sections whose keys are right and whose values need not be."""
    return st.dictionaries(st.sampled_from(list(entries(model))), VALUES) | VALUES


def lists(model: type[object]) -> st.SearchStrategy[object]:
    return st.lists(sections(model), max_size=3) | sections(model)


FILES = st.fixed_dictionaries(
    {"modem": sections(ModemConfig)},
    optional={
        "forwards": lists(Forward),
        "servers": lists(Server),
        "proxies": lists(Proxy),
        "dns": sections(Dns),
        "admin": sections(Admin),
        "timeouts": sections(Timeouts),
        "log": VALUES,
    },
)


@given(content=FILES)
@IN_ONE_FOLDER
def test_any_values_are_loaded_or_refused(tmp_path: Path, content: dict[str, object]) -> None:
    load_or_refuse(tmp_path / "m.yaml", json.dumps(content).encode())

"""Wrong configurations: each mistake with its line, its key and words that help."""

from pathlib import Path
from typing import NamedTuple

import pytest

from modemproxy.config import load
from modemproxy.errors import ConfigError


class Mistake(NamedTuple):
    """A wrong text, and the one line that must come of it."""

    text: str
    line: int | None
    key: str
    says: str


HEAD = "modem:\n  port: /dev/ttyUSB2\n"
FORWARDS = "forwards:\n  - listen: 127.0.0.1:1883\n    connect: example.com:1883\n"


def modem(*lines: str) -> str:
    """Write a whole configuration with more keys under modem, from line 3 on."""
    return (
        "modem:\n  port: /dev/ttyUSB2\n" + "".join(f"  {line}\n" for line in lines) + FORWARDS
    )


def timeouts(line: str) -> str:
    """Write a whole configuration with one key under timeouts, on line 4."""
    return f"{HEAD}timeouts:\n  {line}\n{FORWARDS}"


def forward(*lines: str) -> str:
    """Write a whole configuration with more keys in the first forward, from line 6 on."""
    return modem() + "".join(f"    {line}\n" for line in lines)


def ends(listen: str = "127.0.0.1:1883", connect: str = "example.com:1883") -> str:
    """Write a whole configuration with one forward, listen on line 4, connect on line 5."""
    return f"{HEAD}forwards:\n  - listen: {listen}\n    connect: {connect}\n"


def more(listen: str, *lines: str) -> str:
    """Write a whole configuration with a second forward, listen on line 6."""
    rest = "".join(f"    {line}\n" for line in lines)
    return modem() + f"  - listen: {listen}\n    connect: example.com:1\n" + rest


# The text of the file, the line, the words.
WHOLE_FILE = [
    ("", 1, "empty (modemproxy init"),
    ("# nothing\n", 1, "empty"),
    ("- a\n", 1, "expected sections such as modem: and forwards:, got a list"),
    ("hello", 1, "got text"),
    ("~", 1, "got nothing"),
    (modem() + "---\na: b\n", 6, "several documents (one only"),
    ("modem:\n\tport: x\n", 2, "a tab in the indentation (use spaces)"),
    ("modem: [\n", 2, "not valid YAML"),
    (modem("apn: a: b"), 3, "unexpected ': '"),
    (modem("apn: *a"), 3, "begins with * (put it between quotes)"),
    (modem("apn: !a!x y"), 3, "begins with !"),
    (modem("apn: a\ab"), 3, "holds a control character"),
    ('modem: "\\UFFFFFFFF"', None, "out of range"),
    ("[" * 5000, None, "nested too deeply"),
]

# The text of the file, the line, the key, the words.
KEYS = [
    ("modem:\n  <<: {port: x}\n  port: y\n" + FORWARDS, 2, "modem.<<", "merge keys"),
    (modem("apm: internet"), 3, "modem.apm", "unknown key (did you mean 'apn'?)"),
    (modem("baud-rate: 1"), 3, "modem.baud-rate", "did you mean 'baudrate'?"),
    (modem("zzz: 1"), 3, "modem.zzz", "known here: port, baudrate"),
    (modem() + "sevrers: []\n", 6, "sevrers", "did you mean 'servers'?"),
    (HEAD + "forward: []\n", 3, "forward", "unknown key (did you mean 'forwards'?)"),
    (modem() + "apn: x\n", 6, "apn", "unknown key (it belongs under modem:)"),
    (modem() + "listen: x\n", 6, "listen", "it belongs under forwards:"),
    (modem("port: x"), 3, "modem.port", "given twice (first on line 2; keep one)"),
    (modem() + "modem: {}\n", 6, "modem", "given twice (first on line 1"),
    (modem("[a]: x"), 3, "modem", "a key must be a word, got a list"),
    (modem('"a b\\n": x'), 3, "modem.'a b\\n'", "unknown key"),
    (FORWARDS, 1, "modem", "missing"),
    ("modem: {apn: x}\n" + FORWARDS, 1, "modem.port", "missing (like port: /dev/"),
    ("modem:\n" + FORWARDS, 1, "modem", "empty (it needs at least port)"),
    ("modem: x\n" + FORWARDS, 1, "modem", "expected a section of keys, got text"),
    ("modem: {port: x}\n", 1, "", "nothing to serve (add forwards, servers, proxies or dns)"),
    (HEAD + "forwards: []\n", 3, "forwards", "the list is empty"),
    (HEAD + "forwards:\n", 3, "forwards", "empty (give a value"),
    (HEAD + "forwards:\n  listen: a\n", 4, "forwards", "begin each item with '- '"),
    (HEAD + "forwards:\n  - connect: a:1\n", 4, "forwards[0].listen", "missing"),
    (modem() + "  -\n", 6, "forwards[1]", "it needs at least listen and connect"),
    (modem() + "  - x\n", 6, "forwards[1]", "expected a section of keys"),
    (modem().replace("/dev/", '"a\\n"'), 2, "", "not valid YAML"),
    ('modem: {port: "a\\nb"}\n' + FORWARDS, 1, "modem.port", "'a\\nb' holds a control"),
    (modem() + "log: {level: trace}\n", 6, "log.level", "debug, info, warning or error"),
    (modem() + "log:\n  format: xml\n", 7, "log.format", "expected text or json"),
    (modem() + "log: []\n", 6, "log", "expected a section of keys, got a list"),
]

# The lines under modem, the key of the last one, the words.
MODEM = [
    (["apn:"], "apn", "empty (give a value, or leave the key out)"),
    (['apn: ""'], "apn", "empty"),
    (["baudrate: 3000000"], "baudrate", "3000000 is not possible (expected 300, 600"),
    (["baudrate: fast"], "baudrate", "expected a whole number, got text 'fast'"),
    (["baudrate: 0115200"], "baudrate", "expected a whole number"),
    (["baudrate: [1]"], "baudrate", "expected a whole number, got a list"),
    (["baudrate: " + "9" * 5000], "baudrate", "9…'"),
    (["flow_control: hw"], "flow_control", "'hw' is not known (expected none or rtscts)"),
    (["ip_type: ip"], "ip_type", "(expected IP, IPV6 or IPV4V6)"),
    (["apn: 'a\"b'"], "apn", "the APN holds a double quote"),
    (['apn: "a\\rb"'], "apn", "a control or non-ASCII character"),
    (["apn: größe"], "apn", "use printable ASCII"),
    (["apn: a\\22b"], "apn", "holds a backslash"),
    (["apn: " + "a" * 101], "apn", "has 101 characters (at most 100)"),
    (["pin: 123"], "pin", "not a PIN (4 to 8 digits"),
    (["pin: 1234", "pin_file: x"], "pin_file", "given beside pin (line 3; keep one of them)"),
    (["pin_file: nowhere"], "pin_file", "nowhere: cannot be read: No such file"),
    (["pin_file: ."], "pin_file", "not a file"),
    (["dns: 9.9.9.9"], "dns", "expected a list, got text (write [9.9.9.9])"),
    (["dns: [a.b]"], "dns[0]", "'a.b' is not an IP address"),
    (["dns: [1.1.1.1, 1.1.1.2, 1.1.1.3]"], "dns", "3 items (at most 2)"),
    (["password: x", "auth: pap"], "auth", "pap needs a user name (add username)"),
    (["username: x", "auth: chap"], "auth", "chap needs a password"),
    (["username: x"], "username", "no use without auth"),
    (["power_command: /bin/x"], "power_command", "expected a list, got text"),
]

# One line under timeouts, its key, the words.
TIMEOUTS = [
    ("connect_s: 30s", "connect_s", "expected a number of seconds, got text '30s'"),
    ("connect_s: 0", "connect_s", "0 seconds is out of range (more than 0, to 86400)"),
    ("queue_s: -1", "queue_s", "out of range (0, to"),
    ("stall_s: .inf", "stall_s", "a number of seconds"),
    ("shutdown_s: 3", "shutdown_s", "3 seconds is out of range (4,"),
    ("half_close_s: {}", "half_close_s", "expected a number of seconds, got a section"),
]

# The value of listen, the words.
LISTEN = [
    ("127.0.0.1:80800", "port 80800 is out of range (0 to 65535)"),
    ("1883", "'1883' has a port but no host (write 127.0.0.1:PORT)"),
    ("':1883'", "the address is missing (127.0.0.1:1883"),
    ("myhost:1883", "expected an IP address of this machine"),
    ("::1:1883", "an IPv6 address needs brackets"),
    ("fe80::x:1883", "an IPv6 address needs brackets"),
    ("'[127.0.0.1]:80'", "brackets are for IPv6"),
    ("127.0.0.1", "'127.0.0.1' has no port (like"),
    ("'[::1]'", "has no port"),
    ("127.0.0.1:http", "'http' is not a port number"),
    ("127.0.0.1:" + "9" * 5000, "out of range"),
    ("0.0.0.0:80", "allow is missing (list the networks that may connect; 0.0.0.0/0 means"),
    ("'[::]:80'", "::/0 means everyone"),
]

# The value of connect, the words.
CONNECT = [
    ("':80'", "the host is empty"),
    ("a:0", "port 0 is out of range (1 to 65535)"),
    ("'a\";+CPOF;\":1'", "holds '\"'"),
    ('"a\\rb:1"', "holds '\\r'"),
    ("müller.de:1", "xn--mller-kva.de"),
    ("a_b:1", "holds '_' (only letters, digits, dots and hyphens)"),
    ("a..b:1", "an empty part"),
    ("-a.b:1", "begins or ends with a hyphen"),
    ("a" * 64 + ":1", "64 characters (at most 63)"),
    ("a." * 127 + "b:1", "255 characters (at most 254)"),
    ("1.2.3.400:1", "is not an IPv4 address"),
    ("'[1::2::3]:1'", "is not an IPv6 address"),
    ("'[fe80::1%a]:1'", "is not an IPv6 address"),
]

# One line in a forward, its key, the words.
FORWARD = [
    ("class: fast", "class", "expected interactive, normal or bulk"),
    ("protocol: tpc", "protocol", "'tpc' is not known (expected tcp or udp)"),
    ("max_clients: -1", "max_clients", "-1 is out of range"),
    ("max_per_client: 1.5", "max_per_client", "expected a whole number, got text '1.5'"),
    ("idle_timeout_s: never", "idle_timeout_s", "expected a number of seconds"),
    ("on_client_fin: reset", "on_client_fin", "expected linger or close"),
    ("half_close_s: 0", "half_close_s", "out of range"),
    ("allow: [10.0.0.1/8]", "allow[0]", "names a host inside a network (write 10.0.0.0/8)"),
    ("allow: [local]", "allow[0]", "'local' is not a network"),
    ("allow: []", "allow", "the list is empty"),
    ("allow: ['::/0']", "allow", "no IPv4 network, so nobody could connect"),
    ("allow: ['fe80::%eth0/64']", "allow[0]", "has a zone"),
    ("name: a b", "name", "'a b' is not a name (1 to 32 letters"),
]

# A second forward: listen, more lines, the line, the key, the words.
SECOND = [
    ("127.0.0.1:1883", ["name: b"], 6, "listen", "taken by 127.0.0.1:1883 on line 4"),
    ("localhost:1883", ["name: b"], 6, "listen", "taken by 127.0.0.1:1883 on line 4"),
    ("0.0.0.0:1883", ["name: b", "allow: [0.0.0.0/0]"], 6, "listen", "taken by 127.0.0.1:1883"),
    ("127.0.0.1:1", ["name: tcp-1883"], 8, "name", "'tcp-1883' is taken by line 4"),
    ("127.0.0.2:1883", [], 6, "name", "the name made from protocol and port, is taken"),
]

MISTAKES = [
    *(Mistake(text, line, "", says) for text, line, says in WHOLE_FILE),
    *(Mistake(*row) for row in KEYS),
    *(Mistake(modem(*rows), 2 + len(rows), f"modem.{key}", says) for rows, key, says in MODEM),
    *(Mistake(timeouts(row), 4, f"timeouts.{key}", says) for row, key, says in TIMEOUTS),
    *(Mistake(ends(listen=value), 4, "forwards[0].listen", says) for value, says in LISTEN),
    *(Mistake(ends(connect=value), 5, "forwards[0].connect", says) for value, says in CONNECT),
    *(Mistake(forward(row), 6, f"forwards[0].{key}", says) for row, key, says in FORWARD),
    *(
        Mistake(more(listen, *rows), line, f"forwards[1].{key}", says)
        for listen, rows, line, key, says in SECOND
    ),
]


def problems(path: Path, content: str | bytes) -> list[str]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [line.replace(str(path), "m.yaml") for line in caught.value.problems]


@pytest.mark.parametrize(
    "mistake", MISTAKES, ids=lambda mistake: f"{mistake.key} {mistake.says}"[:60]
)
def test_one_mistake_gives_one_line(mistake: Mistake, tmp_path: Path) -> None:
    found = problems(tmp_path / "m.yaml", mistake.text)
    assert len(found) == 1, found
    where = "m.yaml" if mistake.line is None else f"m.yaml:{mistake.line}"
    start = f"{where}: {mistake.key}: " if mistake.key else f"{where}: "
    assert found[0].startswith(start)
    assert mistake.says in found[0]
    assert found[0].isprintable()
    assert "geheim" not in found[0]


def test_all_mistakes_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
modem:
  port: /dev/ttyUSB2
  apm: internet
  baudrate: fast
  pin: 12
forwards:
  - listen: 127.0.0.1:80800
    connect: a_b:1
  - listen: 0.0.0.0:1
    connect: example.com:1
    class: fast
servers: []
log: {level: loud}
"""
    assert [line.split(": ")[:2] for line in problems(tmp_path / "m.yaml", text)] == [
        ["m.yaml:3", "modem.apm"],
        ["m.yaml:4", "modem.baudrate"],
        ["m.yaml:5", "modem.pin"],
        ["m.yaml:7", "forwards[0].listen"],
        ["m.yaml:8", "forwards[0].connect"],
        ["m.yaml:9", "forwards[1].listen"],
        ["m.yaml:11", "forwards[1].class"],
        ["m.yaml:12", "servers"],
        ["m.yaml:13", "log.level"],
    ]


def test_the_words_of_the_contract(tmp_path: Path) -> None:
    assert problems(tmp_path / "m.yaml", modem("apm: internet")) == [
        "m.yaml:3: modem.apm: unknown key (did you mean 'apn'?)"
    ]
    assert problems(tmp_path / "m.yaml", ends(connect="a.b:80800")) == [
        "m.yaml:5: forwards[0].connect: port 80800 is out of range (1 to 65535)"
    ]

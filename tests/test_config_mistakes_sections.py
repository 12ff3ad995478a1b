"""Wrong sections, and what goes wrong between them: the exact message of each."""

from pathlib import Path

import pytest

from tests.mistakes import DNS, HEAD, PROXY, SERVER, UDP, problems, short

NETWORKS = "list the networks that may connect"

# The text below the modem section, the line, and what must be said.
SECTIONS = [
    (
        "proxies:\n  - listen: 127.0.0.1:1\n",
        4,
        "proxies[0].protocol: missing (What clients speak: socks5, or http with CONNECT)",
    ),
    (
        "proxies:\n  - protocol: http\n",
        4,
        "proxies[0].listen: missing (Where clients connect on "
        "this host: address:port or [address]:port. Port 0 is any free one)",
    ),
    (
        PROXY.replace("socks5", "socks4"),
        4,
        "proxies[0].protocol: 'socks4' is not known (expected socks5 or http)",
    ),
    (
        PROXY.replace("127.0.0.1", "0.0.0.0"),
        5,
        "proxies[0].listen: 0.0.0.0 can be reached from "
        f"other machines, and allow is missing ({NETWORKS}; 0.0.0.0/0 means everyone)",
    ),
    (
        PROXY + "    users: {a: x}\n    users_file: y\n",
        7,
        "proxies[0].users_file: given beside users (line 6; keep one of them)",
    ),
    ("dns: 127.0.0.1:53\n", 3, "dns: expected a section of keys, got text"),
    ("dns:\n", 3, "dns: empty (it needs at least listen)"),
    (
        "dns: {server: 9.9.9.9}\n",
        3,
        "dns.listen: missing (Where clients ask on this host, by "
        "UDP and TCP: address:port or [address]:port)",
    ),
    (
        "dns: {listen: '[::]:53'}\n",
        3,
        "dns.listen: :: can be reached from other machines, and "
        f"allow is missing ({NETWORKS}; ::/0 means everyone)",
    ),
    (
        DNS + "  server: dns.example.com\n",
        5,
        "dns.server: 'dns.example.com' is not an IP address (like 9.9.9.9 or 2620:fe::fe)",
    ),
    (DNS + "  server: 9.9.9.9:0\n", 5, "dns.server: port 0 is out of range (1 to 65535)"),
    (
        DNS + "  server: one.one:53\n",
        5,
        "dns.server: 'one.one' is not an IP address (like 9.9.9.9 or 2620:fe::fe)",
    ),
    (
        DNS + "  server: '[9.9.9.9]'\n",
        5,
        "dns.server: brackets are for IPv6 addresses only (write 9.9.9.9:53)",
    ),
    (DNS + "  server: [9.9.9.9]\n", 5, "dns.server: expected an address, got a list"),
    (DNS + "  cache: 1\n", 5, "dns.cache: unknown key (known here: listen, allow, server)"),
    ("dns: []\n", 3, "dns: expected a section of keys, got a list"),
    (DNS + "admin: {socket: []}\n", 5, "admin.socket: expected a file name, got a list"),
    (DNS + "admin: {listen: 'a:1'}\n", 5, "admin.listen: unknown key (known here: socket)"),
    (
        DNS + "admin: {socket: /" + "x" * 107 + "}\n",
        5,
        "admin.socket: 108 bytes with its folder (at most 107 for a Unix socket)",
    ),
    (
        DNS + "metrics: {listen: '127.0.0.1:5353'}\n",
        5,
        "metrics.listen: 127.0.0.1:5353 is taken by 127.0.0.1:5353 on line 4 "
        "(use another port)",
    ),
    (
        DNS + "metrics: {listen: '0.0.0.0:9464'}\n",
        5,
        "metrics.listen: 0.0.0.0 can be reached from other machines, and allow is missing "
        "(list the networks that may connect; 0.0.0.0/0 means everyone)",
    ),
    (
        DNS + "metrics: {listen: '127.0.0.1:9464', hosts: [a_b]}\n",
        5,
        "metrics.hosts[0]: the host name 'a_b' holds '_' (only letters, digits, dots and "
        "hyphens)",
    ),
    (
        "servers: {port: 1}\n",
        3,
        "servers: expected a list, got a section of keys (begin each item with '- ')",
    ),
    ("servers: []\n", 3, "servers: the list is empty (give an item, or leave the key out)"),
    ("proxies:\n", 3, "proxies: empty (give a value, or leave the key out)"),
    (
        "servers:\n"
        + "".join(
            f"  - {{port: {n}, connect: 'a:1', allow: [0.0.0.0/0]}}\n" for n in range(1, 6)
        ),
        4,
        "servers: 5 items (at most 4)",
    ),
    (
        SERVER + "  - {port: 8080, connect: 'a:1', allow: [0.0.0.0/0], name: b}\n",
        7,
        "servers[1].port: 8080 of the module is taken by line 4 (use another port)",
    ),
    (
        SERVER + UDP + "    name: server-8080\n",
        4,
        "servers[0].name: 'server-8080', the name "
        "made from its port, is taken by line 11 (give this one another name)",
    ),
    (
        PROXY + UDP + "    name: socks5-1080\n",
        4,
        "proxies[0].name: 'socks5-1080', the name made "
        "from protocol and port, is taken by line 10 (give this one another name)",
    ),
    (
        PROXY + "    name: x\n" + SERVER + "    name: x\n",
        6,
        "proxies[0].name: 'x' is taken by line 11 (give this one another name)",
    ),
    (
        DNS + UDP + "    name: dns\n",
        9,
        "forwards[0].name: 'dns' is the name of the dns section (give this one another name)",
    ),
    (
        PROXY.replace("1080", "53") + "dns: {listen: '127.0.0.1:53'}\n",
        6,
        "dns.listen: 127.0.0.1:53 is taken by 127.0.0.1:53 on line 5 (use another port)",
    ),
    (
        UDP + "dns: {listen: '127.0.0.1:53'}\n",
        7,
        "dns.listen: 127.0.0.1:53 is taken by 127.0.0.1:53 on line 4 (use another port)",
    ),
    (
        UDP + "  - {listen: '0.0.0.0:53', connect: 'a:1', protocol: udp, allow: [0.0.0.0/0], "
        "name: b}\n",
        7,
        "forwards[1].listen: 0.0.0.0:53 is taken by 127.0.0.1:53 on line 4 (use another port)",
    ),
    (
        UDP.replace("udp", "tcp") + PROXY.replace("127.0.0.1:1080", "localhost:53"),
        9,
        "proxies[0].listen: 127.0.0.1:53 is taken by 127.0.0.1:53 on line 4 (use another port)",
    ),
    (
        UDP + "    reserve: 6\n" + SERVER + "    reserve: 3\n" + PROXY + "    reserve: 2\n",
        16,
        "proxies[0].reserve: with those before it 11 links are kept (the module has 10: at "
        "most 1 here)",
    ),
    (
        UDP + "    reserve: 10\n" + SERVER + "    reserve: 3\n" + PROXY + "    reserve: 2\n",
        12,
        "servers[0].reserve: with those before it 13 links are kept (the module has 10: at "
        "most 0 here)",
    ),
    (
        "timeouts: {}\nlog: {level: info}\n",
        1,
        "nothing to serve (add forwards, servers, proxies or dns)",
    ),
    (
        "admin: {socket: a.sock}\n",
        1,
        "nothing to serve (add forwards, servers, proxies or dns)",
    ),
    ("proxy: []\n", 3, "proxy: unknown key (did you mean 'proxies'?)"),
    (DNS + "users: {a: geheim}\n", 5, "users: unknown key (it belongs under proxies:)"),
]


@pytest.mark.parametrize(("rest", "line", "says"), SECTIONS, ids=short)
def test_a_wrong_section(rest: str, line: int, says: str, tmp_path: Path) -> None:
    assert problems(tmp_path, HEAD + rest) == [f"m.yaml:{line}: {says}"]


def test_all_mistakes_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
modem: {port: x, ip_type: IPV6}
forwards:
  - {listen: '127.0.0.1:53', connect: 'a:53', protocol: udp, half_close_s: 1}
  - {listen: '127.0.0.1:54', connect: 'a:53', protocol: sctp}
servers:
  - {port: 1, connect: 'a:1', allow: [0.0.0.0/0], reserve: 9}
  - {port: 1, connect: 'a:1', allow: ['::/0'], reserve: 2, name: b}
proxies:
  - {protocol: http, listen: '10.0.0.1:80', users: {"a:b": x, c: [y]}}
  - {protocol: http, listen: '127.0.0.1:53', allow_destinations: [x, 'y:0']}
dns: {listen: '127.0.0.1:53', server: here}
metrics: {}
"""
    assert [line.split(": ")[:2] for line in problems(tmp_path, text)] == [
        ["m.yaml:3", "forwards[0].half_close_s"],
        ["m.yaml:4", "forwards[1].protocol"],
        ["m.yaml:6", "servers[0].allow"],
        ["m.yaml:7", "servers[1].port"],
        ["m.yaml:7", "servers[1].reserve"],
        ["m.yaml:9", "proxies[0].users.'a:b'"],
        ["m.yaml:9", "proxies[0].users.c"],
        ["m.yaml:9", "proxies[0].listen"],
        ["m.yaml:10", "proxies[1].allow_destinations[0]"],
        ["m.yaml:10", "proxies[1].allow_destinations[1]"],
        ["m.yaml:11", "dns.server"],
        ["m.yaml:11", "dns.listen"],
        ["m.yaml:12", "metrics.listen"],
    ]

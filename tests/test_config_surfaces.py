"""Good UDP forwards, servers, proxies, DNS listeners and shares."""

import ipaddress
from pathlib import Path

import pytest

from modemproxy.config import (
    Config,
    Dns,
    Endpoint,
    Forward,
    Metrics,
    Proxy,
    Server,
    describe,
    exposed,
    load,
)
from modemproxy.config.destinations import parse_destination

HEAD = "modem: {port: x}\n"

# The example of the interface's contract.
CONTRACT = """\
modem:
  port: /dev/serial/by-id/usb-SimTech-if01   # required
  baudrate: 115200            # line speed; the module is found at other speeds
  flow_control: none          # none | rtscts
  apn: internet               # leave out to use the module's own PDP context
  ip_type: IP                 # IP | IPV6 | IPV4V6
  auth: none                  # none | pap | chap
  pin: "1234"                 # or pin_file
  dns: [9.9.9.9]              # optional
  power_command: [/usr/local/bin/cycle-modem]  # optional last rung of recovery
timeouts:                     # all optional, seconds
  connect_s: 30
  half_close_s: 30
  queue_s: 10                 # how long a client waits for a free link
  shutdown_s: 10
  stall_s: 300                # a link that is busy or unacknowledged this long is reset
forwards:                     # host port -> remote endpoint, through the module
  - name: mqtt                # optional, unique; default is protocol-port
    protocol: tcp             # tcp (default) | udp
    listen: 127.0.0.1:1883    # address:port, [::1]:port
    connect: broker.example.com:1883
    class: normal             # interactive | normal | bulk
    idle_timeout_s: 0         # 0 = never for tcp; udp default 60
    allow: [127.0.0.0/8]      # who may connect
    max_clients: 0            # 0 = no limit; also max_per_client, rate, reserve
servers:                      # a TCP server on the module -> host or LAN
  - name: web
    port: 8080                # on the module's address
    connect: 192.168.1.10:80
    allow: [0.0.0.0/0]
    max_clients: 2
    proxy_protocol: none      # none | v1 | v2
proxies:                      # any destination, chosen by the client
  - name: socks
    protocol: socks5          # socks5 | http
    listen: 127.0.0.1:1080
    users: {alice: secret}    # optional; users_file
    allow_destinations: ["*.example.com:443", "203.0.113.0/24:*"]   # optional
dns:
  listen: 127.0.0.1:5353      # optional: answers with the module's resolver
admin:
  socket: /run/modemproxy/admin.sock
metrics:
  listen: 127.0.0.1:9464      # optional: /metrics, /healthz, status page
log:
  level: info                 # debug also writes the wire transcript
  format: text                # text | json
"""


def loaded(folder: Path, text: str) -> Config:
    path = folder / "m.yaml"
    path.write_text(text)
    return load(path)


def networks(*texts: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(map(ipaddress.ip_network, texts))


def test_the_example_of_the_contract(tmp_path: Path) -> None:
    config = loaded(tmp_path, CONTRACT)
    assert config.servers == (
        Server(
            name="web",
            port=8080,
            connect=Endpoint("192.168.1.10", 80),
            allow=networks("0.0.0.0/0"),
            max_clients=2,
        ),
    )
    assert config.proxies == (
        Proxy(
            name="socks",
            protocol="socks5",
            listen=Endpoint("127.0.0.1", 1080),
            users=(("alice", "secret"),),
            allow_destinations=(
                parse_destination("*.example.com:443"),
                parse_destination("203.0.113.0/24:*"),
            ),
        ),
    )
    assert config.dns == Dns(listen=Endpoint("127.0.0.1", 5353), server=Endpoint("9.9.9.9", 53))
    assert config.admin.socket == Path("/run/modemproxy/admin.sock")
    assert config.metrics == Metrics(listen=Endpoint("127.0.0.1", 9464))
    assert "secret" not in repr(config)


def test_every_key_of_a_udp_forward(tmp_path: Path) -> None:
    item = "{listen: '127.0.0.1:53', connect: 'a:53', protocol: udp, rate: 5, reserve: 2}"
    config = loaded(tmp_path, f"{HEAD}forwards: [{item}]\n")
    assert config.forwards == (
        Forward(
            listen=Endpoint("127.0.0.1", 53),
            connect=Endpoint("a", 53),
            name="udp-53",
            protocol="udp",
            idle_timeout_s=60,
            rate=5,
            reserve=2,
        ),
    )


@pytest.mark.parametrize("idle_s", [0, 0.5, 31_536_000])
def test_the_silence_of_a_udp_forward_can_be_said(idle_s: float, tmp_path: Path) -> None:
    item = (
        f"{{listen: '127.0.0.1:53', connect: 'a:53', protocol: udp, idle_timeout_s: {idle_s}}}"
    )
    assert loaded(tmp_path, f"{HEAD}forwards: [{item}]\n").forwards[0].idle_timeout_s == idle_s


def test_every_key_of_a_server(tmp_path: Path) -> None:
    text = """\
modem: {port: x, ip_type: IPV4V6}
timeouts: {half_close_s: 7}
servers:
  - {port: 22, connect: 'localhost:22', allow: ['::/0']}
  - name: web
    port: 65535
    connect: nas.local:80
    allow: [0.0.0.0/0]
    max_clients: 4
    max_per_client: 2
    proxy_protocol: v2
    class: bulk
    idle_timeout_s: 9
    rate: 1000
    reserve: 4
    on_client_fin: linger
    half_close_s: 3
"""
    first, second = loaded(tmp_path, text).servers
    assert (first.name, first.half_close_s, first.on_client_fin) == ("server-22", 7, "close")
    assert second == Server(
        name="web",
        port=65535,
        connect=Endpoint("nas.local", 80),
        allow=networks("0.0.0.0/0"),
        max_clients=4,
        max_per_client=2,
        proxy_protocol="v2",
        traffic_class="bulk",
        idle_timeout_s=9,
        rate=1000,
        reserve=4,
        on_client_fin="linger",
        half_close_s=3,
    )


def test_every_key_of_a_proxy(tmp_path: Path) -> None:
    text = """\
timeouts: {half_close_s: 7}
proxies:
  - {protocol: http, listen: '[::1]:80'}
  - protocol: socks5
    listen: 0.0.0.0:1080
    name: p
    users: {alice: 0123, 42: "ä:#", on: off}
    allow_destinations: ["*:443"]
    class: interactive
    idle_timeout_s: 9
    allow: [10.0.0.0/8]
    max_clients: 4
    max_per_client: 2
    rate: 1000
    reserve: 4
    on_client_fin: close
    half_close_s: 3
"""
    first, second = loaded(tmp_path, HEAD + text).proxies
    assert (first.name, first.half_close_s, first.users) == ("http-80", 7, ())
    assert second == Proxy(
        protocol="socks5",
        listen=Endpoint("0.0.0.0", 1080),
        name="p",
        users=(("alice", "0123"), ("42", "ä:#"), ("on", "off")),
        allow_destinations=(parse_destination("*:443"),),
        traffic_class="interactive",
        idle_timeout_s=9,
        allow=networks("10.0.0.0/8"),
        max_clients=4,
        max_per_client=2,
        rate=1000,
        reserve=4,
        on_client_fin="close",
        half_close_s=3,
    )


def test_users_come_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    content = "# users\r\n\r\nalice:a:b#\r\nbob: geheim \r\n"
    (tmp_path / "users").write_bytes(b"\xef\xbb\xbf" + content.encode())
    item = "{protocol: http, listen: '127.0.0.1:1', users_file: users}"
    config = loaded(tmp_path, f"{HEAD}proxies: [{item}]\n")
    assert config.proxies[0].users == (("alice", "a:b#"), ("bob", " geheim "))
    assert config.proxies[0].users_file == tmp_path / "users"
    assert "geheim" not in repr(config)
    assert "geheim" not in "".join(describe(config))


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("9.9.9.9", Endpoint("9.9.9.9", 53)),
        ("9.9.9.9:5353", Endpoint("9.9.9.9", 5353)),
        ("2620:FE::fe", Endpoint("2620:fe::fe", 53)),
        ("[2620:fe::fe]", Endpoint("2620:fe::fe", 53)),
        ("[2620:fe::fe]:54", Endpoint("2620:fe::fe", 54)),
    ],
)
def test_a_name_server(text: str, right: Endpoint, tmp_path: Path) -> None:
    config = loaded(tmp_path, f"{HEAD}dns: {{listen: '127.0.0.1:0', server: '{text}'}}\n")
    assert config.dns == Dns(listen=Endpoint("127.0.0.1", 0), server=right)


def test_one_way_in_is_enough(tmp_path: Path) -> None:
    for text in (
        "dns: {listen: '127.0.0.1:53'}\n",
        "proxies: [{protocol: http, listen: '127.0.0.1:1'}]\n",
        "servers: [{port: 1, connect: 'a:1', allow: [0.0.0.0/0]}]\n",
    ):
        config = loaded(tmp_path, HEAD + text)
        assert config.forwards == ()
        assert len(config.servers) + len(config.proxies) + bool(config.dns) == 1
    assert config.dns is None
    assert config.admin.socket is None


def test_the_admin_socket_is_named_relative_to_the_file(tmp_path: Path) -> None:
    text = HEAD + "dns: {listen: '127.0.0.1:53'}\nadmin: {socket: run/a.sock}\n"
    assert loaded(tmp_path, text).admin.socket == tmp_path / "run" / "a.sock"
    assert loaded(tmp_path, text + "log:\n").admin.socket == tmp_path / "run" / "a.sock"


def test_tcp_and_udp_do_not_meet_and_ten_links_can_be_kept(tmp_path: Path) -> None:
    text = """\
forwards:
  - {listen: '127.0.0.1:53', connect: 'a:53', protocol: udp, reserve: 5}
  - {listen: '127.0.0.1:53', connect: 'a:53', protocol: tcp, reserve: 4}
proxies:
  - {listen: '127.0.0.2:53', protocol: http, reserve: 1, max_clients: 1, name: dns}
servers:
  - {port: 53, connect: '127.0.0.1:53', allow: [10.0.0.0/8, '::/0']}
"""
    config = loaded(tmp_path, HEAD + text)
    assert [forward.reserve for forward in config.forwards] == [5, 4]
    told = describe(config)
    assert "links    10, of which are kept: 5 for udp-53, 4 for tcp-53, 1 for dns" in told
    assert [line for line in told if "will not get one" in line] == [
        "WARNING: server-53: all 10 links are kept for others, it will not get one",
        "WARNING: modemproxy connect: all 10 links are kept for others, it will not get one",
    ]


@pytest.mark.parametrize(
    ("host", "far"),
    [
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("::1", False),
        ("0.0.0.0", True),
        ("::", True),
        ("192.168.1.1", True),
        ("::ffff:192.0.2.1", True),
    ],
)
def test_who_can_reach_a_listener(host: str, far: bool) -> None:
    assert exposed(Endpoint(host, 1)) is far

"""What check says of servers, proxies, DNS listeners and of what deserves a second look."""

from pathlib import Path

import pytest

from modemproxy.cli import main
from modemproxy.config import describe, load

CONFIG = Path(__file__).parent.parent / "config"

GATEWAY = [
    "udp      0.0.0.0:1123 -> pool.ntp.org:123  name ntp  class normal  for 192.168.1.0/24  "
    "at most 1 per client  link given back when idle for 60 s",
    "server   port 8080 of the module -> 192.168.1.10:80  name web  class normal  for "
    "0.0.0.0/0  at most 2 clients  PROXY header v2",
    "server   port 2222 of the module -> localhost:22  name ssh  class interactive  for "
    "203.0.113.0/24  at most 1 per client",
    "socks5   127.0.0.1:1080 -> any destination  name socks  class bulk  for this machine  "
    "without login",
    "http     192.168.1.1:3128 -> *.example.com:443, example.com:443, 203.0.113.0/24:*  name "
    "web-proxy  class normal  for 192.168.1.0/24  at most 3 per client  at most 50000 bytes/s"
    "  with login (1 user)",
    "dns      192.168.1.1:5353 -> the module's resolver  other types from 9.9.9.9:53  for "
    "192.168.1.0/24",
    "links    10, of which are kept: 1 for mqtt, 2 for web",
    "WARNING: mqtt: exposed on 0.0.0.0:1883: other machines (192.168.1.0/24) may use the "
    "mobile connection",
    "WARNING: web-proxy: passwords cross the network in the clear (neither SOCKS5 nor HTTP "
    "hides them)",
    "WARNING: dns: exposed on 192.168.1.1:5353: other machines (192.168.1.0/24) may use the "
    "mobile connection",
    "WARNING: web: everyone who can reach the module may connect to 192.168.1.10:80",
    "udp: boundaries of datagrams are kept only on firmware with package mode; on other "
    "firmware datagrams that come close together may arrive as one (ntp, syslog, socks); the "
    "log of modemproxy run warns of it",
]


def test_describe_of_the_gateway() -> None:
    told = describe(load(CONFIG / "gateway.yaml"))
    assert [line for line in GATEWAY if line not in told] == []
    assert not any("change-me" in line for line in told)


def test_describe_of_the_rest(tmp_path: Path) -> None:
    text = """\
proxies: [{protocol: http, listen: '0.0.0.0:80', allow: [0.0.0.0/0]}]
dns: {listen: '127.0.0.1:53'}
admin: {socket: /a.sock}
metrics: {listen: '10.0.0.1:9464', allow: [10.0.0.0/8]}
usage: {cap: 2G, period: day, action: stop}
"""
    path = tmp_path / "m.yaml"
    path.write_text("modem: {port: x}\n" + text)
    assert describe(load(path))[2:] == [
        "http     0.0.0.0:80 -> any destination  name http-80  class normal  for 0.0.0.0/0  "
        "without login",
        "dns      127.0.0.1:53 -> the module's resolver  other types answered NOTIMP  for this "
        "machine",
        "admin    /a.sock",
        "metrics  http://10.0.0.1:9464/  status page, /metrics, /healthz  for 10.0.0.0/8",
        "usage    at most 2000000000 bytes in all, by day; at a cap: stop",
        "WARNING: http-80: exposed on 0.0.0.0:80: everyone who can reach it may use the mobile "
        "connection",
        "WARNING: http-80: they need no login to reach any destination (set users or "
        "users_file)",
        "WARNING: metrics: exposed on 10.0.0.1:9464: others (10.0.0.0/8) may see who is "
        "connected where, without login",
    ]


def test_check_prints_what_would_be_served(capsys: pytest.CaptureFixture[str]) -> None:
    file = CONFIG / "gateway.yaml"
    assert main(["check", str(file)]) == 0
    assert capsys.readouterr().out.splitlines() == describe(load(file))


def test_check_prints_every_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "m.yaml"
    file.write_text("modem: {}\nservers: [{port: 0, connect: 'a:1'}]\n")
    assert main(["check", str(file)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.split(": ")[:2] for line in told.err.splitlines()] == [
        [f"{file}:1", "modem.port"],
        [f"{file}:2", "servers[0].port"],
        [f"{file}:2", "servers[0].allow"],
    ]

"""Wrong UDP forwards and servers: the exact message of each."""

from pathlib import Path

import pytest

from tests.mistakes import HEAD, UDP, problems, short, table

# One line below the UDP forward (line 7), and what must be said of it.
UDP_LINES = r"""
on_client_fin: close
    on_client_fin: only TCP connections have an end of their own (leave it out for udp)
half_close_s: 5
    half_close_s: only TCP connections have an end of their own (leave it out for udp)
idle_timeout_s: 1h
    idle_timeout_s: expected a number of seconds, got text '1h' (like 30 or 0.5, without a
    unit)
idle_timeout_s: -1
    idle_timeout_s: -1 seconds is out of range (0, to 31536000)
rate: -1
    rate: -1 is out of range (0 to 1000000000)
rate: 10k
    rate: expected a whole number, got text '10k'
reserve: 11
    reserve: 11 is out of range (0 to 10)
reserve: two
    reserve: expected a whole number, got text 'two'
name: connect
    name: 'connect' is the name of modemproxy connect (give this one another name)
reserved: 1
    reserved: unknown key (did you mean 'reserve'?)
proxy_protocol: v1
    proxy_protocol: unknown key (did you mean 'protocol'?)
"""

# A server as one line of YAML (line 4), and what must be said of it.
SERVERS = r"""
{connect: 'a:1', allow: [0.0.0.0/0]}
    port: missing (The TCP port on the module's address, 1 to 65535)
{port: 1, allow: [0.0.0.0/0]}
    connect: missing (Where far clients are connected to, from this host: host:port. This
    host looks the name up)
{port: 1, connect: 'a:1'}
    allow: missing (Networks that far clients may come from; 0.0.0.0/0 means everyone)
{port: 0, connect: 'a:1', allow: [0.0.0.0/0]}
    port: 0 is out of range (1 to 65535)
{port: 65536, connect: 'a:1', allow: [0.0.0.0/0]}
    port: 65536 is out of range (1 to 65535)
{port: http, connect: 'a:1', allow: [0.0.0.0/0]}
    port: expected a whole number, got text 'http'
{port: '0.0.0.0:80', connect: 'a:1', allow: [0.0.0.0/0]}
    port: expected a whole number, got text '0.0.0.0:80'
{port: [1], connect: 'a:1', allow: [0.0.0.0/0]}
    port: expected a port number, got a list
{port: 1, connect: 'a:0', allow: [0.0.0.0/0]}
    connect: port 0 is out of range (1 to 65535)
{port: 1, connect: 80, allow: [0.0.0.0/0]}
    connect: '80' has a port but no host (write broker.example.com:PORT)
{port: 1, connect: 'a:1', allow: []}
    allow: the list is empty (give an item, or leave the key out)
{port: 1, connect: 'a:1', allow: everyone}
    allow: expected a list, got text (write [everyone])
{port: 1, connect: 'a:1', allow: [203.0.113.9/24]}
    allow[0]: '203.0.113.9/24' names a host inside a network (write 203.0.113.0/24)
{port: 1, connect: 'a:1', allow: ['::/0']}
    allow: no IPv4 network, and with ip_type IP nobody else can come (add one, like
    0.0.0.0/0)
{port: 1, connect: 'a:1', allow: [0.0.0.0/0], proxy_protocol: v3}
    proxy_protocol: 'v3' is not known (expected none, v1 or v2)
{port: 1, connect: 'a:1', allow: [0.0.0.0/0], max_clients: all}
    max_clients: expected a whole number, got text 'all'
{port: 1, connect: 'a:1', allow: [0.0.0.0/0], max_clients: 1, reserve: 2}
    reserve: 2 links, but max_clients lets only 1 in (at most 1)
{port: 1, connect: 'a:1', allow: [0.0.0.0/0], class: high}
    class: 'high' is not known (expected interactive, normal or bulk)
{port: 1, connect: 'a:1', allow: [0.0.0.0/0], on_client_fin: ignore}
    on_client_fin: 'ignore' is not known (expected linger or close)
{port: 1, connect: 'a:1', allow: [0.0.0.0/0], half_close_s: 0}
    half_close_s: 0 seconds is out of range (more than 0, to 86400)
{port: 1, connect: 'a:1', allow: [0.0.0.0/0], listen: 'a:1'}
    listen: unknown key (known here: port, connect, allow, name, max_clients,
    max_per_client, proxy_protocol, class, idle_timeout_s, rate, cap, reserve, on_client_fin,
    half_close_s)
{port: 1, connect: 'a:1', allow: [0.0.0.0/0], name: 'my server'}
    name: 'my server' is not a name (1 to 32 letters, digits, '-' and '_')
"""


@pytest.mark.parametrize(("row", "says"), table(UDP_LINES), ids=short)
def test_a_wrong_udp_forward(row: str, says: str, tmp_path: Path) -> None:
    text = f"{HEAD}{UDP}    {row}\n"
    assert problems(tmp_path, text) == [f"m.yaml:7: forwards[0].{says}"]


@pytest.mark.parametrize(("item", "says"), table(SERVERS), ids=short)
def test_a_wrong_server(item: str, says: str, tmp_path: Path) -> None:
    text = f"{HEAD}servers:\n  - {item}\n"
    assert problems(tmp_path, text) == [f"m.yaml:4: servers[0].{says}"]

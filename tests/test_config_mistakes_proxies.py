"""Wrong proxies and their users: the exact message of each."""

from pathlib import Path

import pytest

from tests.mistakes import HEAD, PROXY, problems, short, table

# One line below the proxy (line 6), and what must be said of it.
PROXY_LINES = r"""
users: alice
    users: expected names and passwords, got text (like {alice: secret})
users: [alice]
    users: expected names and passwords, got a list (like {alice: secret})
users: {}
    users: nothing in it (like {alice: secret}, or leave the key out)
users:
    users: empty (give a value, or leave the key out)
users: {alice: }
    users.alice: empty (give a value, or leave the key out)
users: {'': geheim}
    users.'': a user name is empty (give it one, or leave the pair out)
users: {alice: [geheim]}
    users.alice: expected a password, got a list
users: {'a:b': geheim}
    users.'a:b': a user name holds a colon (leave it out: no HTTP client could log in)
users: {"a\tb": geheim}
    users.'a\tb': a user name holds a control character (leave it out)
users: {alice: "geheim\n"}
    users.alice: the password holds a control character (leave it out)
users: {alice: x, alice: y}
    users.alice: given twice (first on line 6; keep one)
users_file: nowhere
    users_file: nowhere: cannot be read: No such file or directory
users_file: .
    users_file: .: not a file (expected a file of lines name:password)
allow_destinations: '*:443'
    allow_destinations: expected a list, got text (write [*:443])
allow_destinations: []
    allow_destinations: the list is empty (give an item, or leave the key out)
allow_destinations: [example.com]
    allow_destinations[0]: 'example.com' has no port (like *.example.com:443 or
    203.0.113.0/24:*)
allow_destinations: ['example.com:']
    allow_destinations[0]: '' is no port (expected 443, a range like 8000-8099, or *)
allow_destinations: ['a.de:https']
    allow_destinations[0]: 'https' is no port (expected 443, a range like 8000-8099, or *)
allow_destinations: ['a.de:0']
    allow_destinations[0]: port 0 is out of range (1 to 65535)
allow_destinations: ['a.de:1-65536']
    allow_destinations[0]: port 1-65536 is out of range (1 to 65535)
allow_destinations: ['a.de:90-80']
    allow_destinations[0]: the range 90-80 is backwards (write 80-90)
allow_destinations: ['a.*.de:80']
    allow_destinations[0]: 'a.*.de' has a star inside (expected * alone, or at the
    beginning like *.example.com)
allow_destinations: ['*example.com:80']
    allow_destinations[0]: '*example.com' has a star inside (expected * alone, or at the
    beginning like *.example.com)
allow_destinations: ['*.:80']
    allow_destinations[0]: the host is empty (expected a name or an address)
allow_destinations: ['*.10.0.0.1:80']
    allow_destinations[0]: '*.10.0.0.1': no names are below an address (write a network)
allow_destinations: ['a_b.de:80']
    allow_destinations[0]: the host name 'a_b.de' holds '_' (only letters, digits, dots
    and hyphens)
allow_destinations: ['10.0.0.1/8:*']
    allow_destinations[0]: '10.0.0.1/8' names a host inside a network (write 10.0.0.0/8)
allow_destinations: ['10.0.0:*']
    allow_destinations[0]: '10.0.0' is not a network (like 192.168.1.0/24)
allow_destinations: ['2001:db8::1:443']
    allow_destinations[0]: IPv6 needs brackets and a port ('2001:db8::1:443'; write
    [2001:db8::/32]:443)
allow_destinations: ['[2001:db8::/32]']
    allow_destinations[0]: '[2001:db8::/32]' has no port (like *.example.com:443 or
    203.0.113.0/24:*)
allow_destinations: ['[10.0.0.0/8]:1']
    allow_destinations[0]: brackets are for IPv6 only (write 10.0.0.0/8)
allow_destinations: ['[::ffff:10.0.0.0/104]:1']
    allow_destinations[0]: '::ffff:10.0.0.0/104' is IPv4 written as IPv6 (write
    10.0.0.0/8)
allow_destinations: [müller.de:443]
    allow_destinations[0]: the host name 'müller.de' is not ASCII (write its xn-- form:
    xn--mller-kva.de)
allow: ['::1']
    allow: no IPv4 network, so nobody could connect to 127.0.0.1:1080 (add one, like
    0.0.0.0/0 for everyone)
connect: a:1
    connect: unknown key (known here: protocol, listen, name, users, users_file, users_env,
    allow_destinations, class, idle_timeout_s, allow, max_clients, max_per_client, rate, cap,
    reserve, on_client_fin, half_close_s)
password: geheim
    password: unknown key (known here: protocol, listen, name, users, users_file, users_env,
    allow_destinations, class, idle_timeout_s, allow, max_clients, max_per_client, rate, cap,
    reserve, on_client_fin, half_close_s)
"""
LONG_NAMES = [
    (
        f"users: {{alice: {'ä' * 128}}}",
        "users.alice: the password has 256 bytes (at most 255)",
    ),
    (
        f"users: {{{'a' * 256}: x}}",
        f"users.'{'a' * 59}…': a user name has 256 bytes (at most 255)",
    ),
]


@pytest.mark.parametrize(("row", "says"), [*table(PROXY_LINES), *LONG_NAMES], ids=short)
def test_a_wrong_proxy(row: str, says: str, tmp_path: Path) -> None:
    text = f"{HEAD}{PROXY}    {row}\n"
    found = problems(tmp_path, text)
    # The folder's name stands by itself where the file is the folder.
    found = [line.replace(f"users_file: {tmp_path}:", "users_file: .:") for line in found]
    assert found == [f"m.yaml:6: proxies[0].{says}"]
    assert "geheim" not in "".join(found)


# What stands in the users' file, its wrong lines, and the words.
USER_FILES = [
    (b"", [], "no users in it (expected lines name:password)"),
    (b"# alice:geheim\n\n", [], "no users in it (expected lines name:password)"),
    (b"alice geheim\n", [1], "not a user (expected name:password)"),
    (b"a:x\n:geheim\nb:\n", [2, 3], "not a user (expected name:password)"),
    (b"alice:geheim\nbob:x\nalice:geheim2\n", [3], "this user has a line already (keep one)"),
    (b"alice:gehe\tim\n", [1], "the password holds a control character (leave it out)"),
    (b"alice:$apr1$geheim\n", [1], "a hash instead of a password (write the password itself)"),
    (b"alice:{SHA}geheim\n", [1], "a hash instead of a password (write the password itself)"),
    (b"a" * 256 + b":geheim\n", [1], "a user name has 256 bytes (at most 255)"),
    (b"alice:\xff\n", [], "not a text file in UTF-8"),
    (b"#" * 262_145, [], "too large (expected a file of lines name:password)"),
]


@pytest.mark.parametrize(("content", "lines", "says"), USER_FILES, ids=short)
def test_a_wrong_users_file(
    content: bytes, lines: list[int], says: str, tmp_path: Path
) -> None:
    (tmp_path / "users").write_bytes(content)
    found = problems(tmp_path, f"{HEAD}{PROXY}    users_file: users\n")
    places = [f"users:{line}" for line in lines] or ["users"]
    start = "m.yaml:6: proxies[0].users_file: "
    assert found == [f"{start}{place}: {says}" for place in places]
    assert "geheim" not in "".join(found)

"""Rules about where the clients of a proxy may go."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.config import Destination, Wrong, may_reach
from modemproxy.config.destinations import parse_destination

# A rule, a destination, and whether the rule allows it.
CASES = [
    ("example.com:443", "example.com", 443, True),
    ("example.com:443", "EXAMPLE.com.", 443, True),
    ("Example.COM.:443", "example.com", 443, True),
    ("example.com:443", "example.com", 80, False),
    ("example.com:443", "www.example.com", 443, False),
    ("example.com:443", "example.com.evil.org", 443, False),
    ("*.example.com:443", "www.example.com", 443, True),
    ("*.example.com:443", "a.b.Example.com", 443, True),
    ("*.example.com:443", "example.com", 443, False),
    ("*.example.com:443", ".example.com", 443, False),
    ("*.example.com:443", "wwwexample.com", 443, False),
    ("*.example.com:443", "www.example.com.evil.org", 443, False),
    ("*:443", "anything.org", 443, True),
    ("*:443", "192.0.2.1", 443, True),
    ("*:443", "2001:db8::1", 443, True),
    ("*:443", "anything.org", 444, False),
    ("*:*", "anything.org", 65535, True),
    ("a.de:8000-8099", "a.de", 8000, True),
    ("a.de:8000-8099", "a.de", 8099, True),
    ("a.de:8000-8099", "a.de", 7999, False),
    ("a.de:8000-8099", "a.de", 8100, False),
    ("203.0.113.0/24:*", "203.0.113.77", 1, True),
    ("203.0.113.0/24:*", "203.0.114.1", 1, False),
    ("203.0.113.0/24:*", "::ffff:203.0.113.77", 1, True),
    ("203.0.113.0/24:*", "203.0.113.example.com", 1, False),
    ("203.0.113.5:22", "203.0.113.5", 22, True),
    ("203.0.113.5:22", "203.0.113.6", 22, False),
    ("0.0.0.0/0:*", "example.com", 80, False),
    ("0.0.0.0/0:*", "2001:db8::1", 80, False),
    ("[2001:db8::/32]:443", "2001:db8:1::2", 443, True),
    ("[2001:db8::/32]:443", "2001:DB8:0:0:0:0:0:2", 443, True),
    ("[2001:db8::/32]:443", "2001:db9::2", 443, False),
    ("[2001:db8::1]:443", "2001:db8::1", 443, True),
    ("[::/0]:*", "::ffff:192.0.2.1", 80, False),
    ("*.com:*", "192.0.2.1", 80, False),
]


@pytest.mark.parametrize(("rule", "host", "port", "allowed"), CASES)
def test_a_rule_and_a_destination(rule: str, host: str, port: int, allowed: bool) -> None:
    assert parse_destination(rule).matches(host, port) is allowed


def test_no_rules_allow_everything_and_one_of_several_is_enough() -> None:
    rules = [parse_destination("a.de:1"), parse_destination("b.de:2")]
    assert may_reach([], "anything.org", 1)
    assert may_reach(rules, "b.de", 2)
    assert may_reach(iter(rules), "a.de", 1)
    assert not may_reach(rules, "a.de", 2)


def test_what_a_rule_holds() -> None:
    network = ipaddress.ip_network("203.0.113.0/24")
    assert parse_destination("203.0.113.0/24:1-2") == Destination(network, 1, 2)
    assert parse_destination("*.A.de.:5") == Destination("*.a.de", 5, 5)


@pytest.mark.parametrize("rule", sorted({case[0] for case in CASES} - {"Example.COM.:443"}))
def test_a_rule_is_written_as_it_is_read(rule: str) -> None:
    read = parse_destination(rule)
    assert parse_destination(str(read)) == read


@given(st.text(alphabet="*.:[]-/0123456789abAxß \n\"'", max_size=30) | st.text())
def test_any_text_is_a_rule_or_is_refused(text: str) -> None:
    try:
        rule = parse_destination(text)
    except Wrong as exc:
        says = str(exc)
    else:
        check_rule(text, rule)
        says = str(rule)
    assert says.isprintable()


def check_rule(text: str, rule: Destination) -> None:
    assert 1 <= rule.first_port <= rule.last_port <= 65535
    assert parse_destination(str(rule)) == rule
    # Only a star by itself is a rule for all hosts.
    if rule.host == "*":
        assert text.rpartition(":")[0] == "*"
    else:
        assert not (rule.matches("a.example", 1) and rule.matches("192.0.2.1", 1))

"""Who may come in."""

from contextlib import ExitStack
from ipaddress import ip_network

import pytest

from modemproxy.surfaces.access import Access, Denied


def access(*allow: str, max_clients: int = 0, max_per_client: int = 0) -> Access:
    return Access(
        allow=[ip_network(text) for text in allow],
        max_clients=max_clients,
        max_per_client=max_per_client,
    )


def test_an_address_that_cannot_be_read_is_not_allowed() -> None:
    with pytest.raises(Denied, match="not in allow"), access("0.0.0.0/0").admitted("x"):
        pass


@pytest.mark.parametrize(
    ("host", "allow"),
    [
        ("192.0.2.1", ()),
        ("192.0.2.1", ("192.0.2.0/24",)),
        ("192.0.2.1", ("10.0.0.0/8", "192.0.2.1/32")),
        ("::ffff:192.0.2.1", ("192.0.2.0/24",)),
        ("2001:db8::1", ("2001:db8::/32",)),
        ("fe80::1%eth0", ("fe80::/10",)),
        ("203.0.113.9", ("0.0.0.0/0",)),
    ],
)
def test_an_allowed_client_comes_in(host: str, allow: tuple[str, ...]) -> None:
    rules = access(*allow)
    with rules.admitted(host):
        assert rules.clients == 1
    assert rules.clients == 0


@pytest.mark.parametrize(
    ("host", "allow"),
    [
        ("192.0.3.1", ("192.0.2.0/24",)),
        ("::ffff:192.0.3.1", ("192.0.2.0/24",)),
        ("2001:db9::1", ("2001:db8::/32",)),
        ("192.0.2.1", ("2001:db8::/32",)),
        ("2001:db8::1", ("0.0.0.0/0",)),
    ],
)
def test_another_client_does_not(host: str, allow: tuple[str, ...]) -> None:
    rules = access(*allow)
    with pytest.raises(Denied, match="not in allow"), rules.admitted(host):
        pytest.fail("came in")
    assert rules.clients == 0


def test_only_so_many_clients_come_in_and_a_place_is_free_again() -> None:
    rules = access(max_clients=2)
    with ExitStack() as inside:
        inside.enter_context(rules.admitted("192.0.2.1"))
        with rules.admitted("192.0.2.2"), pytest.raises(Denied, match="max_clients"):
            inside.enter_context(rules.admitted("192.0.2.3"))
        inside.enter_context(rules.admitted("192.0.2.3"))
        assert rules.clients == 2


def test_only_so_many_come_in_from_one_address() -> None:
    rules = access(max_per_client=2)
    with ExitStack() as inside:
        for _ in range(2):
            inside.enter_context(rules.admitted("192.0.2.1"))
            inside.enter_context(rules.admitted("192.0.2.2"))
        with pytest.raises(Denied, match="max_per_client"), rules.admitted("192.0.2.1"):
            pytest.fail("came in")
        assert rules.clients == 4
    assert rules.clients == 0


def test_a_client_that_fails_inside_frees_its_place() -> None:
    rules = access(max_clients=1)
    with pytest.raises(ZeroDivisionError), rules.admitted("192.0.2.1"):
        raise ZeroDivisionError
    with rules.admitted("192.0.2.1"):
        pass

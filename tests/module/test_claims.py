"""Who gets a number next: turns that come round, and numbers that are kept."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modemproxy.module.claims import Claim, Shares, Turns

OWNERS = st.sampled_from(["a", "b", "c"])
CLIENTS = st.sampled_from(["1", "2", "3"])
CLAIMS = st.builds(Claim, owner=OWNERS, client=CLIENTS)


def fill(turns: Turns[str], *names: str) -> None:
    """``a1x`` is waiter x of client 1 of owner a."""
    for name in names:
        turns.enter(Claim(name[0], name[1]), name)


def drain(shares: Shares[str], free: int = 10) -> list[str]:
    order = []
    while (waiter := shares.next(free)) is not None:
        order.append(waiter)
    return order


def test_owners_take_turns_and_inside_them_clients_do() -> None:
    shares: Shares[str] = Shares()
    fill(shares.turns, "a1x", "a1y", "a1z", "a2x", "b1x", "b1y", "c1x")
    assert drain(shares) == ["a1x", "b1x", "c1x", "a2x", "b1y", "a1y", "a1z"]


def test_one_client_is_served_in_its_order() -> None:
    shares: Shares[str] = Shares()
    fill(shares.turns, *(f"a1{n}" for n in range(9)))
    assert drain(shares) == [f"a1{n}" for n in range(9)]


def test_who_lost_a_number_is_the_very_next() -> None:
    shares: Shares[str] = Shares()
    fill(shares.turns, "b1x", "a1x", "a2x")
    shares.turns.enter(Claim("a", "2"), "again", first=True)
    assert drain(shares) == ["again", "b1x", "a1x", "a2x"]


def test_who_leaves_is_not_served() -> None:
    shares: Shares[str] = Shares()
    fill(shares.turns, "a1x", "a1y", "b1x")
    shares.turns.leave(Claim("a", "1"), "a1x")
    shares.turns.leave(Claim("b", "1"), "b1x")
    shares.turns.leave(Claim("b", "1"), "b1x")
    shares.turns.leave(Claim("nobody"), "x")
    assert len(shares.turns) == 1
    assert list(shares.turns) == ["a1y"]
    assert drain(shares) == ["a1y"]


@given(st.lists(st.one_of(CLAIMS, st.none()), max_size=60))
def test_nobody_who_waits_is_passed_over_twice(steps: list[Claim | None]) -> None:
    """Between two turns of one owner every other that waits has one; so for its clients."""
    turns: Turns[Claim] = Turns()
    shares: Shares[Claim] = Shares()
    shares.turns = turns
    passed: dict[str, set[str]] = {}
    inside: dict[tuple[str, str], set[str]] = {}
    for claim in steps:
        if claim is not None:
            turns.enter(claim, claim)
            continue
        waiting = list(turns)
        served = shares.next(1)
        assert (served is None) == (not waiting)
        if served is None:
            continue
        for owner in {other.owner for other in waiting} - {served.owner}:
            seen = passed.setdefault(owner, set())
            assert served.owner not in seen, f"{served.owner} twice before {owner}"
            seen.add(served.owner)
        passed[served.owner] = set()
        for client in {o.client for o in waiting if o.owner == served.owner} - {served.client}:
            seen = inside.setdefault((served.owner, client), set())
            assert served.client not in seen
            seen.add(served.client)
        inside[served.owner, served.client] = set()
        for owner in list(passed):
            if owner not in turns.owners:
                passed[owner] = set()


@pytest.mark.parametrize(
    ("reserve", "used", "owner", "free", "may"),
    [
        ({}, "", "a", 1, True),
        ({}, "", "a", 0, False),
        ({"b": 1}, "", "a", 1, False),
        ({"b": 1}, "", "a", 2, True),
        ({"b": 1}, "b", "a", 1, True),
        ({"b": 1}, "bbb", "a", 1, True),
        ({"b": 2, "c": 1}, "b", "a", 2, False),
        ({"b": 2, "c": 1}, "b", "a", 3, True),
        ({"b": 2, "a": 1}, "", "a", 1, True),
        ({"b": 2, "a": 1}, "a", "a", 2, False),
        ({"b": 2, "a": 1}, "a", "a", 3, True),
    ],
)
def test_the_rule_of_reservation(
    reserve: dict[str, int], used: str, owner: str, free: int, may: bool
) -> None:
    shares: Shares[str] = Shares(reserve)
    for name in used:
        shares.took(name)
    assert shares.may_take(owner, free) is may


@settings(max_examples=300)
@given(
    reserve=st.dictionaries(OWNERS, st.integers(0, 3)),
    steps=st.lists(st.tuples(OWNERS, st.booleans()), max_size=80),
)
def test_what_is_kept_is_there_when_it_is_asked_for(
    reserve: dict[str, int], steps: list[tuple[str, bool]]
) -> None:
    """Ten numbers, taken and given back: no owner's right is ever out of reach."""
    shares: Shares[str] = Shares(reserve)
    free = 10
    for owner, takes in steps:
        if takes and shares.may_take(owner, free):
            shares.took(owner)
            free -= 1
        elif not takes and shares.used(owner):
            shares.gave(owner)
            free += 1
        unmet = {name: max(0, n - shares.used(name)) for name, n in reserve.items()}
        assert sum(unmet.values()) <= free
        for name, count in unmet.items():
            assert not count or shares.may_take(name, free)
        for name in "abc":  # and nobody is refused for nothing
            others = sum(count for other, count in unmet.items() if other != name)
            assert shares.may_take(name, free) == (free > others or bool(unmet.get(name)))


def test_a_right_is_not_given_up_for_others() -> None:
    shares: Shares[str] = Shares({"a": 1})
    shares.took("a")
    assert not shares.may_lose("a", to="b")
    assert shares.may_lose("a", to="a")
    shares.took("a")
    assert shares.may_lose("a", to="b")


def test_who_may_not_take_keeps_its_place() -> None:
    shares: Shares[str] = Shares({"b": 1})
    fill(shares.turns, "a1x", "b1x", "a1y")
    assert shares.next(1) == "b1x"
    shares.took("b")
    assert drain(shares, 1) == ["a1x", "a1y"]

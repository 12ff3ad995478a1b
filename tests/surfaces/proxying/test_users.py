"""Names and passwords."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.surfaces.proxying.users import Users, shown

USERS = Users({"alice": "secret", "b\u00f6b": "p\u00e4ss:word", "ab": "c", "empty": ""})


@pytest.mark.parametrize(
    ("name", "password"),
    [("alice", "secret"), ("b\u00f6b", "p\u00e4ss:word"), ("ab", "c"), ("empty", "")],
)
def test_a_user_comes_in(name: str, password: str) -> None:
    assert USERS.check(name.encode(), password.encode())


@pytest.mark.parametrize(
    ("name", "password"),
    [
        (b"alice", b""),
        (b"alice", b"Secret"),
        (b"alice", b"secret\0"),
        (b"alice", b"p\xc3\xa4ss:word"),
        (b"alices", b"ecret"),
        (b"a", b"bc"),
        (b"abc", b""),
        (b"", b""),
        (b"", b"secret"),
        ("b\u00f6b".encode("latin-1"), "p\u00e4ss:word".encode("latin-1")),
    ],
)
def test_nobody_else_does(name: bytes, password: bytes) -> None:
    assert not USERS.check(name, password)


def test_where_there_are_no_users_nobody_comes_in() -> None:
    assert not Users({}).check(b"", b"")


@given(st.dictionaries(st.text(max_size=4), st.text(max_size=4)), st.text(), st.text())
def test_the_answer_is_the_mappings(known: dict[str, str], name: str, password: str) -> None:
    users = Users(known)
    right = known.get(name) == password
    assert users.check(name.encode(), password.encode()) == right
    assert all(users.check(n.encode(), p.encode()) for n, p in known.items())


@given(st.binary(max_size=500))
def test_a_name_is_shown_on_one_short_line(name: bytes) -> None:
    assert shown(name).isprintable()
    assert len(shown(name)) < 250


def test_no_password_stands_in_the_object() -> None:
    assert "secret" not in repr(vars(USERS))

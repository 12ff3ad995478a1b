"""Where the admin socket is made, and looked for."""

import os
import tempfile
from pathlib import Path

import pytest

from modemproxy.errors import ConfigError
from modemproxy.operate.paths import client_places, is_private, is_temporary, server_place

SYSTEM = Path("/run/modemproxy/admin.sock")


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not root, in a folder without a configuration."""
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("modemproxy.config._USUAL", (Path("modemproxy.yaml"),))


@pytest.mark.usefixtures("user")
def test_the_server_takes_the_services_folder_then_the_users_then_an_own_one(
    tmp_path: Path,
) -> None:
    both = {"RUNTIME_DIRECTORY": "/run/a:/run/b", "XDG_RUNTIME_DIR": "/run/user/4711"}
    assert server_place(both) == Path("/run/a/admin.sock")
    del both["RUNTIME_DIRECTORY"]
    assert server_place(both) == Path("/run/user/4711/modemproxy/admin.sock")
    assert server_place({}) == tmp_path / "modemproxy-4711" / "admin.sock"
    assert is_temporary(server_place({}))
    assert not is_temporary(server_place(both))


def test_root_without_a_service_takes_the_services_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert server_place({"XDG_RUNTIME_DIR": "/run/user/0"}) == SYSTEM


@pytest.mark.usefixtures("user")
def test_a_client_looks_at_the_services_then_at_the_users(tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": "/run/user/4711"}
    own = Path("/run/user/4711/modemproxy/admin.sock")
    assert client_places(None, None, environ) == [SYSTEM, own]
    assert client_places("/x/y", None, environ) == [Path("/x/y")]


@pytest.mark.usefixtures("user")
def test_a_folder_that_somebody_else_can_write_to_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client_places(None, None, {}) == [SYSTEM]
    folder = tmp_path / "modemproxy-4711"
    folder.mkdir(mode=0o700)
    assert client_places(None, None, {}) == [SYSTEM]  # not ours
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid)
    assert is_private(folder)
    folder.chmod(0o750)
    assert not is_private(folder)
    link = tmp_path / "link"
    folder.chmod(0o700)
    link.symlink_to(folder)
    assert not is_private(link)
    assert not is_private(tmp_path / "nothing")


@pytest.mark.usefixtures("user")
def test_the_configuration_says_where(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    forward = 'forwards: [{listen: "127.0.0.1:0", connect: "a.example:1"}]\n'
    file.write_text("modem: {port: /dev/x}\n" + forward + "admin: {socket: /x/admin.sock}\n")
    assert client_places(None, str(file), {}) == [Path("/x/admin.sock")]
    assert client_places(None, None, {"MODEMPROXY_CONFIG": str(file)}) == [
        Path("/x/admin.sock")
    ]
    file.write_text("modem: {port: /dev/x}\n" + forward)
    assert client_places(None, str(file), {}) == [SYSTEM]


@pytest.mark.usefixtures("user")
def test_only_a_configuration_that_was_named_has_to_be_right(tmp_path: Path) -> None:
    file = tmp_path / "modemproxy.yaml"
    file.write_text("modem: {}\n")
    assert client_places(None, None, {}) == [SYSTEM]
    with pytest.raises(ConfigError):
        client_places(None, str(file), {})

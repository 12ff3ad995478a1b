"""The admin socket's file: stale ones are replaced, live ones respected."""

import os
import socket
import stat
import tempfile
from pathlib import Path

import pytest

from modemproxy.errors import ConfigError
from modemproxy.operate.rendezvous import listen_at


def can_connect(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(path)) == 0


async def test_the_file_is_for_its_user_alone_and_goes_with_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "made" / "admin.sock"
    umask = os.umask(0)
    try:
        rendezvous = listen_at(path)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert can_connect(path)
    rendezvous.close()
    assert not path.exists()


async def test_a_dead_processs_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    rendezvous = listen_at(path)
    assert can_connect(path)
    rendezvous.close()


async def test_a_live_one_is_respected_even_when_its_queue_is_full(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    first = listen_at(path)
    callers = []
    for _ in range(40):
        caller = socket.socket(socket.AF_UNIX)
        caller.setblocking(False)
        caller.connect_ex(str(path))
        callers.append(caller)
    with pytest.raises(ConfigError, match="another proxy is running there"):
        listen_at(path)
    assert path.exists()
    for caller in callers:
        caller.close()
    first.close()


async def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="is no socket"):
        listen_at(path)
    assert path.read_text() == "precious"
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="is no socket"):
        listen_at(path)


async def test_a_file_that_took_our_place_is_not_ours_to_remove(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    first = listen_at(path)
    path.rename(tmp_path / "moved")
    second = listen_at(path)
    first.close()
    assert can_connect(path)
    second.close()
    (tmp_path / "moved").unlink()


@pytest.mark.parametrize("name", ["x" * 200 + ".sock", "no/such/folder/admin.sock"])
async def test_a_place_that_cannot_be_had_is_a_mistake_in_words(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(ConfigError, match=r"^admin\.socket: "):
        listen_at(tmp_path / name)


async def test_the_last_resorts_folder_has_to_be_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    named = tmp_path / "mine"
    named.mkdir(mode=0o755)
    listen_at(named / "admin.sock").close()  # who names a folder has chosen it
    folder = tmp_path / f"modemproxy-{os.geteuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(ConfigError, match="this user's alone"):
        listen_at(folder / "admin.sock")
    folder.chmod(0o700)
    listen_at(folder / "admin.sock").close()

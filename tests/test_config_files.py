"""Files that cannot be read, and secrets: they reach no message and no repr."""

from pathlib import Path

import pytest

from modemproxy.config import load
from modemproxy.errors import ConfigError

FORWARDS = "forwards:\n  - listen: 127.0.0.1:1883\n    connect: example.com:1883\n"


def modem(*lines: str) -> str:
    """Write a whole configuration with more keys under modem, from line 3 on."""
    return (
        "modem:\n  port: /dev/ttyUSB2\n" + "".join(f"  {line}\n" for line in lines) + FORWARDS
    )


def problems(path: Path, content: str | bytes) -> list[str]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [line.replace(str(path), "m.yaml") for line in caught.value.problems]


SECRETS = [
    modem("pin: geheim"),
    modem("auth: pap", "username: x", "password: 'geheim\"'"),
    modem("auth: pap", "username: x", "password: [geheim]"),
    modem("auth: pap", "username: x", "password: *geheim"),
    modem("auth: pap", "username: x", "password: 'geheim"),
    modem("auth: pap", "username: x", "password: geheim: x"),
    modem("auth: pap", "username: x", "password: !geheim! x"),
    modem("auth: pap", "username: x", "password: !<geheim> 'x\"'"),
    modem("auth: pap", "username: x", "password: &geheim x", "apn: &geheim y\"'"),
    modem("auth: pap", "username: x", "password: |geheim"),
    modem("auth: pap", "username: x", "password: %geheim"),
    modem("auth: pap", "username: x", "password: @geheim"),
    "geheim\n",
    "modem: geheim\n",
]


@pytest.mark.parametrize("text", SECRETS)
def test_no_message_repeats_a_secret(text: str, tmp_path: Path) -> None:
    assert "geheim" not in "".join(problems(tmp_path / "m.yaml", text))


def test_what_is_no_readable_text(tmp_path: Path) -> None:
    assert problems(tmp_path / "m.yaml", b"modem:\n  apn: \xff\n") == [
        "m.yaml:2: not UTF-8 text (save the file as UTF-8)"
    ]
    assert "too large" in problems(tmp_path / "m.yaml", b"#" * 1_000_001)[0]
    for path, words in ((tmp_path, "Is a directory"), (tmp_path / "x", "No such file")):
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert caught.value.problems[0].startswith(f"{path}: cannot be read: {words}")
    with pytest.raises(ConfigError, match="not a file name"):
        load(Path("a\0b"))


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything
    with pytest.raises(ConfigError, match=r"m\.yaml: cannot be read: Permission denied"):
        load(tmp_path / "m.yaml")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty (expected one line)"),
        (b"\n", "empty (expected one line)"),
        (b"99x4\n", "4 to 8 digits"),
        (b"1234\n\n", "4 to 8 digits"),
        (b"\xff\xff", "not a text file in UTF-8"),
        (b"1" * 5000, "too large"),
    ],
)
def test_a_wrong_pin_file(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "pin").write_bytes(content)
    (found,) = problems(tmp_path / "m.yaml", modem("pin_file: pin"))
    assert found.startswith("m.yaml:3: modem.pin_file: ")
    assert says in found
    assert "99x4" not in found.rpartition("pin: ")[2]


@pytest.mark.parametrize("content", [b"0123", b"0123\n", b"0123\r\n"])
def test_secrets_come_from_files_beside_the_configuration(
    content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "pin").write_bytes(content)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "pass").write_text(" geheim \n")
    path = tmp_path / "m.yaml"
    login = ("auth: pap", "username: alice", "password_file: sub/pass")
    path.write_text(modem("pin_file: pin", *login))
    config = load(path)
    assert config.modem.pin == "0123"
    assert config.modem.pin_file == tmp_path / "pin"
    assert config.modem.password == " geheim "  # only the end of the line is taken off
    for secret in ("0123", "geheim"):
        assert secret not in repr(config).replace(str(tmp_path), "")


def test_an_absolute_secret_file_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "pin").write_text("1234")
    (tmp_path / "etc").mkdir()
    path = tmp_path / "etc" / "m.yaml"
    path.write_text(modem(f"pin_file: {tmp_path / 'pin'}"))
    assert load(path).modem.pin == "1234"

"""Secrets from the environment, and that none is ever printed."""

from pathlib import Path

import pytest

from modemproxy.config import Config, describe, load
from modemproxy.errors import ConfigError

SECRETS = ("hunter2", "4711", "swordfish")
HEAD = "modem: {{port: /dev/x{modem}}}\n"
PROXY = "proxies: [{{protocol: socks5, listen: '127.0.0.1:1080'{proxy}}}]\n"


def configuration(folder: Path, modem: str = "", proxy: str = "") -> Config:
    file = folder / "m.yaml"
    file.write_text((HEAD + PROXY).format(modem=modem, proxy=proxy))
    return load(file)


def problems(folder: Path, modem: str = "", proxy: str = "") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        configuration(folder, modem, proxy)
    return [problem.replace(str(folder) + "/", "") for problem in caught.value.problems]


def test_secrets_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APN_PASSWORD", "hunter2")
    monkeypatch.setenv("SIM_PIN", "4711")
    monkeypatch.setenv("PROXY_USERS", "alice:swordfish\n# nobody\nbob:hunter2")
    config = configuration(
        tmp_path,
        ", pin_env: SIM_PIN, auth: pap, username: me, password_env: APN_PASSWORD",
        ", users_env: PROXY_USERS",
    )
    assert (config.modem.pin, config.modem.password) == ("4711", "hunter2")
    assert dict(config.proxies[0].users) == {"alice": "swordfish", "bob": "hunter2"}


@pytest.mark.parametrize(
    ("modem", "proxy", "says"),
    [
        (
            ", pin_env: NO_SUCH_PIN",
            "",
            "pin_env: $NO_SUCH_PIN: not set in the environment",
        ),
        (", pin_env: EMPTY", "", "modem.pin_env: $EMPTY: empty"),
        (", pin_env: WORDS", "", "modem.pin_env: $WORDS: "),
        (", pin_env: '4711'", "", "not the name of an environment variable"),
        (", pin_env: A, pin_file: b", "", "given beside pin_file"),
        (", pin: '4711', pin_env: A", "", "given beside pin"),
        (", password_env: WORDS", "", "has no use without auth"),
        ("", ", users_env: NO_SUCH", "$NO_SUCH: not set in the environment"),
        ("", ", users_env: WORDS", "$WORDS:1: "),
        ("", ", users_env: A, users: {a: b}", "given beside users"),
    ],
)
def test_mistakes(
    modem: str, proxy: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.setenv("WORDS", "swordfish hunter2")
    monkeypatch.setenv("A", "4711")
    found = "\n".join(problems(tmp_path, modem, proxy))
    assert says in found
    assert "swordfish" not in found
    assert "hunter2" not in found


def test_no_secret_is_in_what_is_printed_of_a_configuration(tmp_path: Path) -> None:
    config = configuration(
        tmp_path,
        ", pin: '4711', auth: chap, username: me, password: hunter2",
        ", users: {alice: swordfish}",
    )
    said = "\n".join(describe(config)) + repr(config) + repr(config.modem) + str(config.proxies)
    for secret in SECRETS:
        assert secret not in said


def test_a_password_that_is_refused_is_not_repeated(tmp_path: Path) -> None:
    said = "\n".join(
        problems(
            tmp_path,
            ", pin: 'hunter2', auth: pap, username: me, password: 'sword\"fish'",
            ", users: {'a:b': swordfish}",
        )
    )
    assert len(said.splitlines()) == 3
    for secret in (*SECRETS, 'sword"fish'):
        assert secret not in said

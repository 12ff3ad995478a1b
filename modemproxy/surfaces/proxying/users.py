"""Names and passwords of a proxy's users, checked in a time that tells nothing."""

import hmac
import secrets
from collections.abc import Mapping
from typing import Final

_KEY_BYTES: Final = 32
_SHOWN_MAX: Final = 40


def shown(name: bytes) -> str:
    """Return a name that a client gave, fit for one line of a log."""
    cut = name if len(name) <= _SHOWN_MAX else name[:_SHOWN_MAX] + b"..."
    return repr(cut.decode("ascii", "backslashreplace"))


class Users:
    """Who may use a proxy; built once and shared by all of its connections."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        """Keep digests under a key of this run, not the passwords.

        Args:
            passwords: password by user name; both are compared as UTF-8.
        """
        self._key = secrets.token_bytes(_KEY_BYTES)
        self._known = tuple(
            self._digest(name.encode(), password.encode())
            for name, password in passwords.items()
        )

    def check(self, name: bytes, password: bytes) -> bool:
        """Say whether this is a user with this password.

        Every user is compared, in constant time each: neither a known name nor a good
        beginning of a password answers sooner or later than anything else.
        """
        given = self._digest(name, password)
        right = False
        for known in self._known:
            right |= hmac.compare_digest(known, given)
        return right

    def _digest(self, name: bytes, password: bytes) -> bytes:
        # The length keeps ("ab", "c") and ("a", "bc") apart.
        text = len(name).to_bytes(4, "big") + name + password
        return hmac.digest(self._key, text, "sha256")

"""What every protocol here says when it ends a client's request itself."""

from dataclasses import dataclass
from enum import Enum


class Why(Enum):
    """The kind of a refusal, for counting and for what the surface does about it."""

    PROTOCOL = "protocol error"
    UNSUPPORTED = "not supported"
    NO_LOGIN = "no login"  # the usual first attempt of HTTP clients, who then log in
    WRONG_LOGIN = "login failed"  # worth a delay before the answer, against guessing
    UNFIT_HOST = "unfit host"  # could have altered an AT command, or is no host at all


@dataclass(frozen=True, slots=True)
class Refused:
    """The request ends here: send ``data_to_send()``, then close.

    Attributes:
        why: the kind.
        reason: one line for the log, with nothing of the client's unescaped.
    """

    why: Why
    reason: str

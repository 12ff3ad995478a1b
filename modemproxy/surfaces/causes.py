"""Why a connection ended, in two letters, as operators of proxies know them.

The first says who or what ended it, the second how far it had come. ``--`` is an orderly
end; ``SC`` a far side that refused, ``CD`` a client that reset in the midst of the data.
"""

from collections.abc import Mapping
from typing import Final

from modemproxy.errors import (
    LineError,
    LinkRefused,
    LinkReset,
    ModemProxyError,
    NetworkError,
    NoFreeLink,
    NotReady,
    first_error,
)
from modemproxy.surfaces.access import Denied
from modemproxy.surfaces.proxying.outcomes import DestinationDenied
from modemproxy.surfaces.relay import ClientVanished

#: An orderly end.
CLEAN: Final = "--"
#: The first letter.
WHO: Final[Mapping[str, str]] = {
    "-": "an orderly end",
    "C": "the client reset, or did not wait",
    "c": "the time-out for silence",
    "S": "the far side, or its link",
    "s": "the far side did not answer in time",
    "M": "the module, its network or the line to it",
    "R": "no free link",
    "P": "refused by a rule of the proxy",
    "K": "an operator, or a cap on usage",
    "D": "the proxy was stopping",
    "I": "a bug of the proxy",
}
#: The second letter.
PHASE: Final[Mapping[str, str]] = {
    "R": "while its request was read",
    "Q": "while it waited for the module or a link",
    "C": "while the connection was being opened",
    "D": "while data flowed",
    "-": "after everything had arrived",
}


def who_ended(error: BaseException, phase: str) -> str:
    """Give the first letter for what ended a connection.

    Args:
        error: what serving it raised.
        phase: the second letter.
    """
    error = first_error(error)
    if not isinstance(error, ModemProxyError) and isinstance(error.__cause__, LinkReset):
        error = error.__cause__
    match error:
        case ClientVanished():
            return "C"
        case Denied() | DestinationDenied():
            return "P"
        case NoFreeLink():
            return "R"
        case NotReady():
            return "M" if phase == "Q" else "s"
        case LineError() | NetworkError() | LinkReset(everywhere=True):
            return "M"
        case LinkRefused() | LinkReset() | ModemProxyError() | OSError():
            return "S"
    return "S"


def explain(code: str) -> str:
    """Say in words what a cause means."""
    who, phase = WHO.get(code[:1], "?"), PHASE.get(code[1:], "?")
    return who if code == CLEAN else f"{who}, {phase}"

"""The whole exception tree (floor 0).

Exceptions are named by what the catcher does about them, and carry data:
text is for people, attributes are for code. Nothing here imports anything.

ModemProxyError
    ConfigError             the user must change something: exit 2, no traceback
    ProtocolError           the AT dialogue went off its rails
        LocalProtocolError      by our doing: a bug
        RemoteProtocolError     by bytes no module should send
    CommandError            the module answered, and said no
        NoAnswer                it did not answer; the line is in step again
        DamagedAnswer           its answer lost bytes; the line is in step again
    LineError               the DTE-DCE line is unusable: ends the session
        LineClosed              hang-up, EIO, device gone
            WriteBlocked            the module takes no bytes: flow control
        LineSilent              no final result code, and resynchronising failed
        ModuleRebooted          a boot banner, or the set-backs a silent reboot leaves
    NetworkError            the PDP context is gone: ends the session
    BringUpFailed           a bring-up step failed; names it
    NotReady                no session came up in the time a client would wait
    LinkError               one link
        NoFreeLink              all ten are in use
        LinkRefused             the open failed
        LinkReset               the link broke: bytes may be missing
        LookupFailed            the module found no address for a name
"""


class ModemProxyError(Exception):
    """Base of everything this program raises on purpose."""


class ConfigError(ModemProxyError):
    """The configuration or the command line is wrong.

    Args:
        problems: one finished line each, ``FILE:LINE: key.path: what (what would be right)``.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ProtocolError(ModemProxyError):
    """The AT dialogue broke its rules."""


class LocalProtocolError(ProtocolError):
    """We broke the rules of the dialogue: a bug of ours."""


class RemoteProtocolError(ProtocolError):
    """Bytes arrived that no module should send (overlong line, wrong length, wrong trailer)."""


class CommandError(ModemProxyError):
    """The module answered a command with an error.

    Args:
        command: what was asked, fit for a log (secrets masked).
        reason: what the module said, in words.
        code: the number of the manual's table that fits the dialect, when there was one.
    """

    def __init__(self, command: str, reason: str, code: int | None = None) -> None:
        super().__init__(f"{command}: {reason}")
        self.command = command
        self.reason = reason
        self.code = code


class NoAnswer(CommandError):
    """No final result code in time; the line has been brought back into step.

    Args:
        command: what was asked, secrets masked.
        handed_over: payload bytes were, or may have been, taken by the module.
    """

    def __init__(self, command: str, *, handed_over: bool = False) -> None:
        super().__init__(command, "no answer in time")
        self.handed_over = handed_over


class DamagedAnswer(CommandError):
    """The answer lost bytes on the way; what it carried is not to be trusted."""


class LineError(ModemProxyError):
    """The line between host and module is unusable; the session on it ends."""


class LineClosed(LineError):
    """The serial device hung up, failed or went away."""


class WriteBlocked(LineClosed):
    """The module has taken no byte for longer than it may: CTS is low, or not wired."""


class LineSilent(LineError):
    """The module gave no final result code and could not be resynchronised.

    Args:
        command: the command left without an answer, fit for a log.
    """

    def __init__(self, command: str) -> None:
        super().__init__(f"no answer to {command}, and the line could not be resynchronised")
        self.command = command


class ModuleRebooted(LineError):
    """The module restarted on its own: every setting and every link is gone."""


class NetworkError(ModemProxyError):
    """The module lost its PDP context: every link is gone."""


class BringUpFailed(ModemProxyError):
    """A step of the way from an unknown state to a session failed.

    Args:
        step: the name of the step, as the log and ``status`` show it.
        problem: what went wrong, in words, with the next thing to do where one is known.
        hopeless: nothing that can be done to the module helps: the user has to act.
    """

    def __init__(self, step: str, problem: str, *, hopeless: bool = False) -> None:
        super().__init__(f"{step}: {problem}")
        self.step = step
        self.problem = problem
        self.hopeless = hopeless


class NotReady(ModemProxyError):
    """No session came up within the time a client is willing to wait."""


class LinkError(ModemProxyError):
    """Something about one link."""


class NoFreeLink(LinkError):
    """All ten links are in use, and none became free in time."""


class LinkRefused(LinkError):
    """The module could not open the link.

    Args:
        target: the destination, as the user wrote it.
        reason: the result in words.
        code: ``<err>`` of the manual's table, or None when no answer came.
    """

    def __init__(self, target: str, reason: str, code: int | None = None) -> None:
        super().__init__(f"{target}: {reason}")
        self.target = target
        self.reason = reason
        self.code = code


class LinkReset(LinkError):
    """The link broke; bytes of either direction may be missing.

    Args:
        reason: the cause, for the log; every reset has one.
        everywhere: all links of the module broke with it.
    """

    def __init__(self, reason: str, *, everywhere: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.everywhere = everywhere


class LookupFailed(LinkError):
    """The module's resolver has no address for a name.

    Args:
        name: what was looked up.
        reason: what the module said, in words.
        code: ``<err>`` of ``+CDNSGIP: 0,<err>`` (10: DNS general error), or None.
    """

    def __init__(self, name: str, reason: str, code: int | None = None) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason
        self.code = code


def first_error(error: BaseException) -> BaseException:
    """Return the first single exception of a group, or the exception itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

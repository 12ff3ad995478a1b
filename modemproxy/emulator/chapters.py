"""All handlers in one table, and which of them firmware without sockets lacks."""

from typing import Final

from modemproxy.emulator import (
    commands_basic,
    commands_data,
    commands_names,
    commands_network,
    commands_ping,
    commands_send,
    commands_server,
    commands_settings,
    commands_tcpip,
    commands_transparent,
)
from modemproxy.emulator.atport import AtPort, Handler
from modemproxy.emulator.reply import ERROR, Reply
from modemproxy.emulator.syntax import Call

_SOCKETS: Final = {
    **commands_data.HANDLERS,
    **commands_names.HANDLERS,
    **commands_ping.HANDLERS,
    **commands_send.HANDLERS,
    **commands_server.HANDLERS,
    **commands_tcpip.HANDLERS,
}

#: Numeric settings that belong to the socket service.
_SOCKET_SETTINGS: Final = (
    "+CIPHEAD",
    "+CIPSRIP",
    "+CIPMODE",
    "+CIPSENDMODE",
    "+CIPTIMEOUT",
    "+CIPCCFG",
    "+CSOCKSETPN",
    "+CTCPKA",
)


def _unless_absent(handler: Handler) -> Handler:
    """Answer ERROR where the firmware has no socket commands (protocol.md 17, T5)."""

    def guarded(dce: AtPort, call: Call) -> Reply | None:
        return handler(dce, call) if dce.profile.sockets_present else ERROR

    return guarded


def _all() -> dict[str, Handler]:
    sockets = _SOCKETS | {name: commands_settings.HANDLERS[name] for name in _SOCKET_SETTINGS}
    return {
        **commands_basic.HANDLERS,
        **commands_transparent.HANDLERS,
        **commands_network.HANDLERS,
        **commands_settings.HANDLERS,
        **{name: _unless_absent(handler) for name, handler in sockets.items()},
    }


#: Command name -> handler, for ``Dce``.
HANDLERS: Final = _all()

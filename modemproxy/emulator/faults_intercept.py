"""Handlers that somebody may step in front of: every command of the DTE passes here."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from modemproxy.emulator.atport import AtPort, Handler
from modemproxy.emulator.reply import Reply
from modemproxy.emulator.syntax import Call

#: Given the port, a call and its handler; answers instead of the handler.
Advice = Callable[[AtPort, Call, Handler], Reply | None]


class Interceptable(Mapping[str, Handler]):
    """A table of handlers for ``Dce``.

    Args:
        handlers: command name -> handler.

    Attributes:
        advice: called for every known command instead of its handler; None for none.
    """

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers
        self.advice: Advice | None = None

    def __getitem__(self, name: str) -> Handler:
        handler = self._handlers[name]
        return handler if self.advice is None else partial(self._advised, handler)

    def __iter__(self) -> Iterator[str]:
        return iter(self._handlers)

    def __len__(self) -> int:
        return len(self._handlers)

    def _advised(self, handler: Handler, port: AtPort, call: Call) -> Reply | None:
        return handler(port, call) if self.advice is None else self.advice(port, call, handler)

"""A dialogue that is recorded, for tests of the wire transcript."""

from modemproxy.at.dte import (
    AnyCommand,
    PromptReady,
)
from modemproxy.errors import RemoteProtocolError
from modemproxy.line.wirelog import RecordingDte
from modemproxy.line.wiretext import describe
from tests.replay import replay

OK = b"\r\nOK\r\n"


class Scribe:
    """A recording dialogue on a clock of its own; payload is handed over when asked."""

    def __init__(self) -> None:
        self.now = 0.0
        self.written: list[str] = []
        self.dte = RecordingDte(lambda: self.now, self.written.append)
        self.events: list[str] = []
        self.opening = len(self.written)
        self.heard = 0

    @property
    def lines(self) -> list[str]:
        """What was written after the opening."""
        return self.written[self.opening :]

    def hear(self, *reads: bytes) -> None:
        """Hear, and do all that the events ask for."""
        for data in reads:
            self.heard += len(data)
            self.dte.receive_data(data)
            while self._next():
                pass

    def _next(self) -> bool:
        try:
            event = self.dte.next_event()
        except RemoteProtocolError as error:
            self.events.append(describe(error))
            return True
        if event is not None:
            self.events.append(describe(event))
        if isinstance(event, PromptReady):
            self.dte.take_payload()
        return event is not None

    def ask(self, command: AnyCommand, *reads: bytes) -> None:
        """Send and hear."""
        self.dte.send(command)
        self.hear(*reads)

    def close(self) -> None:
        """The device hangs up."""
        self.dte.close(hung_up=True)

    @property
    def text(self) -> str:
        """The transcript."""
        return "\n".join(self.written)


def check_replay(scribe: Scribe) -> None:
    """The transcript gives the events that there were, at every chop size."""
    assert replay(scribe.text).events == scribe.events

"""A dialogue to be tested: what is asked, what the module says, what that means."""

from modemproxy.at.dte import (
    AnyCommand,
    Dte,
    Event,
    PromptReady,
)

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
SHORT, LONG = b"\r\n", b"\r\n\r\n"
URC = b"\r\n+IPCLOSE: 8,1\r\n"


def events(dte: Dte, *reads: bytes) -> list[Event]:
    """Everything the reads mean; the payload is handed over at the prompt."""
    found: list[Event] = []
    for data in reads:
        dte.receive_data(data)
        while (event := dte.next_event()) is not None:
            found.append(event)
            if isinstance(event, PromptReady):
                dte.take_payload()
    return found


def ask(command: AnyCommand, *reads: bytes, dte: Dte | None = None) -> list[Event]:
    """Put a command on the line, of a new dialogue unless said; return what the reads mean."""
    dte = dte or Dte()
    dte.send(command)
    return events(dte, *reads)


def line(text: bytes) -> bytes:
    """A line of the module's."""
    return b"\r\n" + text + b"\r\n"


def read_answer(data: bytes, trailer: bytes, link: int = 3, rest: int = 0) -> bytes:
    """A whole answer to a read."""
    return (
        b"\r\n+CIPRXGET: 2,%d,%d,%d\r\n" % (link, len(data), rest) + data + trailer + b"OK\r\n"
    )

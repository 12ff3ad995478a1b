"""How the line's time is spent: plain counters, for whoever wants to look. Sync."""

from typing import Final

#: Kinds of exchanges, as in ``policy.Work``.
KINDS: Final = ("read", "write", "control", "upkeep")


class LineMeter:
    """Counts exchanges; outlives the sessions that use it.

    Attributes:
        seconds: airtime, by kind.
        exchanges: how many, by kind.
        bytes_read, bytes_written: payload.
        busy_answers: sends that the module had no room for.
    """

    __slots__ = (
        "busy_answers",
        "bytes_read",
        "bytes_written",
        "exchanges",
        "seconds",
    )

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(KINDS, 0.0)
        self.exchanges = dict.fromkeys(KINDS, 0)
        self.bytes_read = 0
        self.bytes_written = 0
        self.busy_answers = 0

    def note(self, kind: str, seconds: float, moved: int) -> None:
        """Count one exchange.

        Args:
            kind: one of ``KINDS``.
            seconds: how long it had the line.
            moved: payload bytes.
        """
        self.seconds[kind] += seconds
        self.exchanges[kind] += 1
        if kind == "read":
            self.bytes_read += moved
        elif kind == "write":
            self.bytes_written += moved

    @property
    def busy_s(self) -> float:
        """For how long the line was used at all, seconds."""
        return sum(self.seconds.values())

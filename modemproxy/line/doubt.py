"""What is not to be believed, because it may be the payload of a damaged read. Sync.

A header that lost a bit on the line announces nothing, or too little, and then payload is
read as text: whatever some far side sent, its lines may look like the module's own words,
``OK`` and a boot banner included. Three things tell:

* a line, while a read waits for its header, that is a header gone wrong;
* any other line then that is nobody's word: perhaps;
* a read that ended where it should not.

From there on nothing counts but hints (an idle read is all that a wrong one costs), until
the line has been quiet and the next command goes out. What a read says between its payload
and its OK is kept until that OK proves the payload whole.

An ``ERROR`` behind a payload of ours may be the first of two verdicts: then the second
belongs to nobody.
"""

from modemproxy.at.dte import AnyCommand, Broken, Completed, Event, Failed
from modemproxy.at.transfer import ReadData
from modemproxy.at.urcs import DataWaiting, Urc

_HEADER_TAG = b"+CIPRXGET"
_TAGS = b"+*^"


class Doubt:
    """Decides, for one exchange after the other, what to take for payload.

    Attributes:
        noise: a read was damaged: nothing is to be believed before the next command.
        arisen: the answer under way may be damaged.
        ruled: a send was answered ERROR behind its payload: another result may follow.
    """

    def __init__(self) -> None:
        self._read: ReadData | None = None
        self._header_lost = False
        self._kept: list[Urc] = []
        self.arisen = False
        self.noise = False
        self.ruled = False

    def begin(self, command: AnyCommand) -> None:
        """A command goes out: what comes from now on counts again."""
        self._read = command if isinstance(command, ReadData) else None
        self._header_lost = self.arisen = self.noise = self.ruled = False
        self._kept.clear()

    def give_up(self, *, receiving: bool) -> bool:
        """After a silence: no more of an answer comes; say whether it was damaged.

        Args:
            receiving: an answer with a payload had begun.
        """
        damaged = receiving or self.arisen
        self._end()
        return damaged

    def note_unknown(self, line: bytes, *, receiving: bool) -> None:
        """A line came that means nothing; ``receiving``: behind a header."""
        if self._read is None or receiving:
            return
        self._header_lost = self._header_lost or line.startswith(_HEADER_TAG)
        nobodys = line[:1] not in _TAGS or not line.isascii()
        self.arisen = self.arisen or self._header_lost or nobodys

    def note_rubbish(self) -> bool:
        """Bytes came that are no text, no end of a line, nor payload: is a lost header why?"""
        if self._read is not None:
            self.arisen = True
        return self.arisen

    def keeps(self, urc: Urc, *, receiving: bool) -> bool:
        """Whether something unsolicited is not to be acted on, or not yet."""
        if isinstance(urc, DataWaiting) or not (self.noise or self.arisen or receiving):
            return False
        if not self.noise:
            self._kept.append(urc)
        return True

    def verdict(self, event: Event) -> tuple[Event, list[Urc]]:
        """Judge the end of a command.

        Returns:
            The end that it is, and what was kept and can be believed after all.
        """
        kept = self._kept[:]
        if self._read is None:
            self.ruled = isinstance(event, Failed) and event.handed_over
            return event, kept
        if self._header_lost or (self.arisen and isinstance(event, Failed)):
            event = Broken(self._read, f"{self._read.shown}: its header was damaged")
        self.noise = isinstance(event, Broken)
        self._end()
        return event, kept if isinstance(event, Completed) else []

    def _end(self) -> None:
        self._read = None
        self.arisen = self._header_lost = False
        self._kept.clear()

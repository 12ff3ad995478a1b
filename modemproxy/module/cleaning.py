"""What is known about one number in quarantine. Sync."""

from dataclasses import dataclass, field

import trio

from modemproxy.module.servers import Arrival


@dataclass(slots=True)
class Cleaning:
    """A number on its way back.

    Attributes:
        link_open: the module may still have the socket.
        unread: bytes of the last connection may be left under the number.
        open_due_until: a late result of an open may come until then.
        result_due_until: a late result of a send may come until then.
        close_due: a close of ours was asked for, and its result is still to come.
        reading: reads of ours are under way.
        sending: a send of the last connection may be under way.
        closed: set when the module says that the socket is closed.
        opened: set when the late result of an open has come, or a far client.
        answered: set when the late result of a send has come.
        arrival: the far client that the module has given the number to meanwhile.
        tainted: bytes that are not for it may have been sent to it.
        touched: bytes of it may have been read.
        doubted: it may have left again, or the number be another one's.
        adopted: the number is this far client's now.
        foreign: the socket that is being closed is a far client's, not that of an open
            whose result may still come.
    """

    link_open: bool
    unread: bool
    open_due_until: float = 0.0
    result_due_until: float = 0.0
    close_due: bool = False
    reading: bool = False
    sending: bool = False
    closed: trio.Event = field(default_factory=trio.Event)
    opened: trio.Event = field(default_factory=trio.Event)
    answered: trio.Event = field(default_factory=trio.Event)
    arrival: Arrival | None = None
    tainted: bool = False
    touched: bool = False
    doubted: bool = False
    adopted: Arrival | None = None
    foreign: bool = False

    @property
    def done(self) -> bool:
        """Nothing is left to do."""
        if self.adopted is not None:
            return True
        return not (self.arrival or self.dirty or self.result_due_until)

    @property
    def dirty(self) -> bool:
        """Something of the last connection is left in the module."""
        return bool(self.link_open or self.unread or self.open_due_until)

    def begin_close(self) -> bool:
        """A close is asked for; say whether an open under way is over with it."""
        self.closed = trio.Event()
        self.link_open = self.close_due = True
        return not self.foreign

    def note_closed(self) -> None:
        """The module says that the socket is closed."""
        self.link_open = self.close_due = False
        self.closed.set()

    def note_late_open(self, err: int) -> None:
        """The result of an open has come that nobody waits for."""
        if err and not self.open_due_until:
            return  # refused because of what is here already
        self.open_due_until = 0.0
        if err and self.foreign:
            self.opened.set()
            return
        self.link_open = self.unread = err == 0
        self.opened.set()
        if err or not self.close_due:  # a second close would hit the next connection
            self.closed.set()

    def note_send_result(self) -> None:
        """The result of the last connection's last send has come."""
        self.result_due_until = 0.0
        self.answered.set()

    def note_arrival(self, arrival: Arrival, *, touched: bool = False) -> None:
        """A far client has the number; what had it before has it no more.

        Args:
            arrival: the far client.
            touched: bytes of it may have been read.
        """
        if arrival == self.arrival:
            return
        self.arrival, self.doubted = arrival, True
        self.tainted, self.touched = self.sending, self.reading or touched
        if not self.close_due:
            self.link_open = False
        self.opened.set()  # whoever waits for that looks again

    def let_in(self) -> None:
        """The number is the far client's."""
        self.adopted, self.arrival = self.arrival, None

    def forget(self) -> None:
        """The far client has left again; what it left behind is to be dropped."""
        self._look_for_next()
        self.unread = True

    def refuse(self) -> None:
        """The far client can not stay: its socket is closed like any other."""
        self._look_for_next()
        self.link_open = self.unread = self.foreign = True

    def _look_for_next(self) -> None:
        self.arrival = None
        self.tainted = self.touched = False
        self.opened = trio.Event()

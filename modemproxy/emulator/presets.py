"""Initial states that a driver meets when it starts while the module has a past.

Call these before ``serve``. See protocol.md section 19, item 1.
"""

from modemproxy.emulator.dce import Dce
from modemproxy.emulator.internet import Address, Remote
from modemproxy.emulator.transparent import start_transparent


class _Ghost:
    """A far end that takes everything and says nothing."""

    def write(self, data: bytes) -> None:
        """Take it."""

    def resume(self) -> None:
        """Have nothing to send."""

    def finish(self) -> None:
        """Be gone."""

    def abort(self) -> None:
        """Be gone."""


class Presets:
    """Makers of unusual initial states of one module."""

    def __init__(self, dce: Dce) -> None:
        self._dce = dce

    def network_open(self) -> None:
        """Have NETOPEN done by somebody before."""
        self._dce.stack.net_up()

    def ghost_links(self, count: int = 10, *, connected: bool = True) -> None:
        """Have links left over from a previous run, the network open.

        Args:
            count: links 0 to count-1.
            connected: False: the far side has closed meanwhile, data is left unread.
        """
        self.network_open()
        for number in range(count):
            link = self._dce.stack.new_tcp(number)
            remote: Remote = _Ghost()
            address: Address = ("198.51.100.1", 80)
            link.adopt(remote, *address)
            if not connected:
                link.preload(b"left over")
                link.on_closed = lambda _link: None
                link.ended(reset=False)

    def transparent(self) -> None:
        """Have transparent mode left on, in the middle of a connection (CIPMODE=1)."""
        self._dce.settings.values["+CIPMODE"] = [1]
        self.ghost_links(1)
        link = self._dce.stack.open_link(0)
        assert link is not None, "made above"
        start_transparent(self._dce, link)

    def server(self, port: int, index: int = 0) -> None:
        """Have a server running, the network open."""
        self.network_open()
        self._dce.stack.listen(index, port)

    def half_command(self, text: bytes = b"AT+CIPS") -> None:
        """Have the start of a command in the line buffer."""
        self._dce.input.preset_line(text)

    def data_entry(self, number: int = 0, size: int = 100) -> None:
        """Have a CIPSEND on an open link wait for its payload (its prompt was missed)."""
        if self._dce.stack.open_link(number) is None:
            self.ghost_links(number + 1)
        self._dce.receive(f"AT+CIPSEND={number},{size}\r".encode())

    def baudrate(self, rate: int, *, saved: bool = True) -> None:
        """Have another speed; saved ones survive a reboot."""
        self._dce.baudrate = rate
        if saved:
            self._dce.saved.baudrate = rate

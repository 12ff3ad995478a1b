"""A module with a FaultBox and open links, played by hand."""

from typing import Any

import trio

from modemproxy.emulator.byhand import Bench, ByHand, bench
from modemproxy.emulator.far_stream import FarStream
from modemproxy.emulator.faults import FaultBox
from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule

PROMPT = b"\r\n>"
OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
BUSY = b"\r\n+CIPERROR: 8\r\n\r\nERROR\r\n"
NO_DATA = b"\r\n+IP ERROR: No data\r\n\r\nERROR\r\n"


class FaultBench:
    """A bench with faults; far hosts note what they get."""

    def __init__(self, made: Bench, faults: FaultBox) -> None:
        self.dte: ByHand = made.dte
        self.module: EmulatedModule = made.module
        self.internet: MemoryInternet = made.internet
        self.faults = faults
        self.far: list[FarStream] = []
        self.got: list[bytearray] = []

    async def ask(self, text: str, after_s: float = 0) -> bytes:
        """Give a command (or payload with no CR of its own) and return what is said."""
        said = await self.dte.ask(text.encode() + b"\r")
        return said + await self.dte.heard(after_s or 0.01)

    async def settled(self) -> bytes:
        """Return everything that is said up to a hundredth of a second from now."""
        return await self.dte.heard(0.01)

    async def open(self, link: int = 0) -> None:
        """Open a link; the far side notes what it gets."""
        await self.dte.ask(b'AT+CIPOPEN=%d,"TCP","a.example",80\r' % link)
        await self.dte.heard(0.1)

    async def send(self, data: bytes, link: int = 0) -> bytes:
        """Send; return all that is said, the prompt included."""
        said = await self.dte.ask(b"AT+CIPSEND=%d,%d\r" % (link, len(data)))
        if PROMPT in said:
            said += await self.dte.ask(data)
        return said + await self.settled()

    async def read(self, link: int = 0, size: int = 1460) -> bytes:
        """Read; return all that is said."""
        return await self.ask(f"AT+CIPRXGET=2,{link},{size}")

    async def far_sends(self, data: bytes, index: int = 0) -> bytes:
        """Have a far host say something; return what the module says of it."""
        await self.far[index].send_all(data)
        return await self.settled()

    def struck(self) -> list[str]:
        """The names in the log."""
        return [entry.name for entry in self.faults.log]


async def fault_bench(
    nursery: trio.Nursery, *links: int, seed: int = 7, port: Any = None, **options: Any
) -> FaultBench:
    """Make a bench, network open, with these links open, and a box whose clock runs."""
    made = bench(nursery, **options)
    b = FaultBench(made, FaultBox(made.module, port, seed=seed))

    async def note(stream: FarStream) -> None:
        got = bytearray()
        b.far.append(stream)
        b.got.append(got)
        try:
            async for data in stream:
                got += data
        except trio.BrokenResourceError:
            return
        await trio.sleep_forever()

    made.internet.listen_tcp("a.example", 80, note)
    nursery.start_soon(b.faults.run)
    await made.dte.ready()
    for link in links:
        await b.open(link)
    return b

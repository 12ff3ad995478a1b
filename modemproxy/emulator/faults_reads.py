"""Faults of CIPRXGET: what a read says, and when (manual 15.2.17)."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from modemproxy.emulator.faults_kind import Filter, Proceed, fault
from modemproxy.emulator.faults_params import number
from modemproxy.emulator.faults_said import Said, link_of
from modemproxy.emulator.reply import ERROR, Reply
from modemproxy.emulator.syntax import Call, Form


class _OfRead(Filter):
    per_link: ClassVar[bool] = True

    def is_read(self, call: Call) -> bool:
        """Whether this reads from a link it is about."""
        reads = call.name == "+CIPRXGET" and call.form is Form.SET
        return reads and call.number(0) in (2, 3) and self.concerns(link_of(call))

    def is_payload(self, said: Said) -> bool:
        """Whether this is what such a read says."""
        return said.is_read and self.concerns(said.link)


@fault("short_read")
@dataclass(eq=False)
class ShortRead(_OfRead):
    """A read gives less than was asked for; its rest field says how much is left."""

    most: int = number(100, least=1)  # bytes, a random number up to this

    def called(self, call: Call, proceed: Proceed) -> Reply | None:
        """Ask for less."""
        wanted = call.number(2) if call.text(2) else self.site.dce.profile.max_read
        limit = self.rng.randint(1, self.most)
        if not self.is_read(call) or wanted is None or limit >= wanted:
            return proceed(call)
        if not self.strike(f"{call.raw}: {limit}"):
            return proceed(call)
        return proceed(replace(call, args=(*call.args[:2], str(limit))))


@fault("read_refused")
@dataclass(eq=False)
class ReadRefused(_OfRead):
    """A read is refused; what waits stays where it is."""

    form: Literal["no_data", "error"] = "no_data"  # +IP ERROR: No data, or a bare ERROR
    waiting: Literal["any", "data", "nothing"] = "any"  # only when that is waiting

    def called(self, call: Call, proceed: Proceed) -> Reply | None:
        """Refuse it."""
        if not self.is_read(call) or not self._fits(call) or not self.strike(call.raw):
            return proceed(call)
        return self.site.dce.ip_error("No data") if self.form == "no_data" else ERROR

    def _fits(self, call: Call) -> bool:
        link = self.site.link(link_of(call))
        some = link is not None and link.rx.waiting() > 0
        return self.waiting == "any" or some == (self.waiting == "data")


@fault("rest_lies")
@dataclass(eq=False)
class RestLies(_OfRead):
    """The rest field of a read announces another number of bytes than there are."""

    by: int = number(29, least=-1460)  # added to what is right
    also_zero: bool = False  # also where nothing is left

    def said(self, said: Said) -> bytes:
        """Change the field."""
        if not self.is_payload(said):
            return said.data
        rest = int(said.fields[3])
        if not (rest or self.also_zero) or not self.strike(f"{said.text} by {self.by}"):
            return said.data
        end = said.header_end()
        head, _, _ = said.data[: end - 2].rpartition(b",")
        return head + b",%d\r\n" % max(0, rest + self.by) + said.data[end:]


@fault("lose_payload")
@dataclass(eq=False)
class LosePayload(_OfRead):
    """Bytes of a read's payload are lost on the way; its header still counts them."""

    count: int = number(4, least=1)  # bytes
    where: Literal["start", "middle", "end"] = "middle"  # of the payload

    def said(self, said: Said) -> bytes:
        """Take them out."""
        if not self.is_payload(said) or not self.strike(f"{self.count} of {said.text}"):
            return said.data
        start, size = said.header_end(), len(said.data)
        room = max(0, size - start - self.count)
        offset = {"start": 0, "middle": room // 2, "end": room}[self.where]
        cut = start + offset
        return said.data[:cut] + said.data[cut + self.count :]


@fault("flip_header")
@dataclass(eq=False)
class FlipHeader(_OfRead):
    """One bit of a digit in a read's header is flipped on the way."""

    field: Literal["any", "link", "read", "rest"] = "any"  # in which number
    bit: int | None = number(None, most=7)  # which; a random one of the low four when left out

    def said(self, said: Said) -> bytes:
        """Flip it."""
        if not self.is_payload(said):
            return said.data
        digits = self._digits(said)
        if not digits:  # another fault was here before
            return said.data
        position = self.rng.choice(digits)
        bit = self.rng.randrange(4) if self.bit is None else self.bit
        data = bytearray(said.data)
        data[position] ^= 1 << bit
        if not self.strike(f"{said.text}: {chr(said.data[position])} to {chr(data[position])}"):
            return said.data
        return bytes(data)

    def _digits(self, said: Said) -> list[int]:
        position = said.data.index(b":") + 1
        wanted = {"any": (1, 2, 3), "link": (1,), "read": (2,), "rest": (3,)}[self.field]
        found: list[int] = []
        for index, text in enumerate(said.data[position : said.header_end() - 2].split(b",")):
            spots = [position + n for n, byte in enumerate(text) if 0x30 <= byte <= 0x39]
            found += spots if index in wanted else []
            position += len(text) + 1
        return found


@fault("pause")
@dataclass(eq=False)
class Pause(_OfRead):
    """The line stands still in the middle of what a read says."""

    where: Literal["header", "payload", "ok"] = "payload"  # in the middle of which
    delay_s: float = 0.8  # how long

    def said(self, said: Said) -> bytes:
        """Mark the place on the wire."""
        after_read = self.site.call.name == "+CIPRXGET" and said.final
        if self.where == "ok":
            mine, spot = after_read and self.concerns(link_of(self.site.call)), 3
        else:
            mine, spot = self.is_payload(said), said.header_end() // 2
            if self.where == "payload":
                spot = (said.header_end() + len(said.data)) // 2
        if mine and self.strike(f"{said.text} for {self.delay_s} s"):
            self.site.wire.pause_at(self.site.position() + spot, self.delay_s)
        return said.data

"""Faults of CIPSEND: prompt, payload, final result code and result (manual 15.2.6)."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from modemproxy.emulator.entry import Done
from modemproxy.emulator.faults_kind import Filter, Proceed, fault
from modemproxy.emulator.faults_params import number
from modemproxy.emulator.faults_said import Said, link_of
from modemproxy.emulator.output import Piece
from modemproxy.emulator.reply import ERROR, OK, Reply, error
from modemproxy.emulator.syntax import Call, Form
from modemproxy.emulator.tcp import TcpLink
from modemproxy.emulator.udp import UdpLink


class _OfSend(Filter):
    per_link: ClassVar[bool] = True

    def is_send(self, call: Call) -> bool:
        """Whether this is a send on a link it is about."""
        sends = call.name == "+CIPSEND" and call.form is Form.SET
        return sends and self.concerns(link_of(call))

    def refuse(self, call: Call, proceed: Proceed, reply: Reply) -> Reply | None:
        """Answer a send at once, before any prompt."""
        if not self.is_send(call) or not self.strike(f"{call.raw}: {reply.final}"):
            return proceed(call)
        self.site.send = None
        return reply

    def send(self, call: Call, data: bytes) -> None:
        """Send bytes on the link of a send, past the module's own count of what is taken."""
        link = self.site.link(link_of(call))
        if link is None or not link.is_open:
            return
        if isinstance(link, UdpLink):
            link.send_to(data, (call.text(2), call.number(3) or 0))
        elif isinstance(link, TcpLink):
            link.send(data)


@fault("prompt_late")
@dataclass(eq=False)
class PromptLate(_OfSend):
    """The prompt of a send comes late."""

    delay_s: float = 4.0  # how late

    def called(self, call: Call, proceed: Proceed) -> Reply | None:
        """Have a slow prompt just for this command."""
        if not self.is_send(call) or not self.strike(f"{call.raw} by {self.delay_s} s"):
            return proceed(call)
        profile = self.site.dce.profile
        usual = profile.prompt_latency_s
        usual = profile.command_latency_s if usual is None else usual
        with self.site.dialect(prompt_latency_s=usual + self.delay_s):
            return proceed(call)


@fault("prompt_lost")
@dataclass(eq=False)
class PromptLost(_OfSend):
    """The prompt of a send never comes."""

    lingers: ClassVar[bool] = True
    module: Literal["idle", "waiting"] = "idle"  # it never saw the command, or wants payload

    def begin(self) -> None:
        """Choose none yet."""
        self._mute = False

    def called(self, call: Call, proceed: Proceed) -> Reply | None:
        """Lose the command, or its prompt."""
        if not self.is_send(call) or not self.strike(f"{call.raw}, module {self.module}"):
            return proceed(call)
        if self.module == "idle":
            self.site.silenced = True
            self.site.send = None
            return OK
        self._mute = True
        return proceed(call)

    def said(self, said: Said) -> bytes:
        """Lose the prompt that was chosen."""
        if said.piece is not Piece.PROMPT or not self._mute:
            return said.data
        self._mute = False
        return b""


@fault("send_error")
@dataclass(eq=False)
class SendError(_OfSend):
    """A send is answered ERROR instead of a prompt."""

    def called(self, call: Call, proceed: Proceed) -> Reply | None:
        """Refuse it."""
        return self.refuse(call, proceed, ERROR)


@fault("send_busy")
@dataclass(eq=False)
class SendBusy(_OfSend):
    """A send is answered busy instead of a prompt."""

    form: Literal["code", "text"] = "code"  # +CIPERROR: 8, or +IP ERROR: TCP busy

    def called(self, call: Call, proceed: Proceed) -> Reply | None:
        """Refuse it."""
        text = "+CIPERROR: 8" if self.form == "code" else self.site.dce.ctx.ip_error("TCP busy")
        return self.refuse(call, proceed, error(text))


@fault("send_fails")
@dataclass(eq=False)
class SendFails(_OfSend):
    """A send is answered ERROR after its payload; no result follows."""

    sent: bool = True  # the bytes have really gone out

    def sending(self, call: Call, done: Done) -> Done:
        """Take the payload instead of the module."""
        return partial(self._fail, call, done) if self.is_send(call) else done

    def _fail(self, call: Call, done: Done, payload: bytes | None) -> None:
        words = "sent" if self.sent else "not sent"
        if payload is None or not self.strike(f"{call.raw}, {words}"):
            done(payload)
            return
        if self.sent:
            self.send(call, payload)
        self.site.dce.finish(ERROR)


@fault("late_result")
@dataclass(eq=False)
class LateResult(_OfSend):
    """The +CIPSEND result comes late; until then the link is busy."""

    delay_s: float = 10.0  # how late

    def said(self, said: Said) -> bytes:
        """Keep it, and the link busy."""
        mine = said.is_urc("send_result") and said.piece is Piece.URC
        if not mine or not self.concerns(said.link):
            return said.data
        if not self.strike(f"{said.text} by {self.delay_s} s"):
            return said.data
        link = self.site.link(said.link)
        if link is not None:
            link.result_pending = True

        def say() -> None:
            if link is not None:
                link.result_pending = False
            self.site.dce.out.put_past(said.data)

        self.site.in_module(self.delay_s, say)
        return b""


@fault("double_verdict")
@dataclass(eq=False)
class DoubleVerdict(_OfSend):
    """A send gets a bad verdict and right behind it the good one."""

    first: Literal["short", "error"] = "short"  # +CIPSEND: l,n,0, or ERROR before the OK

    def said(self, said: Said) -> bytes:
        """Put the bad one in front."""
        if self.first == "error":
            return self._error_first(said)
        if not said.is_urc("send_result") or not self.concerns(said.link):
            return said.data
        if not self.strike(said.text):
            return said.data
        short = f"\r\n+CIPSEND: {said.fields[0].strip()},{said.fields[1]},0\r\n"
        return short.encode() + said.data

    def _error_first(self, said: Said) -> bytes:
        call = self.site.send
        if call is None or said.piece is not Piece.LINE or said.text != "OK":
            return said.data
        if not self.is_send(call) or not self.strike(call.raw):
            return said.data
        return b"\r\nERROR\r\n" + said.data


@fault("short_confirm")
@dataclass(eq=False)
class ShortConfirm(_OfSend):
    """The +CIPSEND result confirms less than was sent; CIPACK tells the truth."""

    confirmed: int = number(-1, least=-1)  # bytes: 0, fewer than sent, or -1 for a dead link
    missing: int = 0  # instead of "confirmed": so many fewer than sent
    taken: bool = False  # the module has sent the rest all the same (UDP: the datagram)
    link_dies: bool = False  # the link is dead after it

    def sending(self, call: Call, done: Done) -> Done:
        """Set the count before the payload is handed over."""
        return partial(self._confirm, call, done) if self.is_send(call) else done

    def _confirm(self, call: Call, done: Done, payload: bytes | None) -> None:
        link = self.site.link(link_of(call))
        if payload is None or link is None or not link.is_open:
            done(payload)
            return
        count = max(0, len(payload) - self.missing) if self.missing else self.confirmed
        count = min(count, len(payload))
        if not self.strike(
            f"{call.raw}: {count}, the rest {'' if self.taken else 'not '}taken"
        ):
            done(payload)
            return
        forced = self.site.dce.forced_confirms
        before = len(forced)
        forced.appendleft(count)
        done(payload)
        if len(forced) > before:  # another fault has taken the payload instead of the module
            forced.popleft()
        elif self.taken and count < len(payload):
            rest = payload[max(0, count) :] if isinstance(link, TcpLink) else payload
            self.send(call, rest)
        if self.link_dies:
            self.site.after_step(link.drop)

"""Clients of the DNS listener, for tests; dnslib is who asks."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import dnslib  # type: ignore[import-untyped]
import trio

from modemproxy.config import Dns, ModemConfig
from modemproxy.config.checks import Endpoint

from .stand import FAR, Stand, stand


@asynccontextmanager
async def asked(
    directory: Path,
    *,
    server: Endpoint | None = None,
    allow: str = "127.0.0.0/8",
    ip_type: Any = "IP",
    **options: Any,
) -> AsyncIterator[Stand]:
    sections = {
        "dns": Dns(listen=Endpoint("127.0.0.1", 0), server=server, allow=(ip_network(allow),)),
        "modem": ModemConfig(port="/dev/emulated", apn="internet", ip_type=ip_type),
    }
    async with stand(directory, sections=sections, **options) as s:
        s.internet.add_host(FAR)
        yield s


async def ask_raw(s: Stand, message: bytes, limit_s: float = 30) -> bytes | None:
    """Send a datagram and wait for one; None when none comes."""
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sock:
        await sock.sendto(message, ("127.0.0.1", s.ports["dns"]))
        with trio.move_on_after(limit_s):
            data: bytes = await sock.recv(65535)
            return data
    return None


async def ask(s: Stand, name: str, kind: str = "A") -> dnslib.DNSRecord:
    """Ask over UDP; the answer is one to this question."""
    question = dnslib.DNSRecord.question(name, kind)
    data = await ask_raw(s, question.pack())
    assert data is not None
    answer = dnslib.DNSRecord.parse(data)
    assert answer.header.id == question.header.id
    assert answer.header.qr
    assert str(answer.q.qname) == str(question.q.qname)
    return answer


def addresses(answer: dnslib.DNSRecord) -> list[str]:
    return [str(record.rdata) for record in answer.rr]


def status(answer: dnslib.DNSRecord) -> str:
    name: str = dnslib.RCODE[answer.header.rcode]
    return name


async def over_tcp(
    s: Stand, *questions: dnslib.DNSRecord, cut: Callable[[bytes], list[bytes]] | None = None
) -> list[dnslib.DNSRecord]:
    """Ask on one connection; return the answers."""
    client = await s.connect("dns")
    said = b"".join(len(q.pack()).to_bytes(2, "big") + q.pack() for q in questions)
    for piece in cut(said) if cut else [said]:
        await client.send_all(piece)
        await trio.sleep(0.01)
    got = b""
    answers: list[dnslib.DNSRecord] = []
    while len(answers) < len(questions):
        data = await client.receive_some()
        assert data
        got += data
        while len(got) >= 2 and len(got) >= 2 + int.from_bytes(got[:2], "big"):
            size = int.from_bytes(got[:2], "big")
            answers.append(dnslib.DNSRecord.parse(got[2 : 2 + size]))
            got = got[2 + size :]
    await client.send_eof()
    assert await client.receive_some() == b""
    await client.aclose()
    return answers

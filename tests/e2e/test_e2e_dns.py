"""The DNS listener with dig."""

from pathlib import Path

import pytest

from modemproxy.config import Dns
from tests.e2e.host import ANYWHERE, host, needs, run_program

pytestmark = [pytest.mark.slow, needs("dig")]


async def test_dig_over_udp_and_tcp(tmp_path: Path) -> None:
    sections = {"dns": Dns(listen=ANYWHERE)}
    names = {"near.example": "192.0.2.17"}
    async with host(tmp_path, sections, names=names) as h:
        server = ("@127.0.0.1", "-p", str(h.ports["dns"]), "+tries=1", "+time=15")
        for extra in ((), ("+tcp",), ("+noedns",)):
            done = await run_program("dig", *server, *extra, "+short", "near.example")
            assert (done.returncode, done.stdout) == (0, b"192.0.2.17\n"), done.stdout
        done = await run_program("dig", *server, "near.example", "AAAA")
        assert b"status: NOERROR" in done.stdout
        assert b"ANSWER: 0" in done.stdout
        done = await run_program("dig", *server, "near.example", "MX")
        assert b"status: NOTIMP" in done.stdout
        done = await run_program("dig", *server, "nowhere.invalid")
        assert b"status: NXDOMAIN" in done.stdout
        assert b";; Warning" not in done.stdout + done.stderr
        assert h.module.commands["+CDNSGIP"] == 1
        assert h.module.commands["+CIPOPEN"] == 0

"""The module as an object: presets, taps, clients, speeds."""

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import bench

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"


async def test_half_a_command_spoils_the_first_line_only(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False)
    b.module.preset.half_command(b"AT+CIPS")
    assert await b.dte.ask(b"AT\r") == ERROR
    assert await b.dte.ask(b"AT\r") == OK


@pytest.mark.parametrize(("connected", "state"), [(True, b"1"), (False, b"0")])
async def test_ghost_links(
    autojump_clock: MockClock, nursery: trio.Nursery, connected: bool, state: bytes
) -> None:
    b = bench(nursery, boot_echo=False)
    b.module.preset.ghost_links(10, connected=connected)
    await b.dte.ask(b"AT+CIPRXGET=1\r")
    states = b",".join([state] * 10)
    assert await b.dte.ask(b"AT+CIPCLOSE?\r") == b"\r\n+CIPCLOSE: " + states + b"\r\n" + OK
    assert (await b.dte.ask(b"AT+NETCLOSE\r")).endswith(b"\r\n+NETCLOSE: 0\r\n")


async def test_a_pending_data_entry_swallows_until_it_is_full(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False)
    b.module.preset.data_entry(2, 6)
    assert await b.dte.ask(b"AT\r") == b""
    assert await b.dte.ask(b"AT\r") == OK + b"\r\n+CIPSEND: 2,6,6\r\n"


async def test_taps_see_every_piece_and_every_byte(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False)
    b.module.dce.out.tap = lambda _piece, data: data.replace(b"OK", b"K")
    assert await b.dte.ask(b"AT\r") == b"\r\nK\r\n"
    b.module.dce.input.tap = lambda data: data.replace(b"Q", b"")
    assert await b.dte.ask(b"AT+CSQ\r") == ERROR
    b.module.inject(b"\r\nRING\r\n")
    assert await b.dte.heard() == b"\r\nRING\r\n"


async def test_the_state_survives_its_client(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery)
    await b.dte.ready()
    b.dte.unplug()
    await b.dte.heard(1)
    b.module.inject(b"\r\nunheard\r\n")
    ours, theirs = trio.testing.memory_stream_pair()
    nursery.start_soon(b.module.serve, theirs)
    await ours.send_all(b"AT+NETOPEN?\r")
    assert await ours.receive_some() == b"\r\n+NETOPEN: 1\r\n\r\nOK\r\n"


async def test_another_speed_is_rubbish_both_ways(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False)
    b.module.dte_baudrate = lambda: 9600
    assert await b.dte.ask(b"AT\r") == b""
    b.module.inject(b"\r\nRDY\r\n")
    assert b"RDY" not in await b.dte.heard()
    b.module.dte_baudrate = lambda: 115200
    assert await b.dte.ask(b"AT\r") == OK
    assert b.module.complaints == []


async def test_ipr_answers_at_the_old_speed(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False)
    b.module.dte_baudrate = lambda: 115200
    assert await b.dte.ask(b"AT+IPR=921600\r") == OK
    assert b.module.baudrate == 921600
    assert await b.dte.ask(b"AT\r") == b""

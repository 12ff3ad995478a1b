"""The transcript that a channel writes replays, and costs nothing while it is off."""

import logging

import pytest

from modemproxy.at.subscription import EnterPin
from modemproxy.at.transfer import ReadData
from modemproxy.line.channel import AtChannel
from tests.line.scene import scene, send
from tests.transcript import load, parse

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_the_wire_log_replays(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "modemproxy.wire")
    dialogue = """\
> AT+CPIN="0471"
< +CPIN: READY
< OK
> AT+CIPSEND=3,5
<| \\r\\n>
>| hello
<| \\r\\nOK\\r\\n\\r\\n+CIPSEND: 3,5,5\\r\\n
> AT+CIPRXGET=2,3,10
<| \\r\\n+CIPRXGET: 2,3,10,0\\r\\nsecret>\\r\\n \\r\\n\\r\\nOK\\r\\n
< odd \\x00 \\xff \\\\ line
"""

    async def talk(channel: AtChannel) -> bytes:
        await channel.roundtrip(EnterPin("0471"))
        await send(channel)
        return (await channel.roundtrip(ReadData(3, 10))).data

    async with scene(parse(dialogue)) as (channel, _):
        assert await talk(channel) == b"secret>\r\n "
    log = [record.getMessage() for record in caplog.records if record.name == "modemproxy.wire"]
    assert [line for line in log if line[0] in "<>"] == [
        "> AT+CPIN=******",
        "< +CPIN: READY",
        "< OK",
        "> AT+CIPSEND=3,5",
        "<| \\r\\n>",
        ">| {5}",
        "< OK",
        "< +CIPSEND: 3,5,5",
        "> AT+CIPRXGET=2,3,10",
        "< +CIPRXGET: 2,3,10,0",
        "<| {10}",
        "<| \\r\\n\\r\\nOK\\r\\n",
        "< xxxxxxxxxxxxxx",
    ]
    assert log[0] == "= Opened"
    assert log[-1] == "= Closed"
    caplog.set_level(logging.WARNING, "modemproxy.wire")
    async with scene(parse("\n".join(log)), 1) as (channel, _):
        assert len(await talk(channel)) == 10


async def test_nothing_is_logged_while_the_wire_log_is_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "modemproxy.wire")
    async with scene(load("send")) as (channel, _):
        await send(channel)
    assert not [record for record in caplog.records if record.name == "modemproxy.wire"]

"""``modemproxy demo``: the whole thing on one machine, with no hardware and no network.

    stage.py    brings up an emulated module on a pty, the world around it, and the proxy
    world.py    the far side's services, and a service of this host
    clients.py  what programs do that come in by SOCKS5, HTTP or DNS
    proofs.py   ``--once``: come in by every way, compare what arrives, print a line each
    show.py     else: what to try, and the line at work until Ctrl-C

One trio program; bytes really cross the paced tty as AT commands. Ports are any that are
free, so nothing has to be.
"""

from modemproxy.demo.proofs import prove
from modemproxy.demo.show import show
from modemproxy.demo.stage import set_up


async def run(once: bool) -> int:
    """Run the demo.

    Args:
        once: prove it and end, instead of running until Ctrl-C.

    Returns:
        The exit code: 0, or 1 if anything differed or took too long.
    """
    async with set_up() as stage:
        if once:
            return 0 if await prove(stage) else 1
        await show(stage)
        return 0

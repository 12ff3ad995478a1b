"""The one ``except Exception`` of the program: a bug in serving one client ends only that.

Whatever serves a client, a far client, a datagram's session or a question runs inside
``contained()``. What a caller is meant to catch is caught before it gets here.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)


@contextmanager
def contained(what: str) -> Iterator[None]:
    """Log what the body raises, with its traceback, and go on; cancelling passes through.

    Args:
        what: who was served, and by which listener.
    """
    try:
        yield
    except* Exception as group:
        log.error("%s: a bug; this connection is reset", what, exc_info=group)

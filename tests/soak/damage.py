"""Damage to what a module says."""

from random import Random
from typing import Final

READ_HEADER: Final = b"\r\n+CIPRXGET: 2,"


def change_length(data: bytes, rng: Random) -> bytes:
    """Make another digit of one in the length of a read; see ``faults`` for the differences."""
    head, _, rest = data.removeprefix(READ_HEADER).partition(b"\r\n")
    fields = head.split(b",")
    digit = rng.randrange(len(fields[1]))
    was = fields[1][digit]
    other = rng.choice([d for d in b"0123456789" if abs(d - was) not in (0, 2, 4)])
    fields[1] = fields[1][:digit] + bytes([other]) + fields[1][digit + 1 :]
    return READ_HEADER + b",".join(fields) + b"\r\n" + rest

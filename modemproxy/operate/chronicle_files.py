"""Lines in two files of bounded size: a full file takes the place of the older one.

Every line is one write and nothing is synced: a killed process loses nothing, a crash of
the machine at most what the kernel had not written yet (about half a minute), and a flash
card is written no more often than the kernel writes anything.
"""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

#: Of each of the two files, in bytes.
FILE_MAX: Final = 512 << 10


class TurnedFiles:
    """Two files, written at the end of the newer one."""

    def __init__(self, stem: Path) -> None:
        """Args: stem: of the files' names; ``.events`` and ``.events.old`` are added."""
        self.path = Path(f"{stem}.events")
        self._old = Path(f"{stem}.events.old")
        self._fd = -1
        self._size = 0

    @property
    def is_open(self) -> bool:
        """Whether lines can be added."""
        return self._fd >= 0

    def open(self) -> None:
        """Begin to write.

        Raises:
            OSError: that cannot be.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        self._fd = os.open(self.path, flags, 0o600)
        try:
            self._size = os.fstat(self._fd).st_size
            if self._size and os.pread(self._fd, 1, self._size - 1) != b"\n":
                self._write(b"\n")  # the last run was cut short in a line
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Write no more."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def append(self, line: bytes) -> None:
        """Add a line; its end is added to it.

        Raises:
            OSError: it cannot be written, and no other can: the files are closed.
        """
        try:
            if self._size + len(line) >= FILE_MAX:
                self.close()
                self.path.replace(self._old)
                self.open()
            self._write(line + b"\n")
        except OSError:
            self.close()
            raise

    def _write(self, data: bytes) -> None:
        written = os.write(self._fd, data)
        self._size += written
        if written < len(data):  # what is there of it is passed over by who reads
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def newest_first(self) -> Iterator[bytes]:
        """Give the lines as they are now, the newest first; what cannot be read is left out."""
        contents = [_tail(self.path), _tail(self._old)]
        return (line for data in contents for line in _backwards(data))


def _tail(path: Path) -> bytes:
    """Read a file's end, as much as may be ours."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - FILE_MAX))
            return file.read(FILE_MAX)
    except OSError:  # a folder, a pipe
        return b""


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK)


def _backwards(data: bytes) -> Iterator[bytes]:
    end = len(data)
    while end > 0:
        begin = data.rfind(b"\n", 0, end) + 1
        if begin < end:
            yield data[begin:end]
        end = begin - 1

"""Marks of earlier runs, kept in memory."""

from pathlib import Path

from modemproxy.module.state import StateStore


class MemoryState(StateStore):
    """A state directory that is no directory."""

    def __init__(self) -> None:
        self._stem = Path("soak")
        self._marks: dict[str, str] = {}
        self.writable = True

    def _read(self, name: str) -> str:
        return self._marks.get(name, "")

    def _write(self, name: str, text: str) -> None:
        self._marks[name] = text

    def _remove(self, name: str) -> None:
        self._marks.pop(name, None)

    def _open_mark(self) -> None:
        self._mark(bytes(8))

    def _mark(self, data: bytes) -> None:
        self._marks["send"] = data.hex()

    def _read_mark(self) -> bytes:
        return bytes.fromhex(self._marks.get("send", "")) or bytes(8)

    def _drop_mark(self) -> None:
        self._remove("send")

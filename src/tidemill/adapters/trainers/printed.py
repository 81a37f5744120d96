"""What a job printed: kept in a file that stays small, however much it is."""

from __future__ import annotations

import contextlib
from pathlib import Path

LIMIT = 16 << 20
"""Bytes of the file at most."""


class Printed:
    """Keeps the first half of what is printed, and of the rest what came last.

    Parameters
    ----------
    path
        The file; it always ends with what was printed last.
    limit
        Its size at most, in bytes.
    """

    def __init__(self, path: Path, *, limit: int = LIMIT) -> None:
        self._file = path.open("w+b", buffering=0)
        self._half, self._limit = limit // 2, limit
        self._said, self._size = 0, 0

    def add(self, data: bytes) -> None:
        """Keep what was printed; a full disk loses it, and stops nobody."""
        self._said += len(data)
        with contextlib.suppress(OSError):
            room = max(0, self._half - self._size)
            if room:
                self._write(data[:room])
            if data := data[room:]:
                fits = self._size + len(data) <= self._limit
                self._write(data if fits else self._end_of(data))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _write(self, data: bytes) -> None:
        self._size += self._file.write(data)

    def _end_of(self, data: bytes) -> bytes:
        """Take what came last out of the file, and leave out the middle."""
        self._file.seek(self._half)
        last = (self._file.read() + data)[-self._limit // 4 :]
        left = self._said - self._half - len(last)
        self._size = self._file.truncate(self._half)
        self._file.seek(self._half)
        return f"\n[{left:,} bytes were left out here]\n".encode() + last

"""What could not be kept, counted by reason in a small file that was allocated before.

It is there when the disk is full, survives kill -9, and the next turn reads it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tidemill.adapters.spool.segment import host, unlocked

REASONS = ("disk full", "not writable", "queue full", "closed", "cannot be encoded", "other error")
MAGIC = b"TIDELOS1"
_FIXED = struct.Struct("<8sI64s")
_COUNTS = struct.Struct(f"<{len(REASONS)}Q")
_AT, _SIZE = 128, 4096
_CLOSED = _AT + _COUNTS.size
"""Where a process says that it will count nothing more here."""
_ABANDONED = 86_400.0
"""Seconds after which the unchanged file of another machine is not waited for."""


class Losses:
    """Counts what one process lost."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._before: Counter[str] = Counter()
        self._memory: mmap.mmap | None = None
        self._file, self._path = -1, Path()

    def prepare(self, folder: Path) -> None:
        """Allocate the file, while there is room for it; anew if all in it was taken in."""
        if self._memory is not None and self._path.exists():
            return
        self.abandon()
        folder.mkdir(parents=True, exist_ok=True)
        name = uuid.uuid4().hex
        part = folder / f".part-{name}"
        file = os.open(part, os.O_CREAT | os.O_RDWR | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(file, 0, _SIZE)
            fcntl.flock(file, fcntl.LOCK_SH)
            memory = mmap.mmap(file, _SIZE)
            _FIXED.pack_into(memory, 0, MAGIC, os.getpid(), host())
            self._path = folder / f"{name}.losses"
            part.rename(self._path)
        except BaseException:
            os.close(file)
            part.unlink(missing_ok=True)
            raise
        self._memory, self._file = memory, file
        self._write()

    def add(self, reason: str) -> None:
        """Count one; under a reason that no reader knows it counts as another error."""
        self.counts[reason if reason in REASONS else "other error"] += 1
        self._write()

    def close(self) -> None:
        """Say that nothing is counted here any more, and let go of the file."""
        if self._memory is not None:
            self._memory[_CLOSED] = 1
        self.abandon()

    def abandon(self) -> None:
        """Let go of the file; counts stay readable, and a file made later goes on from here."""
        if self._memory is not None:
            self._before = Counter(self.counts)
            self._memory.close()
            os.close(self._file)
            self._memory = None

    def _write(self) -> None:
        if self._memory is not None:
            _COUNTS.pack_into(
                self._memory, _AT, *(self.counts[r] - self._before[r] for r in REASONS)
            )


@dataclass(frozen=True, kw_only=True)
class Lost:
    """What a process on a machine lost, by reason."""

    pid: int
    host: str
    counts: dict[str, int]
    closed: bool

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file of losses, whatever it holds."""
        return cls.of(path.read_bytes())

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Read what such a file holds."""
        page = data[:_SIZE].ljust(_SIZE, b"\0")
        magic, pid, where = _FIXED.unpack_from(page, 0)
        numbers = _COUNTS.unpack_from(page, _AT) if magic == MAGIC else (0,) * len(REASONS)
        known = {r: n for r, n in zip(REASONS, numbers, strict=True) if 0 < n < 2**63}
        said = where.rstrip(b"\0").decode(errors="replace")
        return cls(pid=pid, host=said, counts=known, closed=page[_CLOSED] == 1)

    def gone(self, path: Path) -> bool:
        """Say whether its process has ended: on another machine when it said so, or after a day."""
        if self.host.encode() == host():
            return unlocked(path)
        return self.closed or time.time() - path.stat().st_mtime > _ABANDONED

"""A segment: one pre-allocated file of frames, written by one process through memory.

The file begins with a page that says who writes it and how far what was acknowledged reaches.
Then come frames: a mark, the kind, the length, a check sum, the bytes. A copy into shared memory
belongs to the kernel, so kill -9 of the process loses nothing that was copied. The whole file is
allocated first: a disk that is full refuses then, instead of killing the process in the middle.
Zeros are written ahead of the frames: pages that come so cost a tenth of a fault each.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
import struct
import sys
import time
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from tidemill.core.failpoints import failpoint

MAGIC, MARK = b"TIDEMIL1", b"\xa6\xf1M"
START = 4096
"""Where the first frame begins."""

HEAD = struct.Struct("<3sBII")
"""Of a frame: mark, kind, length, check sum of the kind, as many zeros as a head is long, bytes."""

IDLE = 3600 * 10**9
"""A writer leaves a segment that it did not use for so long, or whose clock jumped so far (ns)."""

ABANDONED = 24 * 3600 * 10**9
"""One of another machine that was not used for so long, and not sealed, has no writer (ns)."""

_FIXED = struct.Struct("<8sI64s")
# In the machine's own order, which writes each number at once: a reader sees the old or the new.
_STATE = struct.Struct("=QQB" if sys.byteorder == "little" else "<QQB")
_AT = 128
_HEAD, _head, _state, _crc32 = HEAD.size, HEAD.pack_into, _STATE.pack_into, zlib.crc32
_head_of = HEAD.unpack_from
_SEEDS = tuple(zlib.crc32(bytes(_HEAD), kind) for kind in range(256))
_AHEAD = bytes(64 * 1024)


class Segment:
    """A segment being written; whoever holds it is the only one who does.

    What is to be added stands in ``buffer``, behind as many zeros as a head is long.
    """

    def __init__(self, path: Path, file: int, size: int) -> None:
        self.path, self._file, self.size = path, file, size
        self._memory = mmap.mmap(file, size)
        self.end, self.used, self.frames, self.synced = START, time.time_ns(), 0, START
        self.buffer, self._ready = bytearray(_HEAD), START

    @classmethod
    def create(cls, folder: Path, size: int) -> Self:
        """Allocate a segment; it appears once it is whole and locked."""
        folder.mkdir(parents=True, exist_ok=True)
        name = uuid.uuid4().hex
        part = folder / f".part-{name}"
        file = os.open(part, os.O_CREAT | os.O_RDWR | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(file, 0, size)
            fcntl.flock(file, fcntl.LOCK_SH)
            made = cls(folder / f"{name}.segment", file, size)
            _FIXED.pack_into(made._memory, 0, MAGIC, os.getpid(), host())
            made._note()
            failpoint("spool.segment.before")
            part.rename(made.path)
            failpoint("spool.segment.after")
        except BaseException:
            os.close(file)
            part.unlink(missing_ok=True)
            raise
        return made

    def write(self, kind: int, data: bytes) -> bool:
        """Add a frame; False when it does not fit any more."""
        self.buffer[_HEAD:] = data
        return self.add(kind, time.time_ns())

    def add(self, kind: int, now: int) -> bool:
        """Add what stands in the buffer as a frame; False when it does not fit any more."""
        buffer, memory, begin = self.buffer, self._memory, self.end
        end = begin + len(buffer)
        if end > self._ready and not self._prepare(end):
            return False
        if not -IDLE < now - self.used < IDLE:
            return False
        memory[begin:end] = buffer
        _head(memory, begin, MARK, kind, end - begin - _HEAD, _crc32(buffer, kind))
        # Only now is it acknowledged: a copy that was cut short lies beyond the end.
        _state(memory, _AT, end, now, 0)
        self.end, self.used = end, now
        self.frames += 1
        return True

    def _prepare(self, end: int) -> bool:
        """Have the kernel hold pages up to an end and somewhat beyond; False beyond the file."""
        if end > self.size:
            return False
        while self._ready < end:
            ahead = min(len(_AHEAD), self.size - self._ready)
            self._ready += os.pwrite(self._file, _AHEAD[:ahead], self._ready)
        return True

    def sync(self) -> None:
        """Return when everything up to now is on the disk."""
        end = self.end
        os.fsync(self._file)
        self.synced = max(self.synced, end)

    def seal(self) -> None:
        """Say that nothing will be added, give back what is empty, and let go."""
        failpoint("spool.seal.before")
        _STATE.pack_into(self._memory, _AT, self.end, self.used, 1)
        failpoint("spool.seal.after")
        self.abandon(shorten=True)

    def abandon(self, *, shorten: bool = False) -> None:
        """Let go of the file as it is: in a fork it belongs to the parent."""
        self._memory.close()
        if shorten:
            os.ftruncate(self._file, self.end)
        os.close(self._file)

    def _note(self) -> None:
        _STATE.pack_into(self._memory, _AT, self.end, self.used, 0)


@dataclass(frozen=True, kw_only=True)
class Header:
    """What the first page of a segment says; a damaged one says what can still be believed."""

    pid: int
    host: bytes
    end: int
    used: int
    sealed: bool

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read the page, however little of it there is."""
        page = data[:START].ljust(START, b"\0")
        _, pid, where = _FIXED.unpack_from(page, 0)
        end, used, sealed = _STATE.unpack_from(page, _AT)
        return cls(
            pid=pid,
            host=where.rstrip(b"\0"),
            end=end,
            used=used,
            sealed=sealed == 1,
        )

    def gone(self, path: Path, *, now: int) -> bool:
        """Say whether nobody will add to the file any more.

        On one machine the kernel's lock tells. Of another machine's file only the seal, or a day
        without a word: its writer leaves a file after an hour without use.
        """
        if self.sealed:
            return True
        if self.host and self.host != host():
            return now - self.used > ABANDONED
        return unlocked(path)


def unlocked(path: Path) -> bool:
    """Say whether no living process of this machine holds a file."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def host() -> bytes:
    """Name this machine, in at most 64 bytes."""
    return socket.gethostname().encode()[:64]


class Frame(NamedTuple):
    """Bytes of one call, or with kind 0 bytes that no frame can be made of."""

    kind: int
    data: bytes
    end: int


def read(path: Path) -> tuple[bytes, bool]:
    """Read a segment, and say whether its writer is gone.

    While it lives only what it acknowledged before is read: the rest changes under the reader.
    """
    with path.open("rb") as file:
        header = Header.read(file.read(START))
        ended = header.gone(path, now=time.time_ns())
        size = os.fstat(file.fileno()).st_size
        file.seek(0)
        return file.read(size if ended else min(header.end, size)), ended


def frames(data: bytes) -> list[Frame]:
    """Read the frames of a segment; what is damaged between them is handed on as kind 0.

    What follows the last whole frame, and was never acknowledged, is dropped: the call that wrote
    it did not return. Where that ended is not believed when it lies before the last whole frame
    began: then the page that says so is damaged, and nothing is dropped.
    """
    found: list[Frame] = []
    at = begin = START
    size = len(data)
    while at < size:
        frame = _frame(data, at)
        if frame is None:
            following = _next(data, at)
            stop = _acknowledged(data, begin) if following is None else following
            bad = data[at:stop].rstrip(b"\0")
            if bad:
                found.append(Frame(kind=0, data=bad, end=stop))
            if following is None:
                break
            at = following
            continue
        found.append(frame)
        begin, at = at, frame.end
    return found


def _acknowledged(data: bytes, begin: int) -> int:
    end = Header.read(data).end
    return min(end, len(data)) if end >= begin else len(data)


def _frame(data: bytes, at: int) -> Frame | None:
    begin = at + _HEAD
    if begin > len(data):
        return None
    mark, kind, length, check = _head_of(data, at)
    end = begin + length
    if mark != MARK or not kind or end > len(data):
        return None
    body = data[begin:end]
    return Frame(kind, body, end) if _crc32(body, _SEEDS[kind]) == check else None


def _next(data: bytes, at: int) -> int | None:
    """Find the next whole frame behind damage."""
    while (at := data.find(MARK, at + 1)) >= 0:
        if _frame(data, at) is not None:
            return at
    return None

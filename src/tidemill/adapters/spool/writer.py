"""Writing to the spool: from many threads, across forks, without ever waiting for a store.

A thread takes a segment out of a heap, writes, and puts it back: there are as many segments as
threads ever wrote at once, no lock in the usual way, and a signal handler that logs too finds a
segment of its own. A fork begins with none.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
import uuid
import weakref
from collections import deque
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from tidemill.adapters.spool.frames import LARGEST, encode_into, framed
from tidemill.adapters.spool.losses import Losses
from tidemill.adapters.spool.segment import HEAD, START, Segment

FIRST, FULL = 2**20, 8 * 2**20
"""Bytes of the first segments of a process, and of those that follow."""

PAUSE = 0.1
"""Seconds before a disk that refused is asked again: a full one must not slow a service down."""


_HEAD = HEAD.size


class Own:
    """What one process has of a writer; a fork makes its own."""

    def __init__(self) -> None:
        self.free: deque[Segment] = deque()
        self.all: list[Segment] = []
        self.losses = Losses()
        self.before = 0
        self.size = FIRST
        self.lock = threading.Lock()
        self.synced = threading.Condition()
        self.syncing = False
        self.refused: OSError | None = None
        self.refused_at = 0.0
        self.prefix = uuid.uuid4().hex[:20]
        self.numbers = itertools.count()


class Forked:
    """Calls a method of an object, while there is one, in each fork."""

    def __init__(self, method: Callable[[], None]) -> None:
        self._method = weakref.WeakMethod(method)
        os.register_at_fork(after_in_child=self)

    def __call__(self) -> None:
        method = self._method()
        if method is not None:
            method()


class Writer:
    """Appends frames to segments in a folder.

    Parameters
    ----------
    folder
        The spool.
    sync
        Whether a call returns only when its frame is on the disk; calls that wait together share
        one flush.
    """

    def __init__(self, folder: Path, *, sync: bool = False) -> None:
        self.folder, self._sync = folder, sync
        self.own = Own()
        """What this process has."""
        Forked(self.forked)

    def put(self, kind: int, fields: tuple[Any, ...], now: int) -> None:
        """Keep the fields of a call; the fast way, where nobody waits for the disk.

        Raises OSError where they cannot be kept.
        """
        own = self.own
        try:
            segment = own.free.pop()
        except IndexError:
            segment = self._new(own, 0)
        try:
            try:
                encode_into(fields, segment.buffer, _HEAD)
            except Exception:  # noqa: BLE001 - a value of the caller's may raise anything
                kind, segment.buffer[_HEAD:] = framed(kind, fields)
            if not segment.add(kind, now):
                if len(segment.buffer) > LARGEST:
                    kind, segment.buffer[_HEAD:] = framed(kind, fields)
                segment = self._roll(own, segment)
                _must(segment.add(kind, time.time_ns()))
        finally:
            own.free.append(segment)

    def write(self, kind: int, data: bytes) -> None:
        """Keep a frame; raises OSError where it cannot be kept."""
        own = self.own
        if self._sync:
            self._write_through(own, kind, data)
            return
        try:
            segment = own.free.pop()
        except IndexError:
            segment = self._new(own, len(data))
        try:
            if not segment.write(kind, data):
                segment = self._roll(own, segment)
                _must(segment.add(kind, time.time_ns()))
        finally:
            own.free.append(segment)

    def lose(self, reason: str) -> None:
        """Count a frame that could not be kept; in the spool too, where there is room."""
        own = self.own
        with own.lock:
            with contextlib.suppress(OSError):  # the disk is full, say: then it is told later
                own.losses.prepare(self.folder)
            own.losses.add(reason)

    def new_id(self) -> str:
        """Return an id that nobody else makes: random for the process, then counted."""
        own = self.own
        return own.prefix + "%012x" % next(own.numbers)  # noqa: UP031 - the fastest way to say it

    def written(self) -> int:
        """Return how many frames this process wrote."""
        own = self.own
        with own.lock:
            return own.before + sum(s.frames for s in own.all)

    def sync(self) -> None:
        """Return when all that was written is on the disk."""
        own = self.own
        with own.lock:
            for segment in own.all:
                segment.sync()

    def seal(self) -> None:
        """Seal the segments that hold something and that nobody writes to just now."""
        own = self.own
        with self._still(own):
            for _ in range(len(own.free)):
                with contextlib.suppress(IndexError):  # a thread took it meanwhile
                    segment = own.free.popleft()
                    if segment.frames:
                        _end(own, segment)
                    else:
                        own.free.append(segment)

    def close(self) -> None:
        """Seal what this process wrote; a later write begins anew."""
        own = self.own
        with self._still(own):
            while own.free:  # one that a thread writes to just now is left to the kernel's lock
                _end(own, own.free.pop())
            own.losses.close()

    @contextlib.contextmanager
    def _still(self, own: Own) -> Generator[None]:
        """Hold back who flushes and who makes segments; what is written is on the disk then."""
        with own.synced:
            while own.syncing:
                own.synced.wait()
            with own.lock:
                if self._sync:
                    for segment in own.all:
                        segment.sync()
                yield

    def forked(self) -> None:
        """Begin anew in a fork.

        The files are the parent's: file descriptors that stayed open would keep them looking alive.
        """
        theirs, self.own = self.own, Own()
        for segment in theirs.all:
            segment.abandon()
        theirs.losses.abandon()

    def _new(self, own: Own, length: int) -> Segment:
        """Allocate a segment with room for a frame."""
        with own.lock:
            if own.refused is not None and time.monotonic() - own.refused_at < PAUSE:
                raise own.refused.with_traceback(None)
            try:
                own.losses.prepare(self.folder)
                segment = Segment.create(self.folder, max(own.size, START + HEAD.size + length))
                if self._sync:
                    _sync_folder(self.folder)  # or a power cut takes the name of the file
            except OSError as error:
                own.refused, own.refused_at = error, time.monotonic()
                raise
            own.refused = None
            own.size = min(2 * own.size, FULL)
            own.all.append(segment)
            return segment

    def _roll(self, own: Own, old: Segment) -> Segment:
        """Go on in a new segment, with what did not fit; the old one stays if there is no room."""
        segment = self._new(own, len(old.buffer))
        segment.buffer = old.buffer
        with own.lock:
            if self._sync:
                old.sync()
            _end(own, old)
        return segment

    def _write_through(self, own: Own, kind: int, data: bytes) -> None:
        with own.synced:
            segment = own.free[0] if own.free else None
            if segment is None:
                segment = self._new(own, len(data))
                own.free.append(segment)
            if not segment.write(kind, data):
                while own.syncing:
                    own.synced.wait()
                own.free[0].buffer[_HEAD:] = data
                segment = own.free[0] = self._roll(own, own.free[0])
                _must(segment.add(kind, time.time_ns()))
            end = segment.end
            while segment.synced < end:
                if own.syncing:
                    own.synced.wait()
                    continue
                self._flush(own, segment)

    def _flush(self, own: Own, segment: Segment) -> None:
        """Flush for all who wait; called with the condition held, which is let go meanwhile."""
        own.syncing = True
        own.synced.release()
        try:
            segment.sync()
        finally:
            own.synced.acquire()
            own.syncing = False
            own.synced.notify_all()


def _end(own: Own, segment: Segment) -> None:
    own.all.remove(segment)
    own.before += segment.frames
    segment.seal()


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _must(done: bool) -> None:  # noqa: FBT001 - what a call just answered
    if not done:
        raise OSError("the clock jumped while a segment was made")

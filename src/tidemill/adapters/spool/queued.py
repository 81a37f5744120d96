"""Writing in the background: a call only puts its frame into a bounded queue.

What is in the queue is lost when the process is killed; when the queue is full, a call says so.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable

_PAUSE = 0.05
"""Seconds between looks at the queue."""

Frame = tuple[int, bytes]


class Queued:
    """A bounded queue of frames, and the thread that empties it; a fork begins an empty one.

    Parameters
    ----------
    write
        Keeps a frame, or counts it as lost; raises nothing.
    size
        Frames at most in the queue.
    """

    def __init__(self, write: Callable[[int, bytes], None], size: int) -> None:
        self._write, self._size = write, size
        self._process = 0
        self._begin()

    def put(self, kind: int, data: bytes) -> bool:
        """Take a frame; False when the queue is full."""
        if self._process != os.getpid():
            self._begin()
            threading.Thread(
                target=_empty, args=(self, self._stop), name="tidemill-log", daemon=True
            ).start()
            self._process = os.getpid()
        if len(self._waiting) >= self._size:
            return False
        self._waiting.append((kind, data))
        return True

    def flush(self) -> None:
        """Write what waits now."""
        if self._process != os.getpid():
            return  # nothing was put here by this process
        with self._busy:
            for _ in range(len(self._waiting)):
                self._write(*self._waiting.popleft())

    def close(self) -> None:
        """Write what waits, and stop the thread."""
        self._stop.set()
        self.flush()

    def _begin(self) -> None:
        self._waiting: deque[Frame] = deque()
        self._busy, self._stop = threading.Lock(), threading.Event()


def _empty(queued: Queued, stop: threading.Event) -> None:
    while not stop.wait(_PAUSE):
        queued.flush()

"""Shipping: sealed segments go to a bucket as they are, for the mills that read it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.adapters.spool.losses import Lost
from tidemill.adapters.spool.segment import Header, frames, read
from tidemill.adapters.spool.writer import Forked, Writer
from tidemill.core.failpoints import failpoint

if TYPE_CHECKING:
    from tidemill.core.ports import Objects

PLACE = "spool/"
"""Of the objects, below the prefix."""


class Shipper:
    """Takes files of a folder to a bucket, again and again, in a thread.

    A file is removed when it is there; killed in between it goes once more, under the same name.
    A fork of a process that shipped only seals what it wrote, for the process that it came from:
    the clients of buckets do not live in forks.

    Parameters
    ----------
    writer
        Writes to the folder; what it wrote is sealed first.
    objects
        The bucket.
    every
        Seconds between two tries.
    warn
        Is told what went wrong; it is tried again.
    """

    def __init__(
        self,
        writer: Writer,
        objects: Objects,
        *,
        every: float,
        warn: Callable[[str, Exception | None], None],
    ) -> None:
        self._writer, self.every, self._warn = writer, every, warn
        self._objects: Objects | None = objects
        self._used = False
        self._fresh()
        Forked(self._forked)

    def start(self) -> None:
        """Begin to ship, if this process does not yet."""
        with self._busy:
            if not self._runs:
                self._runs = True
                work = threading.Thread(
                    target=_ship, args=(self, self._stop), name="tidemill-ship", daemon=True
                )
                work.start()

    def ship(self) -> None:
        """Ship all that is sealed, and what this process wrote."""
        with self._busy:
            self._writer.seal()
            if self._objects is None:
                return
            self._used = True
            for path in sorted(self._writer.folder.glob("*.*")):
                with suppress(FileNotFoundError):  # another process shipped it
                    if path.suffix == ".segment":
                        _segment(path, self._objects)
                    elif path.suffix == ".losses":
                        _losses(path, self._objects)

    def try_to_ship(self) -> None:
        """Ship, or tell why not."""
        try:
            self.ship()
        except Exception as error:  # noqa: BLE001 - told, and tried again
            self._warn("not shipped yet", error)

    def waiting(self) -> int:
        """Count the rows that are in the folder only."""
        n = 0
        for path in self._writer.folder.glob("*.segment"):
            with suppress(FileNotFoundError):
                n += len(frames(read(path)[0]))
        return n

    def close(self) -> None:
        """Ship what is left, and say what could not be shipped."""
        self._stop.set()
        self.try_to_ship()
        if left := self.waiting():
            self._warn(f"{left} rows stay in {self._writer.folder} until a logger ships them", None)

    def _forked(self) -> None:
        self._fresh()
        if self._used:
            self._objects = None

    def _fresh(self) -> None:
        self._busy, self._stop, self._runs = threading.Lock(), threading.Event(), False


def _segment(path: Path, objects: Objects) -> None:
    data, ended = read(path)
    if not ended:
        return
    found = frames(data)
    if found:
        # In order of time, and the same whoever ships it.
        name = f"{Header.read(data).used // 10**6:015d}-{path.name}"
        failpoint("spool.ship.before")
        objects.put(f"{PLACE}{name}", data[: found[-1].end])
        failpoint("spool.ship.after")
    path.unlink()


def _losses(path: Path, objects: Objects) -> None:
    lost = Lost.read(path)
    gone = lost.gone(path)
    data = path.read_bytes()
    if Lost.of(data).total:
        objects.put(f"{PLACE}{path.name}", data)
    if gone:
        path.unlink()


def _ship(shipper: Shipper, stop: threading.Event) -> None:
    while not stop.wait(shipper.every):
        shipper.try_to_ship()

"""The inbox of a mill whose services ship what they logged to a bucket; its own spool belongs to it."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from tidemill.adapters.spool.erasing import from_segment, wanted
from tidemill.adapters.spool.inbox import Spool, lost_of
from tidemill.adapters.spool.losses import Lost
from tidemill.adapters.spool.shipping import PLACE
from tidemill.adapters.spool.unread import all_done, parcels_in
from tidemill.core.failpoints import failpoint
from tidemill.core.ports import Objects, Parcel


class ShippedSpool(Spool):
    """A folder of acknowledged rows, and a bucket of such files that nobody writes to any more.

    Two mills may take in one object: each parcel is stored once, by its writer and sequence.
    """

    def __init__(self, folder: Path, objects: Objects) -> None:
        super().__init__(folder)
        self._objects = objects

    def pending(self, done: Mapping[str, int]) -> Iterator[Parcel]:
        yield from super().pending(done)
        for name, stem in self._shipped():
            data = self._objects.get(name)
            if data is None:
                continue  # another mill took it in and removed it
            if name.endswith(".losses"):
                yield from lost_of(stem, Lost.of(data), done)
            else:
                yield from parcels_in(stem, data, done)

    def discard(self, done: Mapping[str, int]) -> dict[str, int]:
        kept = super().discard(done)
        mine = {writer.split(":")[0] for writer in done}
        for name, stem in self._shipped():
            if stem not in mine or (data := self._objects.get(name)) is None:
                continue
            heard = name.endswith(".losses") and Lost.of(data).total <= done.get(f"{stem}:lost", 0)
            if heard or (name.endswith(".segment") and all_done(stem, data, done)):
                failpoint("spool.discard.before")
                self._objects.delete(name)
                failpoint("spool.discard.after")
            else:
                kept |= {w: n for w, n in done.items() if w.split(":")[0] == stem}
        return kept

    def erase(self, table: str, ids: Collection[str], *, unit: str | None = None) -> int:
        n, goes = super().erase(table, ids, unit=unit), wanted(table, ids, unit)
        for name, _ in self._shipped():
            if not name.endswith(".segment") or (data := self._objects.get(name)) is None:
                continue
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "shipped.segment"
                path.write_bytes(data)
                if erased := from_segment(path, goes):
                    self._objects.put(name, path.read_bytes())
                    n += erased
        return n

    def _shipped(self) -> list[tuple[str, str]]:
        """Return the objects in order of time, with the stem of the file that each was."""
        names = sorted(n.rpartition("/")[2] for n in self._objects.names(PLACE))
        return [
            (f"{PLACE}{name}", name.rpartition("-")[2].partition(".")[0])
            for name in names
            if name.endswith((".segment", ".losses"))
        ]

"""The inbox of a mill: the folder where services leave what they acknowledged.

A segment is read as far as it was acknowledged, whether its writer lives or not, and goes when it
is taken in and its writer is gone. A batch is an Arrow file that appears whole. What writers lost
comes as a parcel of its own.
"""

from __future__ import annotations

import json
import os
import time
import uuid
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import ipc

from tidemill.adapters.spool.erasing import from_batch, from_lines, from_segment, wanted
from tidemill.adapters.spool.frames import FIELDS, KINDS, framed
from tidemill.adapters.spool.lines import ends_of, lines_of
from tidemill.adapters.spool.losses import Lost
from tidemill.adapters.spool.segment import unlocked
from tidemill.adapters.spool.unread import over, parcels_of
from tidemill.adapters.spool.writer import Writer
from tidemill.core.errors import Unreachable
from tidemill.core.failpoints import failpoint
from tidemill.core.ports import Flaw, Json, Parcel

_ABANDONED = 86_400.0
"""Seconds after which nobody can still be writing a file that appears whole."""


class Spool:
    """A folder of acknowledged rows; safe to use from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _writer(self) -> Writer:
        # Made by whoever writes first: the interpreter never forgets one, for the sake of forks.
        writer = Writer(self._folder)
        weakref.finalize(self, writer.close)
        return writer

    def write(self, table: str, row: Json) -> None:
        """Append one row; it is kept when this returns."""
        kind = KINDS[table]
        failpoint("spool.write.before")
        try:
            self._writer.write(*framed(kind, tuple(row.get(n) for n in FIELDS[kind][1])))
        except OSError as error:
            raise Unreachable(
                f"nothing can be written to {self._folder}: {error.strerror or error}.",
                fix="make room there, or make it writable; nothing of this call was kept.",
            ) from error
        failpoint("spool.write.after")

    def write_batch(self, table: str, rows: pa.Table, columns: Json, source: str) -> None:
        """Keep a batch; it is there whole when this returns."""
        meta = {"table": table, "columns": columns, "source": source}
        sink = pa.BufferOutputStream()
        schema = rows.schema.with_metadata({b"tidemill": json.dumps(meta).encode()})
        with ipc.new_file(sink, schema) as file:
            file.write_table(rows.cast(schema))
        failpoint("spool.batch.before")
        _write_whole(self._folder / f"{uuid.uuid4().hex}.arrow", sink.getvalue().to_pybytes())
        failpoint("spool.batch.after")

    def new_id(self) -> str:
        """Return an id for a record, which nobody else makes."""
        return self._writer.new_id()

    def pending(self, done: Mapping[str, int]) -> Iterator[Parcel]:
        for path in _in_order(self._folder):
            with suppress(FileNotFoundError):  # another process took it in and removed it
                if path.suffix == ".arrow" and path.stem not in done:
                    yield _batch(path)
                elif path.suffix == ".segment":
                    yield from parcels_of(path, done)
                elif path.suffix == ".jsonl":
                    yield from lines_of(path, done)
                elif path.suffix == ".losses":
                    yield from lost_of(path.stem, Lost.read(path), done)

    def discard(self, done: Mapping[str, int]) -> dict[str, int]:
        if not self._folder.exists():
            return {}
        kept = set[str]()
        for path in sorted(self._folder.iterdir()):
            if path.suffix not in _OVER:
                continue
            if _OVER[path.suffix](path, done):
                failpoint("spool.discard.before")
                path.unlink()
                failpoint("spool.discard.after")
            else:
                kept.add(path.stem)
        return {w: n for w, n in done.items() if w.split(":")[0] in kept}

    def erase(self, table: str, ids: Collection[str], *, unit: str | None = None) -> int:
        goes, n = wanted(table, ids, unit), 0
        failpoint("spool.erase.before")
        for path in sorted(self._folder.iterdir()) if self._folder.exists() else ():
            if path.suffix == ".segment":
                n += from_segment(path, goes)
            elif path.suffix == ".jsonl":
                n += from_lines(path, goes)
            elif path.suffix == ".arrow" and (left := from_batch(path, goes)) is not None:
                n += 1
                if left:
                    _write_whole(path, left)
                else:
                    path.unlink()
        failpoint("spool.erase.after")
        return n

    def flaws(self) -> list[Flaw]:
        """Tell of files that a killed process left unfinished: their calls did not return."""
        found = self._folder.glob(".part-*") if self._folder.exists() else ()
        old = time.time() - _ABANDONED
        parts = [path for path in found if path.stat().st_mtime < old]
        if not parts:
            return []
        return [
            Flaw(
                what=f"{len(parts):,} unfinished files of killed processes are in {self._folder}.",
                fix="tidemill check --repair removes them.",
                mend=lambda: [path.unlink(missing_ok=True) for path in parts],
            )
        ]

    def close(self) -> None:
        if "_writer" in self.__dict__:
            self._writer.close()


def _in_order(folder: Path) -> list[Path]:
    """Return the files of a folder, the one that changed first first."""
    found: list[tuple[int, str, Path]] = []
    for path in folder.iterdir() if folder.exists() else ():
        with suppress(FileNotFoundError):  # it was unfinished and has its name by now
            found.append((path.stat().st_mtime_ns, path.name, path))
    return [path for *_, path in sorted(found)]


def lost_of(stem: str, lost: Lost, done: Mapping[str, int]) -> list[Parcel]:
    """Return what a writer lost as a parcel, if that was not heard yet."""
    writer = f"{stem}:lost"
    if lost.total <= done.get(writer, 0):
        return []
    rows = [{"reason": r, "n": n} for r, n in lost.counts.items()]
    columns = {"process": lost.pid, "host": lost.host}
    return [
        Parcel(
            table="lost",
            rows=pa.Table.from_pylist(rows),
            columns=columns,
            writer=writer,
            sequence=lost.total,
            source="log",
        )
    ]


def _batch(path: Path) -> Parcel:
    with pa.OSFile(str(path), "rb") as source:
        rows = ipc.open_file(source).read_all()
    meta: dict[str, Any] = json.loads(rows.schema.metadata[b"tidemill"])
    rows = rows.replace_schema_metadata(None).rename_columns(_apart(rows.column_names))
    return Parcel(rows=rows, writer=path.stem, sequence=1, **meta)


def _apart(names: Sequence[str]) -> list[str]:
    """Tell columns of one name apart; rows with both are then set aside, and block nothing."""
    apart: dict[str, None] = {}
    for name in names:
        while name in apart:
            name += "_"  # noqa: PLW2901 - until it is a name of its own
        apart[name] = None
    return list(apart)


def _lines_over(path: Path, done: Mapping[str, int]) -> bool:
    return unlocked(path) and all(done.get(w, 0) >= s for w, s in ends_of(path).items())


def _losses_over(path: Path, done: Mapping[str, int]) -> bool:
    lost = Lost.read(path)
    gone = lost.gone(path)
    return gone and Lost.read(path).total <= done.get(f"{path.stem}:lost", 0)


_OVER: dict[str, Callable[[Path, Mapping[str, int]], bool]] = {
    ".arrow": lambda path, done: path.stem in done,
    ".segment": over,
    ".jsonl": _lines_over,
    ".losses": _losses_over,
}


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, even after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f".part-{path.name}"
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

"""What of a segment was not taken in yet, and whether all of it was."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any

from tidemill.adapters.spool.frames import FIELDS, KINDS, decoded
from tidemill.adapters.spool.rows import COLUMNS, NEEDED, table_of
from tidemill.adapters.spool.segment import Frame, frames, read
from tidemill.core.ports import Parcel

PARCEL = 50_000
"""Rows of a parcel at most."""


def parcels_of(path: Path, done: Mapping[str, int]) -> Iterator[Parcel]:
    """Cut what waits in a segment into parcels, each of one table and of so many rows at most."""
    yield from parcels_in(path.stem, read(path)[0], done)


def parcels_in(stem: str, data: bytes, done: Mapping[str, int]) -> list[Parcel]:
    """Cut what waits in the bytes of a segment into parcels."""
    with _uncollected():
        return list(_cut(stem, data, done))


@contextmanager
def _uncollected() -> Generator[None]:
    """Keep the collector of garbage from going through all there is, since many rows are made.

    It would take as long as to read them, and find nothing: rows hold no cycles.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _cut(stem: str, data: bytes, done: Mapping[str, int]) -> Iterator[Parcel]:
    waiting: dict[str, list[tuple[int, Any]]] = {table: [] for table in COLUMNS}
    ends = {table: done.get(f"{stem}:{table}", 0) for table in COLUMNS}
    for frame in frames(data):
        # Of records and of what cannot be read the table is known without looking inside.
        if not (frame.end <= ends["records"] and _is_record(frame)):
            table, row = decoded(frame.kind, frame.data)
            if frame.end > ends[table]:
                waiting[table].append((frame.end, row))
    for table, found in waiting.items():
        for first in range(0, len(found), PARCEL):
            part = found[first : first + PARCEL]
            yield Parcel(
                table=table,
                rows=table_of(_columns(table, [row for _, row in part]), NEEDED[table]),
                columns=COLUMNS[table],
                writer=f"{stem}:{table}",
                sequence=part[-1][0],
                source="log",
            )


def _columns(table: str, rows: list[Any]) -> dict[str, list[Any]]:
    names = [*FIELDS[KINDS[table]][1], *(["raw"] if any(r.raw is not None for r in rows) else [])]
    return {name: list(map(attrgetter(name), rows)) for name in names}


def over(path: Path, done: Mapping[str, int]) -> bool:
    """Say whether a segment's writer is gone and all of it was taken in."""
    data, ended = read(path)
    return ended and all_done(path.stem, data, done)


def all_done(stem: str, data: bytes, done: Mapping[str, int]) -> bool:
    """Say whether all in the bytes of a segment was taken in."""
    return all(f.end <= done.get(f"{stem}:{_table(f)}", 0) for f in frames(data))


def _is_record(frame: Frame) -> bool:
    return frame.kind == KINDS["records"] or frame.kind not in FIELDS


def _table(frame: Frame) -> str:
    return "records" if _is_record(frame) else decoded(frame.kind, frame.data)[0]

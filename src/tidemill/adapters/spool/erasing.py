"""Rows that go from files of the spool, also from those that a living process writes to."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import ipc

from tidemill.adapters.spool.frames import decode
from tidemill.adapters.spool.lines import parse
from tidemill.adapters.spool.segment import HEAD, START, frames, read
from tidemill.core.ports import Json

Wanted = Callable[[str, Json], bool]
"""Tells of a table and a row of it whether it goes."""


def wanted(table: str, ids: Collection[str], unit: str | None) -> Wanted:
    """Say which rows go: those of a table by the record's id, records also by their unit.

    What cannot be read counts as a record; it goes when it names one of them anywhere.
    """
    names = [*ids, *([] if unit is None else [unit])]

    def goes(of: str, row: Json) -> bool:
        if of != table:
            return False
        if "raw" in row:
            return any(name in str(row["raw"]) for name in names)
        if str(row.get("record_id")) in ids:
            return True
        return table == "records" and unit is not None and str(row.get("unit")) == unit

    return goes


def from_segment(path: Path, goes: Wanted) -> int:
    """Write zeros over frames, where they stand: a reader passes over them, a writer is beyond."""
    with path.open("r+b") as file:
        (data, _), at, spans = read(path), START, list[tuple[int, int]]()
        for frame in frames(data):
            # Damage has no length of its own: it reaches from the frame before to its end.
            begin = frame.end - HEAD.size - len(frame.data) if frame.kind else at
            if goes(*decode(frame.kind, frame.data)):
                spans.append((begin, frame.end))
            at = frame.end
        for begin, end in spans:
            _over(file, begin, b"\0" * (end - begin))
        _flushed(file)
    return len(spans)


def from_lines(path: Path, goes: Wanted) -> int:
    """Write blanks over lines of the version before; others stay where they are."""
    with path.open("r+b") as file:
        at, n = 0, 0
        for line in file.read().splitlines(keepends=True):
            if line.strip() and goes(*parse(line)):
                _over(file, at, b" " * len(line.rstrip(b"\r\n")))
                n += 1
            at += len(line)
        _flushed(file)
    return n


def from_batch(path: Path, goes: Wanted) -> bytes | None:
    """Return what stays of a batch as its file, empty if nothing; None when all of it stays."""
    with pa.OSFile(str(path), "rb") as source:
        rows = ipc.open_file(source).read_all()
    meta: dict[str, Any] = json.loads((rows.schema.metadata or {})[b"tidemill"])
    unit = meta["columns"].get("unit")
    named = {"record_id": "record_id", **({"unit": unit} if unit else {})}
    names = {
        said: rows[column].to_pylist()
        for said, column in named.items()
        if column in rows.column_names
    }
    keep = [
        not goes(meta["table"], {said: values[k] for said, values in names.items()})
        for k in range(rows.num_rows)
    ]
    if all(keep):
        return None
    left = rows.filter(pa.array(keep, pa.bool_()))
    if not left.num_rows:
        return b""
    sink = io.BytesIO()
    # What a column of categories no longer holds must not stay in its dictionary.
    plain = pa.schema([_plain(f) for f in left.schema], metadata=left.schema.metadata)
    with ipc.new_file(sink, plain) as file:
        file.write_table(left.cast(plain))
    return sink.getvalue()


def _plain(field: pa.Field) -> pa.Field:
    kind = field.type
    return field.with_type(kind.value_type) if isinstance(kind, pa.DictionaryType) else field


def _over(file: BinaryIO, at: int, data: bytes) -> None:
    file.seek(at)
    file.write(data)


def _flushed(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())

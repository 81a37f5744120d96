"""Spool files of the version before: lines of JSON, still taken in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tidemill.adapters.spool.rows import COLUMNS, NEEDED, table_of, turned
from tidemill.adapters.spool.segment import unlocked
from tidemill.core.ports import Json, Parcel


def lines_of(path: Path, done: Mapping[str, int]) -> list[Parcel]:
    """Return what waits in a file, a parcel a table."""
    parcels: list[Parcel] = []
    data = path.read_bytes()
    end = _end(path, data)
    for table, columns in COLUMNS.items():
        writer = f"{path.stem}:{table}"
        start = max(done.get(writer, 0), 0)
        rows = [r for t, r in map(parse, _said(data[start:end])) if t == table]
        if rows:
            parcels.append(
                Parcel(
                    table=table,
                    rows=table_of(turned(rows), NEEDED[table]),
                    columns=columns,
                    writer=writer,
                    sequence=end,
                    source="log",
                )
            )
    return parcels


def _end(path: Path, data: bytes) -> int:
    """Return how far a file may be read: to its last whole line while it is written to."""
    return data.rfind(b"\n") + 1 if not unlocked(path) else len(data)


def ends_of(path: Path) -> dict[str, int]:
    """Return, for each table with rows in a file, where its last row ends."""
    data = path.read_bytes()
    ends, at = {}, 0
    for line in data[: _end(path, data)].splitlines(keepends=True):
        at += len(line)
        if line.strip():
            ends[f"{path.stem}:{parse(line)[0]}"] = at
    return ends


def _said(data: bytes) -> list[bytes]:
    """Return the lines but those that are blank: what stood there was erased."""
    return [line for line in data.splitlines() if line.strip()]


def parse(line: bytes) -> tuple[str, Json]:
    """Return the table and the row of a line."""
    try:
        said = json.loads(line)
        table, row = said["table"], dict(said["row"])
    except (ValueError, KeyError, TypeError):
        table, row = "", {}
    if table in COLUMNS:
        return table, row
    # A torn or foreign line: it becomes a record without a time, and so goes to the quarantine.
    return "records", {"raw": line.decode(errors="replace")}

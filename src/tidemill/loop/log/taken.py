"""What becomes of a batch that is handed in: taken, or set aside with the reason.

Every row has one fate, and each is counted: accepted, already there, sampled out, waiting (a
label whose record has not come yet), or quarantined. Nothing is dropped in silence.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.errors import BadInput, unknown
from tidemill.core.records import MOMENT
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.loop.log.values import DATE, NUMBER, TEXT, VECTOR, Reading, kind_of, plain_rows

SKEW = timedelta(minutes=5)
"""How far a clock may be ahead before a prediction counts as from the future."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What became of a batch: rows ready to store, the quarantine, and what to tell."""

    rows: pa.Table
    quarantine: pa.Table
    kinds: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seen: int = 0
    already: int = 0


def set_aside(rows: pa.Table, table: str, source: str, reason: str, now: datetime) -> pa.Table:
    """Put whole rows into the quarantine for one reason."""
    reading = Reading(rows)
    reading.refuse(list(range(rows.num_rows)), reason)
    return quarantine(reading, table, source, now)


def id_column(reading: Reading, name: str) -> pa.Array:
    """Read a column of ids; rows without one are refused."""
    ids = reading.column(name, TEXT)
    reading.refuse(mask(pc.is_null(ids)), f"{name}: the id is missing")
    reading.refuse(mask(pc.equal(pc.utf8_trim_whitespace(ids), "")), f"{name}: the id is empty")
    return ids


def arrival_of(
    reading: Reading, columns: Columns | FactColumns, now: datetime, floor: datetime | None
) -> pa.Array:
    """When rows could first be seen: as declared, never later than now, never back-dated."""
    stamp = pa.scalar(now, MOMENT)
    if columns.available_at is None:
        return pa.array([now] * reading.rows.num_rows, MOMENT)
    declared = reading.column(columns.available_at, DATE, timezone=columns.timezone)
    reading.refuse(mask(pc.is_null(declared)), f"{columns.available_at}: the arrival is missing")
    future = pc.greater(declared, stamp)
    reading.refuse(mask(future), f"{columns.available_at}: arrives in the future")
    if floor is None:
        return declared
    early = pc.fill_null(pc.less_equal(declared, pa.scalar(floor, MOMENT)), False)
    count = int(mask(early).sum())
    if count:
        reading.notes.append(
            f"{count} rows count as arriving now: their stated arrival is before the last "
            f"turn at {floor.isoformat(timespec='seconds')}"
        )
    return pc.if_else(early, stamp, declared)


def stated_kind(columns: Columns | FactColumns, name: str | None) -> str | None:
    """Return the kind a column was said to have, whatever its cells look like."""
    return NUMBER if name in columns.numbers else None


def either(
    reading: Reading, name: str | None, *, kind: str | None = None
) -> tuple[pa.Array, pa.Array]:
    """Read a column of numbers or texts into two columns, one of them null."""
    nothing = reading.column(None, NUMBER), reading.column(None, TEXT)
    if name is None:
        return nothing
    if name not in reading.rows.column_names:
        raise unknown("column", name, reading.rows.column_names)
    column = reading.rows[name]
    try:
        kind = kind or kind_of(column, name) or NUMBER
    except BadInput:
        kind = VECTOR
    if kind not in (NUMBER, TEXT):
        wrong = f"{name}: expected a number or a text, got {column.type}"
        reading.refuse(mask(pc.is_valid(column)), wrong)
        return nothing
    values = reading.column(name, kind)
    return (values, nothing[1]) if kind == NUMBER else (nothing[0], values)


def quarantine(reading: Reading, table: str, source: str, now: datetime) -> pa.Table:
    """Return the refused rows, each with its reason and as it came."""
    where = sorted(reading.reasons)
    rows = plain_rows(reading.rows.take(pa.array(where, pa.int64()))) if where else []
    texts = [json.dumps(r, default=str, ensure_ascii=False)[:10_000] for r in rows]
    digest = hashlib.blake2b
    keys = [
        digest(f"{table}\x1f{source}\x1f{k}\x1f{t}".encode(), digest_size=12).hexdigest()
        for k, t in zip(where, texts, strict=True)
    ]
    return with_day(
        pa.table(
            {
                "quarantine_id": pa.array(keys, pa.string()),
                "available_at": pa.array([now] * len(where), MOMENT),
                "table": pa.array([table] * len(where), pa.string()),
                "source": pa.array([source] * len(where), pa.string()),
                "reason": pa.array([reading.reasons[k] for k in where], pa.string()),
                "row": pa.array(texts, pa.string()),
            }
        ),
        "available_at",
    )


def with_day(rows: pa.Table, column: str) -> pa.Table:
    """Add the partition column: the day in UTC of a column of moments."""
    return rows.append_column(
        "day", rows[column].cast(pa.timestamp("us")).cast(pa.date32(), safe=False)
    )


def mask(values: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return a mask as numpy, null counting as False."""
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=bool)

"""Taking in facts about records: labels and feedback."""

from __future__ import annotations

import hashlib
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.records import MOMENT
from tidemill.loop.log.columns import FactColumns
from tidemill.loop.log.taken import (
    SKEW,
    Taken,
    arrival_of,
    either,
    id_column,
    mask,
    quarantine,
    stated_kind,
)
from tidemill.loop.log.values import DATE, NUMBER, TEXT, Reading


def take_facts(
    table: pa.Table,
    columns: FactColumns,
    *,
    name: str,
    now: datetime,
    floor: datetime | None,
    source: str,
    source_kind: str = "outcome",
    kind: str | None = None,
    versions: bool = False,
) -> Taken:
    """Turn a user's table of labels or feedback into facts about records.

    ``name`` is ``labels`` or ``feedback``; ``kind`` what labels have been so far, numbers or
    texts, since a model cannot learn from both; with ``versions`` the rows are in the order in
    which they came, and an earlier label of a record is a label too. The rows still lack their
    record's time: whoever stores them looks it up, and lets those wait whose record has not come.
    """
    reading = Reading(table)
    ids = id_column(reading, columns.id)
    value, text = either(reading, columns.value, kind=kind or stated_kind(columns, columns.value))
    empty = pc.and_(pc.is_null(value), pc.is_null(text))
    reading.refuse(mask(empty), f"{columns.value}: the value is missing or NaN")
    happened = reading.column(columns.happened_at, DATE, timezone=columns.timezone)
    future = pc.greater(happened, pa.scalar(now + SKEW, MOMENT))
    reading.refuse(mask(future), f"{columns.happened_at}: happened in the future")
    arrival = arrival_of(reading, columns, now, floor)
    stated = reading.column(columns.available_at, DATE, timezone=columns.timezone)
    names = ("label", "label_text") if name == "labels" else ("value", "value_text")
    rows = {
        "record_id": ids,
        "happened_at": happened,
        "available_at": arrival,
        "received_at": arrival if columns.available_at is None else stated,
        "source": pa.array([source] * table.num_rows, pa.string()),
        names[0]: value,
        names[1]: text,
    }
    if name == "labels":
        rows["source_kind"] = pa.array([source_kind] * table.num_rows, pa.string())
        rows["cost"] = reading.column(columns.cost, NUMBER)
        rows["paid_at"] = pc.if_else(pc.is_valid(rows["cost"]), arrival, pa.scalar(None, MOMENT))
    else:
        rows["kind"] = reading.column(columns.kind, TEXT)
    whole = pa.table(rows)
    about = [*names, "record_id", "source", "happened_at"]
    if name == "labels":
        whole = whole.append_column("label_id", _fact_ids(whole, about))
        already = (
            _said_before(reading, whole, "label_id")
            if versions
            else _earlier_versions(reading, whole, names)
        )
    else:
        whole = whole.append_column("feedback_id", _fact_ids(whole, [*about, "kind"]))
        already = _said_before(reading, whole, "feedback_id")
    keep = pa.array(reading.good & ~already)
    kept = whole.filter(keep)
    numbers = kept[names[0]].null_count < kept.num_rows
    return Taken(
        rows=kept,
        kinds={names[0]: NUMBER if numbers else TEXT} if kept.num_rows else {},
        quarantine=quarantine(reading, name, source, now),
        notes=tuple(reading.notes),
        seen=table.num_rows,
        already=int((already & reading.good).sum()),
    )


def _said_before(reading: Reading, rows: pa.Table, name: str) -> np.ndarray:
    """Find facts that stand earlier in the batch, equal in everything."""
    already, seen = np.zeros(rows.num_rows, dtype=bool), set[str]()
    for k, key in enumerate(rows[name].to_pylist()):
        if k not in reading.reasons:
            already[k] = key in seen
            seen.add(key)
    return already


def _earlier_versions(reading: Reading, rows: pa.Table, names: tuple[str, str]) -> np.ndarray:
    """Within a batch the last of several labels of a record counts; equal ones are one."""
    ids = rows["record_id"].to_pylist()
    already = np.zeros(len(ids), dtype=bool)
    if len(set(ids)) == len(ids):
        return already
    values = list(zip(rows[names[0]].to_pylist(), rows[names[1]].to_pylist(), strict=True))
    last: dict[str, int] = {}
    for k in range(len(ids) - 1, -1, -1):
        if k in reading.reasons:
            continue
        at = last.setdefault(ids[k], k)
        if at != k and values[at] == values[k]:
            already[k] = True
        elif at != k:
            reading.refuse([k], "a later row of the file gives this record another label")
    return already


def _fact_ids(rows: pa.Table, names: list[str]) -> pa.Array:
    """Name each fact by its content and its arrival as stated, so that a file is known again."""
    columns = [rows[n].cast(pa.string()).to_pylist() for n in (*names, "received_at")]
    digest = hashlib.blake2b
    return pa.array(
        [
            digest("\x1f".join(map(str, parts)).encode(), digest_size=12).hexdigest()
            for parts in zip(*columns, strict=True)
        ],
        pa.string(),
    )

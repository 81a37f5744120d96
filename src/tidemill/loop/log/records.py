"""Taking in records: predictions, with what the model saw and said."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.draws import draws, row_hash
from tidemill.core.errors import BadInput, unknown
from tidemill.core.records import FEATURE, KNOWN, MOMENT
from tidemill.loop.log.columns import Columns
from tidemill.loop.log.taken import (
    SKEW,
    Taken,
    arrival_of,
    either,
    id_column,
    mask,
    quarantine,
    stated_kind,
    with_day,
)
from tidemill.loop.log.values import DATE, NUMBER, TEXT, Reading, kind_of, plain_rows, safe_name


def take_records(
    table: pa.Table,
    columns: Columns,
    *,
    now: datetime,
    floor: datetime | None,
    kinds: dict[str, str],
    salt: str,
    source: str,
) -> Taken:
    """Turn a user's table of predictions into records.

    Parameters
    ----------
    table
        n rows.
    columns
        Which column means what.
    now
        When the rows are taken in; ``available_at`` where no arrival is declared.
    floor
        No row may claim to have been available before this: the last turn looked then.
    kinds
        The kind of each feature seen before; new ones are added in the result.
    """
    reading = Reading(table)
    at = reading.column(columns.time, DATE, timezone=columns.timezone)
    reading.refuse(mask(pc.is_null(at)), f"{columns.time}: the time is missing")
    late = pc.greater(at, pa.scalar(now + SKEW, MOMENT))
    reading.refuse(mask(late), f"{columns.time}: predicted in the future")
    ids = _ids(reading, columns)
    kinds, stored = _features(reading, columns, kinds)
    stored |= _known(reading, columns, at, stored)
    output, output_text = either(reading, columns.output, kind=stated_kind(columns, columns.output))
    envelope = {
        "record_id": ids,
        "predicted_at": at,
        "available_at": arrival_of(reading, columns, now, floor),
        "model": reading.column(columns.model, TEXT),
        "unit": reading.column(columns.unit, TEXT),
        "output": output,
        "output_text": output_text,
        "score": reading.column(columns.score, NUMBER),
        "latency_ms": reading.column(columns.latency_ms, NUMBER),
        "payload": reading.column(columns.payload, TEXT),
        "tags": _tags(reading, columns),
    }
    rows = pa.table(envelope | stored)
    rows = rows.append_column("row_hash", row_hash(_seen_at_prediction(rows)))
    for name, values in draws(salt, _texts(ids)).items():
        rows = rows.append_column(name, pa.array(values))
    rows = with_day(rows, "predicted_at")
    already = _repeats(reading, rows, ["row_hash", "predicted_at"])
    keep = reading.good & ~already
    return Taken(
        rows=rows if keep.all() else rows.filter(pa.array(keep)),  # a copy of them all is large
        quarantine=quarantine(reading, "records", source, now),
        kinds=kinds,
        notes=tuple(reading.notes),
        seen=table.num_rows,
        already=int((already & reading.good).sum()),
    )


def _ids(reading: Reading, columns: Columns) -> pa.Array:
    if columns.id is None:
        names = [n for n in reading.rows.column_names if n != columns.available_at]
        texts = (
            json.dumps(r, sort_keys=True, default=str)
            for r in plain_rows(reading.rows.select(names))
        )
        digest = hashlib.blake2b
        return pa.array(
            [digest(t.encode(), digest_size=12).hexdigest() for t in texts], pa.string()
        )
    return id_column(reading, columns.id)


def _features(
    reading: Reading, columns: Columns, kinds: dict[str, str]
) -> tuple[dict[str, str], dict[str, pa.Array]]:
    named = set(columns.named())
    wanted = columns.features
    if wanted is None:
        every = (n for n in reading.rows.column_names if n.startswith(columns.prefix))
        wanted = [n for n in every if n not in named]
    before, kinds, stored = kinds, dict(kinds), {}
    for name in wanted:
        if name not in reading.rows.column_names:
            raise unknown("column", name, reading.rows.column_names)
        said = name.removeprefix(columns.prefix)
        kept, column = safe_name(said), reading.rows[name]
        kind, wrong = _usable(kept, column, kinds, stored)
        if not wrong and kept not in before:
            kind = stated_kind(columns, name) or kind
        if wrong:
            reading.refuse(mask(pc.is_valid(column)), f"feature {said!r} {wrong}")
            continue
        if kept != said:
            reading.notes.append(f"feature {said!r} is kept as {kept!r}")
        if kind is None:
            reading.notes.append(f"feature {said!r} is empty and was left out")
            continue
        if before and kept not in before:
            reading.notes.append(f"new feature {kept!r} ({kind})")
        kinds[kept] = kind
        stored[FEATURE + kept] = reading.column(name, kind, timezone=columns.timezone)
    missing = sorted(k for k in kinds if FEATURE + k not in stored)
    if missing:
        reading.notes.append(f"no column for {', '.join(missing)}: null there")
    return kinds, stored


def _usable(
    kept: str, column: pa.ChunkedArray, kinds: dict[str, str], stored: dict[str, pa.Array]
) -> tuple[str | None, str]:
    """Tell the kind of a feature, None when it is empty; or what is wrong with it."""
    twins = [k for k in (*kinds, *(s.removeprefix(FEATURE) for s in stored)) if k != kept]
    twin = next((k for k in twins if k.lower() == kept.lower()), None)
    if not kept:
        return None, "has no letter or digit in its name: rename it"
    if FEATURE + kept in stored:
        return None, f"is kept as {kept!r}, as is another one: rename it"
    if twin is not None:
        # Tables and engines do not tell them apart.
        return None, f"differs from the feature {twin!r} only in case: write it {twin!r}"
    if kept in kinds:
        return kinds[kept], ""
    try:
        return kind_of(column, kept), ""
    except BadInput as error:
        return None, f"holds {column.type}: {error.fix.removesuffix('.')}"


def _known(
    reading: Reading, columns: Columns, at: pa.Array, stored: dict[str, pa.Array]
) -> dict[str, pa.Array]:
    known = {}
    for feature, column in columns.known.items():
        if FEATURE + safe_name(feature) not in stored:
            if columns.prefix + feature in reading.rows.column_names:
                continue  # empty here, so there is nothing to hide
            raise BadInput(f"--known names {feature!r}, which is no feature.", fix="check --known.")
        values = reading.column(column, DATE, timezone=columns.timezone)
        # Known at a time nobody stated, though the column exists: never known.
        never = pa.scalar(datetime.fromisoformat("9999-01-01T00:00:00+00:00"), MOMENT)
        known[KNOWN + safe_name(feature)] = pc.if_else(pc.is_null(values), never, values)
    return known


def _seen_at_prediction(rows: pa.Table) -> pa.Table:
    """Hide features that became known only later, as every reader sees the row."""
    for name in [n for n in rows.column_names if n.startswith(KNOWN)]:
        feature = FEATURE + name.removeprefix(KNOWN)
        late = pc.greater(rows[name], rows["predicted_at"])
        hidden = pc.if_else(late, pa.scalar(None, rows[feature].type), rows[feature])
        rows = rows.set_column(rows.column_names.index(feature), feature, hidden)
    return rows


def _tags(reading: Reading, given: Columns) -> pa.Array:
    if given.tags_json is not None:
        return reading.column(given.tags_json, TEXT)
    names = given.tags
    if not names:
        return pa.nulls(reading.rows.num_rows, pa.string())
    columns = [reading.column(n, TEXT).to_pylist() for n in names]
    pairs = (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))
    kept = ({k: v for k, v in p.items() if v is not None} for p in pairs)
    return pa.array([json.dumps(t, sort_keys=True) if t else None for t in kept], pa.string())


def _repeats(reading: Reading, rows: pa.Table, same: list[str]) -> np.ndarray:
    """Find ids that repeat inside the batch: equal rows are already there, others refused."""
    ids = rows["record_id"].to_pylist()
    already = np.zeros(len(ids), dtype=bool)
    if len(set(ids)) == len(ids):
        return already
    content = list(zip(*(rows[n].to_pylist() for n in same), strict=True))
    first: dict[str, int] = {}
    for k, key in enumerate(ids):
        if key is None or k in reading.reasons:
            continue
        at = first.setdefault(key, k)
        if at != k and content[at] == content[k]:
            already[k] = True
        elif at != k:
            reading.refuse([k], "the same id stands earlier in the file with other content")
    return already


def _texts(ids: pa.Array) -> list[str]:
    return [i or "" for i in ids.to_pylist()]

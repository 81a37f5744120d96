"""Rows of the spool as Arrow: one column a field, a feature or nothing."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

import pyarrow as pa

from tidemill.core.ports import Json

FEATURE = "feature:"
_RECORDS: Json = {
    "model": "model",
    "unit": "unit",
    "output": "output",
    "score": "score",
    "latency_ms": "latency_ms",
    "payload": "payload",
    "tags_json": "tags",
    "prefix": FEATURE,
}
_FEEDBACK: Json = {"value": "value", "kind": "kind", "happened_at": "happened_at"}
_LABELS: Json = {"value": "label", "happened_at": "happened_at"}
NEEDED = {
    "records": [*(v for k, v in _RECORDS.items() if k != "prefix"), "record_id", "predicted_at"],
    "feedback": ["record_id", *_FEEDBACK.values()],
    "labels": ["record_id", *_LABELS.values()],
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COLUMNS = {"records": _RECORDS, "feedback": _FEEDBACK, "labels": _LABELS}


def table_of(columns: dict[str, list[Any]], needed: list[str]) -> pa.Table:
    """Make a table of the fields of rows, a list each, that has at least the needed columns."""
    said = dict(columns)
    features = [f or {} for f in said.pop("features", [])]
    n = len(next(iter(columns.values())))
    said = {name: said.get(name) or [None] * n for name in dict.fromkeys([*needed, *said])}
    if not all(isinstance(f, dict) for f in features):
        no = [None if isinstance(f, dict) else _text(f) for f in features]
        raw = said.get("raw") or [None] * n
        said["raw"] = [r if f is None else f for r, f in zip(raw, no, strict=True)]
        features = [f if isinstance(f, dict) else {} for f in features]
    arrays = {name: _FORMS.get(name, _column)(values) for name, values in said.items()}
    found = {f"{FEATURE}{name}": _column(v) for name, v in turned(features).items()}
    return pa.table(arrays | found)


def turned(rows: list[Json]) -> dict[str, list[Any]]:
    """Turn rows into columns, fast where all have the same names, as of one model."""
    names = list(rows[0]) if rows else []
    if len(names) > 1 and all(len(r) == len(names) for r in rows):
        with suppress(KeyError):
            found = zip(*map(itemgetter(*names), rows), strict=True)
            return dict(zip(names, map(list, found), strict=True))
    return {n: [r.get(n) for r in rows] for n in dict.fromkeys(n for r in rows for n in r)}


def _tags(values: list[Any]) -> pa.Array:
    said = [json.dumps(v, sort_keys=True, default=str) if v else None for v in values]
    return pa.array(said, None if any(values) else pa.null())


def _moments(values: list[Any]) -> pa.Array:
    """Say moments: the logger's own are nanoseconds since 1970, what a caller gave is a text."""
    own = [type(v) is int for v in values]
    if all(own):
        return pa.array([v // 1000 for v in values], pa.timestamp("us", "UTC"))
    return _column([_written(v) if mine else v for v, mine in zip(values, own, strict=True)])


def _written(nanoseconds: int) -> str | None:
    return (_EPOCH + timedelta(microseconds=nanoseconds // 1000)).isoformat()


def _column(values: list[Any]) -> pa.Array:
    try:
        column = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
        column = None
    if column is not None and not pa.types.is_temporal(column.type):
        return column
    said = [v.isoformat() if isinstance(v, datetime) else v for v in values]
    # Of several types: as text; what does not fit its column's kind is set aside there.
    return pa.array([None if v is None else _text(v) for v in said], pa.string())


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair is no text


_FORMS = {"predicted_at": _moments, "happened_at": _moments, "tags": _tags}

"""Rows of the spool as Arrow: one column a field, a feature or nothing."""

from __future__ import annotations

import json
from datetime import datetime
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
COLUMNS = {"records": _RECORDS, "feedback": _FEEDBACK, "labels": _LABELS}


def table_of(rows: list[Json], needed: list[str]) -> pa.Table:
    """Turn rows into a table that has at least the needed columns."""
    flat = [_flat(r) for r in rows]
    names = list(dict.fromkeys([*needed, *(n for r in flat for n in r)]))
    return pa.table({n: _column([r.get(n) for r in flat]) for n in names})


def _flat(row: Json) -> Json:
    features = row.get("features") or {}
    flat = {k: v for k, v in row.items() if k not in ("features", "tags")}
    if row.get("tags"):
        flat["tags"] = json.dumps(row["tags"], sort_keys=True, default=str)
    if not isinstance(features, dict):
        return flat | {"raw": _text(features)}
    return flat | {f"{FEATURE}{k}": _said(v) for k, v in features.items()}


def _said(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _column(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
        # Of several types: as text; what does not fit its column's kind is set aside there.
        return pa.array([None if v is None else _text(v) for v in values], pa.string())


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair is no text

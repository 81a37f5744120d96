"""What users hand over, as rows: tables, data frames, dicts and lists of them, and what is said of them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from tidemill.adapters.spool.rows import FEATURE
from tidemill.core.errors import BadInput
from tidemill.core.ports import Json
from tidemill.loop.log.values import each_once


def arrow(data: Any) -> pa.Table:
    """Turn what a user has into Arrow: a table, a DataFrame, a dict or a list of dicts.

    Raises
    ------
    BadInput
        If it is none of them, or its columns cannot be told.
    """
    try:
        if isinstance(data, pa.Table):
            return data
        if isinstance(data, Mapping):
            return pa.table({k: pa.array(v) for k, v in data.items()})
        if isinstance(data, Sequence) and all(isinstance(r, Mapping) for r in data):
            names = list(dict.fromkeys(n for r in data for n in r))
            return pa.table({n: pa.array([r.get(n) for r in data]) for n in names})
        if hasattr(data, "__arrow_c_stream__"):
            return pa.table(data)
    except Exception as error:  # noqa: BLE001 - a value of the user's may raise anything
        raise BadInput(
            f"the rows cannot be read as a table: {_said(error)}.",
            fix="give every column values of one type.",
        ) from None
    raise BadInput(
        f"{type(data).__name__} is no table.",
        fix="give a dict, a list of dicts, an Arrow table, or a pandas or polars DataFrame.",
    )


def rows_of(features: Any) -> pa.Table:
    """Turn the features of one prediction, or of many, into a table."""
    return arrow([features] if isinstance(features, Mapping) else features)


def record_of(features: Mapping[Any, Any], key: str, at: str, *, tags: Any, **said: Any) -> Json:
    """Return what is logged of one prediction, in values that can be written down.

    Examples
    --------
    >>> row = record_of({"x": np.float32(1.5)}, "a", "2026-01-01", tags=None, score=np.float64(0.5))
    >>> row["features"], row["score"]
    ({'x': 1.5}, 0.5)
    """
    given = {text_of(k, "the name of a feature"): plain(v) for k, v in features.items()}
    row: Json = {"record_id": key, "predicted_at": at, "features": given}
    row |= {name: plain(value) for name, value in said.items()}
    return row | {"tags": tags_of(tags)}


def batch_of(
    features: pa.Table, ids: Any, at: Any, *, tags: Any, **said: Any
) -> tuple[pa.Table, Json]:
    """Return what is logged of many predictions, and which column of it means what.

    Examples
    --------
    >>> rows, columns = batch_of(pa.table({"x": [1, 2]}), ["a", "b"], 0, tags={"k": "v"}, score=0.5)
    >>> rows.column_names, columns
    (['feature:x', 'record_id', 'predicted_at', 'score', 'tag_k'], \
{'prefix': 'feature:', 'tags': ['tag_k'], 'score': 'score'})

    Raises
    ------
    BadInput
        If two columns have one name, or a value is there for other rows than these.
    """
    n, words = features.num_rows, tags_of(tags) or {}
    each_once(features.column_names)
    ids = [uuid.uuid4().hex for _ in range(n)] if ids is None else ids
    found = {"record_id": ids, "predicted_at": at, **said}
    found |= {f"tag_{k}": v for k, v in words.items()}
    rows = features.rename_columns([FEATURE + c for c in features.column_names])
    columns: Json = {"prefix": FEATURE}
    if words:
        columns["tags"] = [f"tag_{k}" for k in words]
    for name, value in found.items():
        if value is not None:
            rows = rows.append_column(name, spread(value, n, name))
            if name in said:
                columns[name] = name
    return rows, columns


def spread(value: Any, n: int, name: str) -> pa.Array:
    """Turn one value, or one for each of n rows, into a column."""
    if isinstance(value, str | bytes | float | int | bool | datetime) or value is None:
        value = [value] * n
    try:
        values = value if isinstance(value, pa.Array | pa.ChunkedArray) else list(value)
    except Exception as error:  # noqa: BLE001 - a value of the user's may raise anything
        raise _unreadable(name, error) from None
    if len(values) != n:
        raise BadInput(
            f"{name} has {len(values)} values for {n} records.", fix="give one, or one a record."
        )
    try:
        return values if not isinstance(values, list) else pa.array(values)
    except Exception as error:  # noqa: BLE001 - as above
        raise _unreadable(name, error) from None


def _unreadable(name: str, error: Exception) -> BadInput:
    return BadInput(
        f"the values of {name} cannot be read: {_said(error)}.", fix="give values of one type."
    )


def _said(error: Exception) -> str:
    """Return what an error says, on one line, however much it says."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - even that may raise
        text = ""
    return (text or type(error).__name__)[:300].rstrip(".")


def text_of(value: Any, name: str) -> str:
    """Return a value as text.

    Raises
    ------
    BadInput
        If it cannot be written down.
    """
    try:
        return value.isoformat() if isinstance(value, datetime) else str(value)
    except Exception as error:  # noqa: BLE001 - a value of the user's may raise anything
        raise BadInput(
            f"{name} is a {type(value).__name__} that cannot be written down: {_said(error)}.",
            fix="give a text.",
        ) from None


def tags_of(tags: Any) -> dict[str, Any] | None:
    """Return tags as a dict, None where there are none.

    Raises
    ------
    BadInput
        If they are no mapping.
    """
    if tags is None or isinstance(tags, Mapping):
        return {text_of(k, "the name of a tag"): v for k, v in tags.items()} if tags else None
    raise BadInput(
        f"tags are a {type(tags).__name__}, not names with texts.", fix="give {'name': 'text'}."
    )


def plain(value: Any) -> Any:
    """Turn a numpy value into Python's, a time into ISO text; the rest JSON takes or not."""
    if isinstance(value, np.generic):
        value = value.item()
    elif isinstance(value, np.ndarray):
        value = value.tolist()
    return value.isoformat() if isinstance(value, datetime) else value

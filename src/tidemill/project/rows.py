"""What users hand over, as Arrow: tables, data frames, dicts and lists of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from tidemill.core.errors import BadInput


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
    except (pa.ArrowInvalid, TypeError, ValueError, OverflowError) as error:
        raise BadInput(
            f"the rows cannot be read as a table: {' '.join(str(error).split())}.",
            fix="give every column values of one type.",
        ) from None
    raise BadInput(
        f"{type(data).__name__} is no table.",
        fix="give a dict, a list of dicts, an Arrow table, or a pandas or polars DataFrame.",
    )


def spread(value: Any, n: int, name: str) -> pa.Array:
    """Turn one value, or one for each of n rows, into a column."""
    if isinstance(value, str | bytes | float | int | bool | datetime) or value is None:
        return pa.array([value] * n)
    values = value if isinstance(value, pa.Array | pa.ChunkedArray) else list(value)
    if len(values) != n:
        raise BadInput(
            f"{name} has {len(values)} values for {n} records.", fix="give one, or one a record."
        )
    try:
        return values if not isinstance(values, list) else pa.array(values)
    except (pa.ArrowInvalid, TypeError, ValueError, OverflowError) as error:
        raise BadInput(
            f"the values of {name} cannot be read: {' '.join(str(error).split())}.",
            fix="give values of one type.",
        ) from None


def plain(value: Any) -> Any:
    """Turn a numpy value into Python's, a time into ISO text; the rest JSON takes or not."""
    if isinstance(value, np.generic):
        value = value.item()
    elif isinstance(value, np.ndarray):
        value = value.tolist()
    return value.isoformat() if isinstance(value, datetime) else value

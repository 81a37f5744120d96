"""Counting the columns of an Arrow table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tidemill.measures.categories import Categories
from tidemill.measures.grid import Grid
from tidemill.measures.numbers import Numbers
from tidemill.measures.profile import Profile

_A_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def count(
    table: pa.Table,
    *,
    grids: Mapping[str, Grid],
    most: int,
    start: datetime | None,
    end: datetime | None,
) -> Profile:
    """Count a table in memory; as :func:`tidemill.measures.profile.of_table`."""
    columns: dict[str, Numbers | Categories] = {}
    kinds: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for name in table.column_names:
        if table.column_names.count(name) > 1:
            skipped[name] = "there are several columns of this name"
            continue
        column = table.column(name)
        kind = kind_of(column.type)
        if kind is None:
            skipped[name] = f"a column of type {column.type} cannot be counted"
            continue
        kinds[name] = kind
        columns[name] = column_of(column, kind=kind, grid=grids.get(name), most=most)
    return Profile(
        rows=table.num_rows, columns=columns, kinds=kinds, start=start, end=end, skipped=skipped
    )


def kind_of(type_: pa.DataType) -> str | None:
    """Say how a type is counted; None where it cannot be.

    Examples
    --------
    >>> kind_of(pa.int32()), kind_of(pa.bool_()), kind_of(pa.list_(pa.int8()))
    ('number', 'category', None)
    """
    if pa.types.is_dictionary(type_):
        return kind_of(type_.value_type)
    if pa.types.is_null(type_):
        return "null"
    if pa.types.is_timestamp(type_) or pa.types.is_date(type_):
        return "time"
    timed = pa.types.is_duration(type_) or pa.types.is_time(type_)
    if timed or any(
        is_it(type_) for is_it in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    ):
        return "number"
    texts = (pa.types.is_boolean, pa.types.is_string, pa.types.is_large_string)
    if any(is_it(type_) for is_it in texts) or type_ == pa.string_view():
        return "category"
    return None


def column_of(
    column: pa.ChunkedArray | pa.Array, *, kind: str, grid: Grid | None, most: int
) -> Numbers | Categories:
    """Count one column as the kind it is."""
    if kind == "null":
        return Categories(counts=np.zeros(0, np.int64), nulls=len(column), most=most)
    column = without_dictionary(column)
    nulls = column.null_count
    known = column.drop_null() if nulls else column
    if kind == "category":
        return categories_of(known, nulls=nulls, most=most)
    values = values_of(known)
    return Numbers.of_values(grid or Grid.around(values), values, nulls=nulls)


def without_dictionary(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Return the values themselves where a column has numbers that stand for them."""
    coded = pa.types.is_dictionary(column.type)
    return column.cast(column.type.value_type) if coded else column


def values_of(known: pa.ChunkedArray | pa.Array) -> NDArray[np.float64]:
    """Return values without nulls as floats; times in seconds since 1970, or midnight."""
    type_ = known.type
    if pa.types.is_date32(type_):
        return _array(known.cast(pa.int32())).astype(np.float64) * 86_400.0
    if pa.types.is_date64(type_):
        return _array(known.cast(pa.int64())) / 1e3
    if any(t(type_) for t in (pa.types.is_timestamp, pa.types.is_duration, pa.types.is_time)):
        whole = _array(known.cast(pa.int32() if pa.types.is_time32(type_) else pa.int64()))
        if type_.unit == "ns":  # as exact as a Python datetime: microseconds fit in a float
            return (whole // 1_000) / 1e6
        return whole / _A_SECOND[type_.unit]
    if not pa.types.is_float64(type_):
        known = known.cast(pa.float64(), safe=False)
    return _array(known)


def _array(known: pa.ChunkedArray | pa.Array) -> NDArray[Any]:
    """Return values without nulls; `to_numpy` would load pandas, which takes half a second."""
    return np.from_dlpack(known.combine_chunks() if isinstance(known, pa.ChunkedArray) else known)


def categories_of(known: pa.ChunkedArray | pa.Array, *, nulls: int = 0, most: int) -> Categories:
    """Count values without nulls."""
    met, others, error = met_in(known, most=most)
    return Categories.of_counts(met, nulls=nulls, others=others, error=error, most=most)


def met_in(known: pa.ChunkedArray | pa.Array, *, most: int) -> tuple[dict[str, int], int, int]:
    """Count values without nulls; keep the most frequent, and say what else there was."""
    if not (pa.types.is_string(known.type) or pa.types.is_large_string(known.type)):
        known = known.cast(pa.string())
    met: Any = pc.value_counts(known)
    values, counts = met.field("values"), met.field("counts").to_numpy()
    others = error = 0
    if len(counts) > most:
        last = np.sort(counts)[-most]
        more, equal = np.flatnonzero(counts > last), np.flatnonzero(counts == last)
        # Of values met equally often, the first in the alphabet.
        order = pc.sort_indices(values.take(pa.array(equal))).to_numpy()
        kept = np.concatenate([more, equal[order[: most - more.size]]])
        others = int(counts.sum() - counts[kept].sum())
        error = int(np.delete(counts, kept).max())
        values, counts = values.take(pa.array(kept)), counts[kept]
    return dict(zip(values.to_pylist(), counts.tolist(), strict=True)), others, error

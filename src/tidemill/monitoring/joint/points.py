"""Tables as points: the numbers and vectors of a row as one vector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidemill.core.errors import BadInput

Floats = NDArray[np.float64]


def points(tables: Sequence[pa.Table]) -> list[Floats]:
    """Return the points of each table, shape (rows, d); what is missing is NaN.

    Raises
    ------
    BadInput
        If a column is neither numbers nor vectors of one length.

    Examples
    --------
    >>> rows = pa.table({"x": [1.0, None], "v": [[1.0, 2.0], [3.0, 4.0]]})
    >>> points([rows])[0].tolist()
    [[1.0, 1.0, 2.0], [nan, 3.0, 4.0]]
    """
    if not tables:
        return []
    lengths = {name: _length(name, tables) for name in tables[0].column_names}
    if not lengths:
        raise BadInput("no column of numbers is left to compare.", fix="name some in columns=.")
    return [
        np.hstack([_column(table[name], name, length) for name, length in lengths.items()])
        for table in tables
    ]


def is_numeric(kind: pa.DataType) -> bool:
    """Tell whether values of a type are numbers, or vectors of them."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _number(kind.value_type)
    return _number(kind)


def _number(kind: pa.DataType) -> bool:
    types = pa.types
    return types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)


def _vector(kind: pa.DataType) -> bool:
    return not _number(kind) and is_numeric(kind)


def _length(name: str, tables: Sequence[pa.Table]) -> int:
    """Return how many numbers a column has in each row; 0 for one that is no vector."""
    found: set[int] = set()
    for table in tables:
        kind = table.schema.field(name).type
        if not is_numeric(kind):
            raise BadInput(
                f"column {name!r} is {kind}, no number and no vector.",
                fix="leave it out, or give a projection that makes numbers of it.",
            )
        if _vector(kind):
            found |= {len(v) for v in table[name].drop_null().to_pylist()}
        elif table.num_rows:
            found.add(0)
    if len(found) > 1:
        raise BadInput(
            f"the vectors of {name!r} have {min(found)} to {max(found)} numbers.",
            fix="give vectors of one length.",
        )
    return next(iter(found), 0)


def _column(column: pa.ChunkedArray, name: str, length: int) -> Floats:
    if not _vector(column.type):
        numbers = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return np.asarray(numbers, dtype=np.float64)[:, None]
    rows = np.full((len(column), max(1, length)), np.nan)
    for at, value in enumerate(column.to_pylist()):
        if value is not None and length:
            rows[at] = [np.nan if v is None else v for v in value]
    return rows

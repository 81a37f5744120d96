"""Order and groups on Arrow as DuckDB has them: NaN is equal to itself and greatest.

Everything comparable is first written as whole numbers in the same order; nulls are apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
EXACT = 2**53
"""Whole numbers up to here are exact as float64."""
_NAN = np.iinfo(np.int64).max


class NotKnown(Exception):
    """The expression is none that is evaluated here: the other engine is asked, no user sees it."""


def kind(of: pa.DataType) -> str:
    """Return what sort of values a type holds; equal kinds compare as whole numbers do.

    Examples
    --------
    >>> kind(pa.float64()), kind(pa.int16()), kind(pa.timestamp("us", tz="UTC"))
    ('float', 'int', 'moment')
    """
    if of == pa.float64():
        return "float"
    if pa.types.is_signed_integer(of):
        return "int"
    if of == pa.timestamp("us", tz="UTC"):
        return "moment"
    if pa.types.is_boolean(of):
        return "bool"
    if of == pa.string():
        return "text"
    if of == pa.date32():
        return "day"
    raise NotKnown(of)


def float_codes(values: npt.NDArray[np.float64]) -> Codes:
    """Write floats as whole numbers in DuckDB's order: -0.0 is 0.0, NaN is above infinity.

    Examples
    --------
    >>> codes = float_codes(np.array([-np.inf, -1.0, -0.0, 0.0, 2.0, np.inf, np.nan, -np.nan]))
    >>> np.sign(np.diff(codes)).tolist()
    [1, 1, 0, 1, 1, 1, 0]
    """
    bits = (values + 0.0).view(np.int64)
    codes = np.where(bits < 0, bits ^ np.int64(_NAN), bits)
    nan = np.isnan(values)
    return np.where(nan, _NAN, codes) if nan.any() else codes


def codes_of(column: pa.Array) -> tuple[Codes, Mask | None]:
    """Write a column as whole numbers in the same order, and which are there; None is all."""
    valid = column.is_valid().to_numpy(zero_copy_only=False) if column.null_count else None
    sort = kind(column.type)
    if sort == "text":
        return pc.rank(column, tiebreaker="dense").to_numpy().astype(np.int64), valid
    if sort == "float":
        values = (pc.fill_null(column, 0.0) if valid is not None else column).to_numpy()
        return float_codes(values), valid
    if sort == "day":
        column = column.cast(pa.int32())
    whole = column.cast(pa.int64())
    return (pc.fill_null(whole, 0) if valid is not None else whole).to_numpy(), valid


def _refuse_minus_zero(columns: Iterable[pa.Array]) -> None:
    """Leave -0.0 to DuckDB, which may return it as 0.0 from a column it sorts or groups by."""
    for column in columns:
        if column.type == pa.float64():
            values = column.to_numpy(zero_copy_only=False)
            if np.any((values == 0) & np.signbit(values)):
                raise NotKnown(column.type)


def _directed(column: pa.Array, ascending: bool) -> list[Codes | Mask]:  # noqa: FBT001 - a key's own
    """Return what to sort by, the least important first; nulls are last either way."""
    codes, valid = codes_of(column)
    codes = codes if ascending else ~codes
    if valid is None:
        return [codes]
    return [np.where(valid, codes, 0), ~valid]


def order(columns: Sequence[tuple[pa.Array, bool]], n: int) -> Codes | None:
    """Return the places of rows sorted by columns, each ascending or not; None as they are.

    Later columns are looked at only where earlier ones tie.

    Examples
    --------
    >>> order([(pa.array([2, 1, 2]), True), (pa.array(["b", "c", "a"]), True)], 3).tolist()
    [1, 2, 0]
    """
    _refuse_minus_zero(column for column, _ in columns)
    places, group = np.arange(n), np.zeros(n, np.int64)
    for column, ascending in columns:
        tied = _tied(group)
        if not len(tied):
            break
        rows = places[tied]
        part = column if len(tied) == n else column.take(pa.array(rows))
        keys = _directed(part, ascending)
        if len(tied) == n:
            keys = [k[places] for k in keys]
        sub = _lexical([*keys, group[tied]])
        places[tied] = rows[sub]
        changed = np.ones(n, bool)
        changed[1:] = group[1:] != group[:-1]
        steps = _steps([k[sub] for k in keys])
        # Where neighbours among the tied stand apart, their groups differ anyway.
        changed[tied] |= steps
        group = np.cumsum(changed)
    return None if np.array_equal(places, np.arange(n)) else places


def _tied(group: Codes) -> Codes:
    """Return the places that share their group with a neighbour."""
    if not len(group):
        return group
    same = group[1:] == group[:-1]
    return np.flatnonzero(np.append(same, False) | np.append(False, same))


def _lexical(keys: list[Codes | Mask]) -> Codes:
    """Sort by the last key first, as ``lexsort``; at once where it is sorted already."""
    n = len(keys[0])
    up, tie = np.zeros(max(n - 1, 0), bool), np.ones(max(n - 1, 0), bool)
    for key in reversed(keys):
        up |= tie & (key[1:] > key[:-1])
        tie &= key[1:] == key[:-1]
    if (up | tie).all():
        return np.arange(n)
    keys = [key for key in keys if key.min() != key.max()]
    return np.argsort(keys[0], kind="stable") if len(keys) == 1 else np.lexsort(keys)


def _steps(keys: list[Codes | Mask]) -> Mask:
    """Return where a row differs from the one before; the first one does not."""
    steps = np.zeros(len(keys[0]), bool)
    for key in keys:
        steps[1:] |= key[1:] != key[:-1]
    return steps


def groups(columns: Sequence[pa.Array], n: int) -> Codes:
    """Return the number of each row's group; nulls are a group, as NaNs are.

    Examples
    --------
    >>> groups([pa.array([5.0, None, 5.0, None])], 4).tolist()
    [0, 1, 0, 1]
    """
    if not columns or not n:
        return np.zeros(n, np.int64)
    _refuse_minus_zero(columns)
    keys = [key for column in columns for key in _directed(column, True)]
    places = _lexical(keys)
    found = np.empty(n, np.int64)
    found[places] = np.cumsum(_steps([k[places] for k in keys]))
    return found

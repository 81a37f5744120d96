"""Values of rows evaluated on Arrow exactly as DuckDB does, or not at all.

Not at all: whatever raises :class:`NotKnown`. DuckDB reads a literal such as ``0.1`` as a
decimal, so arithmetic of literals alone is left to it, as is what it would refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias

import ibis.expr.operations as ops
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.adapters.engines.arrow_decimals import as_read, is_decimal
from tidemill.adapters.engines.arrow_order import (
    EXACT,
    Codes,
    Mask,
    NotKnown,
    codes_of,
    float_codes,
    groups,
    kind,
    order,
)

Cell: TypeAlias = "pa.Array | pa.Scalar"
"""One value a row, or one for all rows."""
_SMALL = 2**31
"""Whole numbers below it cannot overflow in any type DuckDB may choose."""


class Rows(Protocol):
    """A relation: so many rows, whose columns are found when they are asked for."""

    n: int

    def column(self, name: str) -> pa.Array:
        """Return a column of n values."""
        ...


@dataclass(frozen=True)
class At:
    """Where values are evaluated: the rows of a relation."""

    rows: Rows
    relation: Any

    def ask(self, op: Any) -> Cell:
        return value(op, self.rows, self.relation)


def value(op: Any, rows: Rows, relation: Any) -> Cell:
    """Evaluate an expression over the rows of a relation."""
    known = _KNOWN.get(type(op))
    if known is None:
        raise NotKnown(type(op).__name__)
    return known(op, At(rows, relation))


def spread(cell: Cell, n: int) -> pa.Array:
    """Return a cell as one value a row."""
    return pa.repeat(cell, n) if isinstance(cell, pa.Scalar) else cell


def _literal(op: Any, at: At) -> Cell:
    said = op.value
    if said is None:
        return pa.scalar(None, _type(op))
    if op.dtype.is_timestamp():
        if not isinstance(said, datetime) or op.dtype.timezone != "UTC":
            raise NotKnown(op)
        if said.tzinfo is None or said.utcoffset():
            raise NotKnown(op)
        return pa.scalar(said.astimezone(UTC), _type(op))
    if op.dtype.is_floating():
        return pa.scalar(as_read(float(said)), pa.float64())
    if op.dtype.is_boolean() or op.dtype.is_string():
        return pa.scalar(said, _type(op))
    if op.dtype.is_integer() and abs(said) < _SMALL:
        return pa.scalar(int(said), pa.int64())
    raise NotKnown(op)


def _type(op: Any) -> pa.DataType:
    found = op.dtype.to_pyarrow()
    return pa.int64() if pa.types.is_signed_integer(found) else found


def _field(op: Any, at: At) -> Cell:
    if op.rel is not at.relation and op.rel != at.relation:
        raise NotKnown(op)
    return at.rows.column(op.name)


_COMPARED: dict[type, tuple[Callable[[Any, Any], Any], str]] = {
    ops.Equals: (np.equal, "equal"),
    ops.NotEquals: (np.not_equal, "not_equal"),
    ops.Less: (np.less, "less"),
    ops.LessEqual: (np.less_equal, "less_equal"),
    ops.Greater: (np.greater, "greater"),
    ops.GreaterEqual: (np.greater_equal, "greater_equal"),
}


def _compare(op: Any, at: At) -> Cell:
    numeric, text = _COMPARED[type(op)]
    left, right = at.ask(op.left), at.ask(op.right)
    kinds = {_kind(left), _kind(right)}
    if isinstance(left, pa.Scalar) and isinstance(right, pa.Scalar):
        raise NotKnown(op)
    if kinds == {"text"}:
        return getattr(pc, text)(left, right)
    if kinds == {"int", "float"}:
        left, right = (_to_float(part) for part in (left, right))
    elif len(kinds) > 1:
        raise NotKnown(op)
    (a, here), (b, there) = _coded(left), _coded(right)
    return _made(numeric(a, b), _both(here, there), pa.bool_())


def _kind(cell: Cell) -> str:
    return kind(cell.type)


def _coded(cell: Cell) -> tuple[Codes, Mask | None]:
    return codes_of(pa.array([cell.as_py()], cell.type) if isinstance(cell, pa.Scalar) else cell)


def _both(here: Mask | None, there: Mask | None) -> Mask | None:
    if here is None or there is None:
        return there if here is None else here
    return here & there


def _made(values: npt.NDArray[Any], valid: Mask | None, of: pa.DataType) -> pa.Array:
    if valid is None:
        return pa.array(values, of, from_pandas=False)
    gone = np.broadcast_to(~valid, values.shape)
    return pa.array(values, of, mask=gone, from_pandas=False)


def _to_float(cell: Cell) -> Cell:
    """Write whole numbers as floats, where that is exact."""
    if _kind(cell) == "float":
        return cell
    whole = cell.cast(pa.int64())
    ends = pc.min_max(spread(whole, 1)).as_py()
    if ends["min"] is not None and max(abs(ends["min"]), abs(ends["max"])) > EXACT:
        raise NotKnown("whole numbers beyond 2^53")
    return whole.cast(pa.float64())


def _and(op: Any, at: At) -> Cell:
    return pc.and_kleene(at.ask(op.left), at.ask(op.right))


def _or(op: Any, at: At) -> Cell:
    return pc.or_kleene(at.ask(op.left), at.ask(op.right))


def _not(op: Any, at: At) -> Cell:
    return pc.invert(at.ask(op.arg))


def _is_null(op: Any, at: At) -> Cell:
    return pc.is_null(at.ask(op.arg))


def _not_null(op: Any, at: At) -> Cell:
    return pc.is_valid(at.ask(op.arg))


def _alike(op: Any, cells: list[Cell]) -> list[Cell]:
    """Give the branches of one value one type."""
    kinds = {_kind(cell) for cell in cells}
    if kinds == {"int", "float"}:
        return [_to_float(cell) for cell in cells]
    if len(kinds) > 1:
        raise NotKnown(op)
    return [cell.cast(pa.int64()) for cell in cells] if kinds == {"int"} else cells


def _if_else(op: Any, at: At) -> Cell:
    yes, no = _alike(op, [at.ask(op.true_expr), at.ask(op.false_null_expr)])
    return pc.if_else(pc.fill_null(at.ask(op.bool_expr), False), yes, no)


def _cases(op: Any, at: At) -> Cell:
    *results, found = _alike(op, [at.ask(r) for r in (*op.results, op.default)])
    for case, result in zip(reversed(op.cases), reversed(results), strict=True):
        found = pc.if_else(pc.fill_null(at.ask(case), False), result, found)
    return found


def _coalesce(op: Any, at: At) -> Cell:
    return pc.coalesce(*_alike(op, [at.ask(part) for part in op.arg]))


def _extreme(op: Any, at: At) -> Cell:
    """Find the least or greatest of some values of a row, nulls left aside."""
    cells = [_to_float(at.ask(part)) for part in op.arg if op.dtype.is_floating()]
    if all(isinstance(cell, pa.Scalar) for cell in cells):  # or none, as of texts
        raise NotKnown(op)
    better = np.less if isinstance(op, ops.Least) else np.greater
    best, valid = _floats(cells[0])
    for cell in cells[1:]:
        other, there = _floats(cell)
        wins = better(float_codes(other), float_codes(best))
        if valid is not None:
            wins = wins | ~valid
        if there is not None:
            wins = wins & there
        best = np.where(wins, other, best)
        valid = None if valid is None or there is None else valid | there
    return _made(best, valid, pa.float64())


def _floats(cell: Cell) -> tuple[npt.NDArray[np.float64], Mask | None]:
    array = spread(_to_float(cell), 1) if isinstance(cell, pa.Scalar) else _to_float(cell)
    if not array.null_count:
        return array.to_numpy(), None
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    return pc.fill_null(array, 0.0).to_numpy(), valid


_COUNTED: dict[type, Callable[[Any, Any], Any]] = {
    ops.Add: np.add,
    ops.Subtract: np.subtract,
    ops.Multiply: np.multiply,
    ops.Divide: np.divide,
}


def _arithmetic(op: Any, at: At) -> Cell:
    if not op.dtype.is_floating():
        raise NotKnown(op)
    if not isinstance(op, ops.Divide) and is_decimal(op):
        raise NotKnown(op)
    left, right = at.ask(op.left), at.ask(op.right)
    if isinstance(left, pa.Scalar) and isinstance(right, pa.Scalar):
        raise NotKnown(op)
    (a, here), (b, there) = _floats(left), _floats(right)
    with np.errstate(all="ignore"):
        return _made(_COUNTED[type(op)](a, b), _both(here, there), pa.float64())


def _cast(op: Any, at: At) -> Cell:
    arg = at.ask(op.arg)
    pair = (_kind(arg), kind(op.to.to_pyarrow()))
    if pair == ("int", "float"):
        return _to_float(arg)
    if pair == ("bool", "int"):
        return arg.cast(pa.int64())
    if pair[0] == pair[1] != "int":
        return arg
    raise NotKnown(op)


def _window(op: Any, at: At) -> Cell:
    """Number or count the rows of each group."""

    def columns(parts: Any) -> list[pa.Array]:
        return [spread(at.ask(part), at.rows.n) for part in parts]

    group = groups(columns(op.group_by), at.rows.n)
    if isinstance(op.func, ops.RowNumber):
        return pa.array(_numbered(op, columns, group, at.rows.n))
    whole = isinstance(op.func, ops.CountStar) and op.func.where is None
    if not whole or op.order_by or op.start is not None or op.end is not None:
        raise NotKnown(op)
    return pa.array(np.bincount(group)[group] if at.rows.n else np.zeros(0, np.int64), pa.int64())


def _numbered(op: Any, columns: Callable[[Any], list[pa.Array]], group: Codes, n: int) -> Codes:
    if any(key.nulls_first for key in op.order_by):
        raise NotKnown(op)
    found = columns(key.arg for key in op.order_by)
    keys = [(c, k.ascending) for c, k in zip(found, op.order_by, strict=True)]
    if op.group_by:
        keys = [(pa.array(group), True), *keys]
    places = order(keys, n)
    if places is None:
        places = np.arange(n)
    sorted_group = group[places]
    starts = np.searchsorted(sorted_group, sorted_group)
    number = np.empty(n, np.int64)
    number[places] = np.arange(n) - starts
    return number


_KNOWN: Mapping[type, Callable[[Any, At], Cell]] = {
    ops.Literal: _literal,
    ops.Field: _field,
    ops.Alias: lambda op, at: at.ask(op.arg),
    ops.And: _and,
    ops.Or: _or,
    ops.Not: _not,
    ops.IsNull: _is_null,
    ops.NotNull: _not_null,
    ops.IfElse: _if_else,
    ops.SearchedCase: _cases,
    ops.Coalesce: _coalesce,
    ops.Least: _extreme,
    ops.Greatest: _extreme,
    ops.Cast: _cast,
    ops.WindowFunction: _window,
    **dict.fromkeys(_COMPARED, _compare),
    **dict.fromkeys(_COUNTED, _arithmetic),
}

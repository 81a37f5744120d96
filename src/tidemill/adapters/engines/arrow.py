"""Small expressions evaluated on Arrow itself, all others by another engine.

Compiling SQL costs tens of milliseconds a query, whatever its size; a replay asks thousands
of small ones. What is evaluated here is what ``arrow_values`` knows to answer exactly as
DuckDB does; anything else goes to the engine behind, so an answer never depends on this one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import ibis
import ibis.expr.operations as ops
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr import types as ir
from ibis.formats.pyarrow import PyArrowSchema, PyArrowTableProxy

from tidemill.adapters.engines.arrow_decimals import loses_a_digit, maker
from tidemill.adapters.engines.arrow_order import Codes, NotKnown, order
from tidemill.adapters.engines.arrow_values import Rows, spread, value
from tidemill.core.ports import Engine, Snapshot


class ArrowEngine:
    """Evaluates expressions over Arrow in memory at once, all others by ``fallback``.

    Parameters
    ----------
    fallback
        The engine whose answers count; it must understand tables in memory, as all of
        Ibis do.

    Examples
    --------
    >>> from tidemill.adapters.engines.duckdb import DuckDBEngine
    >>> engine = ArrowEngine(DuckDBEngine())
    >>> rows = pa.table({"x": [3.0, None, 1.0]})
    >>> table = engine.table(Snapshot(schema=rows.schema, arrow=rows))
    >>> engine.arrow(table.filter(table.x > 2))["x"].to_pylist(), engine.fell_back
    ([3.0], 0)
    """

    def __init__(self, fallback: Engine) -> None:
        self.fallback = fallback
        self.fell_back = 0
        """How many expressions went to the engine behind."""

    def table(self, snapshot: Snapshot) -> ir.Table:
        if snapshot.files:
            return self.fallback.table(snapshot)
        schema = pa.schema([f for f in snapshot.schema if f.name != "day"])
        rows = schema.empty_table() if snapshot.arrow is None else snapshot.arrow
        for field in schema:
            if field.name not in rows.column_names:
                rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
        return _in_memory(rows.select(schema.names))

    def arrow(self, expression: ir.Table) -> pa.Table:
        op = expression.op()
        try:
            return _result(op, _rows(op))
        except (NotKnown, pa.ArrowNotImplementedError):
            self.fell_back += 1
            return self.fallback.arrow(expression)


def _in_memory(rows: pa.Table) -> ir.Table:
    """Return a table as ``ibis.memtable`` does, without reading its schema anew each time."""
    name = ibis.util.gen_name("arrow")
    data = PyArrowTableProxy(rows)
    return ops.InMemoryTable(name=name, schema=_of_ibis(rows.schema), data=data).to_expr()


@lru_cache(maxsize=64)
def _of_ibis(schema: pa.Schema) -> ibis.Schema:
    return PyArrowSchema.to_ibis(schema)


@lru_cache(maxsize=64)
def _of_arrow(schema: Any) -> pa.Schema:
    return PyArrowSchema.from_ibis(schema)


def _result(op: Any, rows: Rows) -> pa.Table:
    if not isinstance(op, ops.Relation):
        raise NotKnown(op)
    of: Any = op.schema
    schema = _of_arrow(of)
    columns = []
    for field in schema:
        if pa.types.is_floating(field.type) and loses_a_digit(maker(op, field.name)):
            raise NotKnown(field)
        column = rows.column(field.name)
        columns.append(column if column.type == field.type else column.cast(field.type))
    return pa.Table.from_arrays(columns, schema=schema)


class _Held:
    """A table in memory."""

    def __init__(self, rows: pa.Table) -> None:
        self.n = rows.num_rows
        self._rows = rows

    def column(self, name: str) -> pa.Array:
        column = self._rows[name]
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


class _Neighbours:
    """Rows that stand side by side among others: a slice, which copies nothing."""

    def __init__(self, rows: Rows, start: int, n: int) -> None:
        self.n = n
        self._rows, self._start = rows, start

    def column(self, name: str) -> pa.Array:
        return self._rows.column(name).slice(self._start, self.n)


class _Taken:
    """Some rows of others, by their place."""

    def __init__(self, rows: Rows, places: Codes) -> None:
        self.n = len(places)
        self._rows, self._places = rows, pa.array(places)
        self._found: dict[str, pa.Array] = {}

    def column(self, name: str) -> pa.Array:
        if name not in self._found:
            self._found[name] = self._rows.column(name).take(self._places)
        return self._found[name]


class _Made:
    """A projection; each column is computed once, when it is asked for."""

    def __init__(self, op: Any, rows: Rows) -> None:
        self.n = rows.n
        self._op, self._rows = op, rows
        self._found: dict[str, pa.Array] = {}

    def column(self, name: str) -> pa.Array:
        if name not in self._found:
            cell = value(self._op.values[name], self._rows, self._op.parent)
            self._found[name] = spread(cell, self.n)
        return self._found[name]


def _rows(op: Any) -> Rows:
    if isinstance(op, ops.InMemoryTable):
        return _Held(op.data.to_pyarrow(op.schema))
    if isinstance(op, ops.Project):
        return _Made(op, _rows(op.parent))
    if isinstance(op, ops.DropColumns):
        return _rows(op.parent)
    if isinstance(op, ops.Filter):
        return _filtered(op, _rows(op.parent))
    if isinstance(op, ops.Sort):
        return _sorted(op, _rows(op.parent))
    if isinstance(op, ops.Limit) and isinstance(op.n, int) and isinstance(op.offset, int):
        rows = _rows(op.parent)
        start = min(op.offset, rows.n)
        return _Neighbours(rows, start, min(op.n, rows.n - start))
    raise NotKnown(type(op).__name__)


def _filtered(op: Any, rows: Rows) -> Rows:
    keep = np.ones(rows.n, bool)
    for predicate in op.predicates:
        found = spread(value(predicate, rows, op.parent), rows.n)
        keep &= pc.fill_null(found, False).to_numpy(zero_copy_only=False)
    places = np.flatnonzero(keep)
    if len(places) == rows.n:
        return rows
    if not len(places):
        return _Neighbours(rows, 0, 0)
    if places[-1] - places[0] == len(places) - 1:
        return _Neighbours(rows, int(places[0]), len(places))
    return _Taken(rows, places)


def _sorted(op: Any, rows: Rows) -> Rows:
    if any(key.nulls_first for key in op.keys):
        raise NotKnown("nulls first")
    keys = [(spread(value(k.arg, rows, op.parent), rows.n), k.ascending) for k in op.keys]
    places = order(keys, rows.n)
    return rows if places is None else _Taken(rows, places)

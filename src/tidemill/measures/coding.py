"""Columns of any type as small whole numbers, and back into conditions that people read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.core.limits import Between
from tidemill.core.rule import check
from tidemill.measures.condition import Condition, Value

Codes = NDArray[np.uint8]
MISSING = 0
"""The code of what is null or NaN, in every column."""
MOST = 250
"""Codes are bytes."""


@dataclass(frozen=True, kw_only=True)
class Coded:
    """How one column becomes codes: 0 is missing, then intervals in order, or values.

    Parameters
    ----------
    name
        Of the column.
    edges
        Code 1 is at most the first edge, the next above it and at most the second, and so on.
    values
        Code 1 is the first value, and so on; one more code is any other value. None for numbers.
    gaps
        Whether any row was missing; where none was, conditions do not speak of it.
    """

    name: str
    edges: tuple[float, ...] = ()
    values: tuple[Value, ...] | None = None
    gaps: bool = True

    @property
    def size(self) -> int:
        """How many codes there are."""
        return 2 + len(self.edges if self.values is None else self.values)

    def codes(self, column: pa.ChunkedArray) -> Codes:
        """Return the code of each row.

        Raises
        ------
        BadInput
            When the column is of another kind than the one it was made for.
        """
        kind, plain = _plain(column)
        if kind != ("number" if self.values is None else "category"):
            raise BadInput(
                f"column {self.name!r} is {column.type}, and was another kind before.",
                fix="give it the type it had.",
            )
        if self.values is None:
            found = 1 + np.searchsorted(np.array(self.edges), plain, side="left")
            return np.where(np.isnan(plain), MISSING, found).astype(np.uint8)
        known = pa.array(self.values, plain.type)
        place = pc.fill_null(pc.index_in(plain, value_set=known), len(self.values)).to_numpy()
        lost = pc.is_null(plain).to_numpy()
        return np.where(lost, MISSING, place + 1).astype(np.uint8)

    def condition(self, allowed: NDArray[np.bool_]) -> Condition | None:
        """Say in a condition which codes are allowed; None when all are.

        Parameters
        ----------
        allowed
            One boolean a code; those of numbers must be next to each other.
        """
        if allowed[0 if self.gaps else 1 :].all():
            return None
        missing = bool(allowed[MISSING]) and self.gaps
        inside = np.flatnonzero(allowed[1:])
        if not inside.size:
            return Condition(column=self.name, missing=True)
        if self.values is None:
            low, high = int(inside[0]), int(inside[-1])
            above = self.edges[low - 1] if low else None
            at_most = self.edges[high] if high < len(self.edges) else None
            if above is None and at_most is None:
                return Condition(column=self.name, outside=True)
            return Condition(column=self.name, above=above, at_most=at_most, missing=missing)
        others = bool(allowed[-1])
        listed = tuple(v for v, ok in zip(self.values, allowed[1:-1], strict=True) if ok != others)
        return Condition(column=self.name, values=listed, outside=others, missing=missing)


@dataclass(frozen=True, kw_only=True)
class Coding:
    """How a table becomes codes, and which of its columns it cannot take, with the reason."""

    columns: tuple[Coded, ...]
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """The most codes a column has."""
        return max((column.size for column in self.columns), default=2)

    @property
    def categories(self) -> NDArray[np.bool_]:
        """Which columns are of values without an order."""
        return np.array([column.values is not None for column in self.columns], dtype=np.bool_)

    @classmethod
    def fit(
        cls, *tables: pa.Table, numbers: int = 32, categories: int = 30, of: Sequence[str] = ()
    ) -> Coding:
        """Choose codes for the columns that all tables have, from all of them together.

        Parameters
        ----------
        tables
            One or more; a column must be in each, and of one kind.
        numbers
            Intervals of a number, of about equal counts; a number of few values has one each.
        categories
            Values of a category that have a code of their own, the most frequent.
        of
            Names of columns; empty for all.
        """
        check("Coding.fit", "numbers", numbers, Between(2, MOST))
        check("Coding.fit", "categories", categories, Between(1, MOST))
        names = list(of) or list(dict.fromkeys(name for t in tables for name in t.column_names))
        columns: list[Coded] = []
        left_out: list[tuple[str, str]] = []
        for name in names:
            found = _coded(name, tables, numbers, categories)
            if isinstance(found, str):
                left_out.append((name, found))
            else:
                columns.append(found)
        return cls(columns=tuple(columns), left_out=tuple(left_out))

    def codes(self, table: pa.Table) -> Codes:
        """Return the codes of a table, shape (rows, columns)."""
        found = np.empty((table.num_rows, len(self.columns)), dtype=np.uint8)
        for at, column in enumerate(self.columns):
            found[:, at] = column.codes(table[column.name])
        return found

    def conditions(self, allowed: NDArray[np.bool_]) -> tuple[Condition, ...]:
        """Say in conditions which codes are allowed in each column, shape (columns, size)."""
        found = (
            column.condition(own[: column.size])
            for column, own in zip(self.columns, allowed, strict=True)
        )
        return tuple(condition for condition in found if condition is not None)


def _coded(name: str, tables: Sequence[pa.Table], numbers: int, categories: int) -> Coded | str:
    """Choose the codes of one column, or say why it has none."""
    kinds: list[str] = []
    plains: list[Any] = []
    for table in tables:
        if name not in table.column_names:
            return "is not on both sides"
        kind, plain = _plain(table[name])
        kinds.append(kind)
        plains.append(plain)
    if len(set(kinds)) > 1:
        return "is of another type on each side"
    if kinds[0] == "number":
        return _number(name, np.concatenate(plains), numbers)
    if kinds[0] == "category":
        return _category(name, plains, categories)
    return kinds[0]


def _number(name: str, values: NDArray[np.float64], most: int) -> Coded | str:
    known = np.sort(values[np.isfinite(values)])
    distinct = known[np.concatenate([[True], known[1:] > known[:-1]])] if known.size else known
    if distinct.size + bool(np.isnan(values).any()) + bool(np.isinf(values).any()) <= 1:
        return "has one value"
    gaps = bool(np.isnan(values).any())
    if distinct.size <= most:
        pairs = zip(distinct[:-1].tolist(), distinct[1:].tolist(), strict=True)
        return Coded(name=name, edges=tuple(_between(low, high) for low, high in pairs), gaps=gaps)
    cuts = np.unique(known[(np.arange(1, most) * known.size) // most])
    edges = _short(cuts[cuts < known[-1]])
    return Coded(name=name, edges=tuple(float(edge) for edge in edges), gaps=gaps)


def _between(low: float, high: float) -> float:
    """Return the shortest number from low to below high: 0.06 for 0.059999998 of 32 bits."""
    if low == round(low):
        return low
    tried = (float(f"{low:.{digits}g}") for digits in range(1, 17))
    return next((edge for edge in tried if low <= edge < high), low)


def _short(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round edges to as few digits as keep nine in ten of them apart."""
    for digits in (3, 4, 6, 9):
        rounded = np.unique([float(f"{edge:.{digits}g}") for edge in edges])
        if rounded.size >= 0.9 * edges.size and np.isfinite(rounded).all():
            return rounded
    return edges


def _category(name: str, plains: Sequence[Any], most: int) -> Coded | str:
    whole = pa.chunked_array([chunk for plain in plains for chunk in plain.chunks], plains[0].type)
    counts = whole.drop_null().value_counts().to_pylist()
    if len(counts) + (whole.null_count > 0) <= 1:
        return "has one value"
    # By count, then by value: the same codes whatever order the rows come in.
    frequent = sorted(counts, key=lambda entry: (-entry["counts"], entry["values"]))[:most]
    values = tuple(entry["values"] for entry in frequent)
    return Coded(name=name, values=values, gaps=whole.null_count > 0)


def _plain(column: pa.ChunkedArray) -> tuple[str, Any]:
    """Return the kind of a column and its values, or why it has no kind."""
    kind: Any = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_boolean(kind):
        return "category", column
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "category", column.cast(pa.large_string())
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number", pc.fill_null(column.cast(pa.float64(), safe=False), math.nan).to_numpy()
    if pa.types.is_null(kind):
        return "is missing everywhere", None
    if pa.types.is_temporal(kind):
        return "is a time, which differs on any two days", None
    return f"is {kind}", None

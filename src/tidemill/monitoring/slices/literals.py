"""The single conditions that slices are made of, and which rows fulfil them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidemill.measures.coding import MISSING, Coded, Codes, Coding
from tidemill.measures.condition import All, Condition

Bools = NDArray[np.bool_]
HIGH, LOW, OTHER = 1, 2, 3
MOST_OF_ALL = 0.98
"""A condition that nearly all rows fulfil sets nothing apart."""


@dataclass(frozen=True, kw_only=True)
class Literals:
    """Conditions on single columns.

    Parameters
    ----------
    conditions
        In the order of the columns.
    column, side
        The column of each, and whether it bounds it from below, from above or not at all.
    rows
        Which rows fulfil it, shape (conditions, rows).
    """

    conditions: tuple[Condition, ...]
    column: NDArray[np.int64]
    side: NDArray[np.int64]
    rows: Bools

    def joins(self, which: Sequence[int]) -> Bools:
        """Say which conditions may follow: later ones, of other columns or to close a range."""
        last = which[-1]
        fits = np.arange(len(self.conditions)) > last
        for one in which:
            same = self.column == self.column[one]
            closes = (self.side[one] == HIGH) & (self.side == LOW)
            fits &= ~same | closes
        return fits

    def inside(self, which: Sequence[int]) -> Bools:
        """Return which rows fulfil all of some conditions."""
        rows = self.rows[which[0]].copy()
        for one in which[1:]:
            rows &= self.rows[one]
        return rows

    def where(self, which: Sequence[int]) -> All:
        """Return conditions together, the two ends of a range as one."""
        joined: dict[str, Condition] = {}
        for one in which:
            new = self.conditions[one]
            old = joined.get(new.column)
            if old is not None:
                new = Condition(column=new.column, above=old.above, at_most=new.at_most)
            joined[new.column] = new
        return All(tuple(joined.values()))


def literals(coding: Coding, codes: Codes, least: int) -> Literals:
    """Return the conditions that at least so many rows fulfil, and not nearly all.

    Examples
    --------
    >>> import pyarrow as pa
    >>> table = pa.table({"x": [1, 1, 2, 2, 3, None], "c": ["a", "b", "b", "b", "b", "b"]})
    >>> coding = Coding.fit(table)
    >>> [one.words() for one in literals(coding, coding.codes(table), 2).conditions]
    ['x > 1', 'x <= 1', 'x <= 2', 'c is b']
    """
    conditions: list[Condition] = []
    columns: list[int] = []
    sides: list[int] = []
    rows: list[Bools] = []
    for at, coded in enumerate(coding.columns):
        for side, allowed in _of(coded):
            inside = allowed[codes[:, at]]
            condition = coded.condition(allowed)
            count = int(inside.sum())
            if condition is None or not least <= count <= MOST_OF_ALL * len(codes):
                continue
            conditions.append(condition)
            columns.append(at)
            sides.append(side)
            rows.append(inside)
    return Literals(
        conditions=tuple(conditions),
        column=np.array(columns, dtype=np.int64),
        side=np.array(sides, dtype=np.int64),
        rows=np.stack(rows) if rows else np.zeros((0, len(codes)), dtype=np.bool_),
    )


def _of(coded: Coded) -> Iterator[tuple[int, Bools]]:
    """Yield which codes each condition on a column allows."""
    place = np.arange(coded.size)
    if coded.values is None:
        for cut in range(1, coded.size - 1):
            yield HIGH, place > cut
        for cut in range(1, coded.size - 1):
            yield LOW, (place <= cut) & (place != MISSING)
    else:
        for code in range(1, coded.size - 1):
            yield OTHER, place == code
    yield OTHER, place == MISSING

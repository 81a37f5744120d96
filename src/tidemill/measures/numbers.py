"""What is kept of a column of numbers: integer counts on a grid."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.measures.grid import ABOVE, BELOW, NAN, Grid
from tidemill.measures.tallies import not_among, not_negative, whole

_SPECIAL = ("nulls", "nans", "below", "above", "wrong")


@dataclass(frozen=True, kw_only=True, eq=False)
class Numbers:
    """How often each cell of a grid was met, and what was no finite number.

    Parameters
    ----------
    grid
        Where the cells are.
    cells
        int32, shape (m,), ascending: the cells that were met.
    counts
        int64, shape (m,): how many rows, above 0.
    nulls, nans, below, above, wrong
        Rows that are null, NaN, minus infinity, infinity, and no number at all.
    low, high
        The smallest and largest finite value, NaN without one. They cannot be subtracted:
        after :meth:`minus` they are those of the whole, so bounds.
    """

    grid: Grid
    cells: NDArray[np.int32]
    counts: NDArray[np.int64]
    nulls: int = 0
    nans: int = 0
    below: int = 0
    above: int = 0
    wrong: int = 0
    low: float = math.nan
    high: float = math.nan

    def __post_init__(self) -> None:
        cells, counts = whole(self.cells, np.int32), whole(self.counts, np.int64)
        if cells.shape != counts.shape or (np.diff(cells) <= 0).any() or (counts <= 0).any():
            raise BadInput(
                "cells must ascend, each with a count above 0.", fix="use Numbers.of_cells."
            )
        if cells.size and (cells[0] <= BELOW or cells[-1] >= ABOVE):
            raise BadInput("a cell lies outside every grid.", fix="use Numbers.of_cells.")
        object.__setattr__(self, "cells", cells)
        object.__setattr__(self, "counts", counts)
        not_negative(self, ("nulls", "nans", "below", "above", "wrong"))

    @cached_property
    def at(self) -> NDArray[np.float64]:
        """The value that stands for each cell, shape (m,): of a usual day, it is asked every day."""
        return self.grid.middle(self.cells)

    @classmethod
    def of_values(cls, grid: Grid, values: NDArray[Any], *, nulls: int = 0) -> Numbers:
        """Count values.

        Examples
        --------
        >>> counted = Numbers.of_values(Grid(0.0, 0.5), np.array([0.1, 0.2, 7.0, np.inf]))
        >>> counted.cells.tolist(), counted.counts.tolist(), counted.above, counted.high
        ([0, 13], [2, 1], 1, 7.0)
        """
        known = np.asarray(values, dtype=np.float64)
        cells = grid.cells(known)
        low, high = _range(known)
        return cls.of_cells(grid, cells, None, nulls=nulls, low=low, high=high)

    @classmethod
    def of_cells(
        cls,
        grid: Grid,
        cells: NDArray[Any],
        counts: NDArray[Any] | None,
        *,
        nulls: int = 0,
        wrong: int = 0,
        low: float = math.nan,
        high: float = math.nan,
    ) -> Numbers:
        """Add up cells in any order, met more than once, with the codes of a grid among them.

        Parameters
        ----------
        grid
            Where the cells are.
        cells
            int, shape (m,); BELOW, ABOVE and NAN as :meth:`Grid.cells` says them.
        counts
            int, shape (m,); 1 each where None.
        nulls, wrong, low, high
            As for :class:`Numbers`.
        """
        met, total = _added(np.asarray(cells, np.int64), counts)
        special = {code: int(total[met == code].sum()) for code in (NAN, BELOW, ABOVE)}
        finite = (met > BELOW) & (met < ABOVE)
        return cls(
            grid=grid,
            cells=met[finite].astype(np.int32),
            counts=total[finite],
            nulls=nulls,
            nans=special[NAN],
            below=special[BELOW],
            above=special[ABOVE],
            wrong=wrong,
            low=low,
            high=high,
        )

    @property
    def n(self) -> int:
        """How many rows hold a finite number."""
        return int(self.counts.sum())

    @property
    def rows(self) -> int:
        """How many rows were counted, whatever they hold."""
        return self.n + self.nulls + self.nans + self.below + self.above + self.wrong

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Numbers):
            return NotImplemented
        return (
            self.grid == other.grid
            and np.array_equal(self.cells, other.cells)
            and np.array_equal(self.counts, other.counts)
            and _rest(self) == _rest(other)
        )

    __hash__ = None  # type: ignore[assignment]

    def plus(self, *others: Numbers) -> Numbers:
        """Add counts of the same grid; in any order and grouping the same.

        Raises
        ------
        BadInput
            If the grids differ.
        """
        every = (self, *others)
        for other in others:
            _same_grid(self, other)
        cells, counts = _added(
            np.concatenate([p.cells for p in every]).astype(np.int64),
            np.concatenate([p.counts for p in every]),
        )
        return Numbers(
            grid=self.grid,
            cells=cells.astype(np.int32),
            counts=counts,
            nulls=sum(p.nulls for p in every),
            nans=sum(p.nans for p in every),
            below=sum(p.below for p in every),
            above=sum(p.above for p in every),
            wrong=sum(p.wrong for p in every),
            low=_least([p.low for p in every]),
            high=-_least([-p.high for p in every]),
        )

    def minus(self, other: Numbers) -> Numbers:
        """Take away counts that are among these; ``low`` and ``high`` stay as bounds.

        Raises
        ------
        BadInput
            If the grids differ, or there is more to take away than there is.
        """
        _same_grid(self, other)
        cells, counts = _added(
            np.concatenate([self.cells, other.cells]).astype(np.int64),
            np.concatenate([self.counts, -other.counts]),
        )
        rest = {k: getattr(self, k) - getattr(other, k) for k in _SPECIAL}
        if (counts < 0).any() or min(rest.values()) < 0:
            raise not_among()
        kept = counts > 0
        return replace(self, cells=cells[kept].astype(np.int32), counts=counts[kept], **rest)


def _added(
    cells: NDArray[np.int64], counts: NDArray[Any] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Add up the counts of each cell, ascending."""
    if not cells.size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    first = int(cells.min())
    span = int(cells.max()) - first + 1
    if counts is None and span <= max(1024, 4 * cells.size):
        total = np.bincount(cells - first, minlength=span)
        met = np.flatnonzero(total)
        return met + first, total[met].astype(np.int64)
    met, at = np.unique(cells, return_inverse=True)
    total = np.zeros(met.size, np.int64)
    np.add.at(total, at, 1 if counts is None else np.asarray(counts, np.int64))
    return met, total


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the smallest and largest finite value, NaN without one."""
    if values.size:
        low, high = float(values.min()), float(values.max())
        if math.isfinite(low) and math.isfinite(high):
            return low + 0.0, high + 0.0
        values = values[np.isfinite(values)]
    if not values.size:
        return math.nan, math.nan
    return float(values.min()) + 0.0, float(values.max()) + 0.0


def _least(values: Iterable[float]) -> float:
    return min((v for v in values if not math.isnan(v)), default=math.nan)


def _rest(counted: Numbers) -> tuple[Any, ...]:
    ends = (None if math.isnan(v) else v for v in (counted.low, counted.high))
    return (*(getattr(counted, k) for k in _SPECIAL), *ends)


def _same_grid(one: Numbers, other: Numbers) -> None:
    if one.grid.id != other.grid.id:
        raise BadInput(
            f"counts on grid {one.grid.id} and on grid {other.grid.id} cannot be added.",
            fix="count both on the grid of one reference.",
        )

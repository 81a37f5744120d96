"""Cells of a grid counted batch by batch, for all rows or day by day."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidemill.measures.counting import values_of
from tidemill.measures.grid import Grid
from tidemill.measures.numbers import Numbers

_SPAN = 1 << 18  # more than all cells and codes of a grid
_MIDDLE = _SPAN // 2
_DENSE = 1 << 21  # so many places are counted in an array; beyond, values are sorted
_MOST = 1 << 20  # so many counts are kept before they are added up

Ints = NDArray[np.int64]


@dataclass
class Tally:
    """How often each cell was met on each day, added up as batches come.

    Parameters
    ----------
    grid
        Where the cells are.
    """

    grid: Grid
    _found: list[tuple[Ints, Ints]] = field(default_factory=list[tuple[Ints, Ints]])
    _held: int = 0
    _nulls: dict[int, int] = field(default_factory=dict[int, int])
    _ends: dict[int, tuple[float, float]] = field(default_factory=dict[int, tuple[float, float]])

    def add(self, values: NDArray[np.float64], days: Ints | None) -> None:
        """Count values that are not null, shape (n,), and the day of each; None for one day 0."""
        if not values.size:
            return
        keys: NDArray[Any] = self.grid.cells(values)
        if days is not None:
            keys = days * _SPAN + keys
        met, counts = _counted(keys)
        self._found.append((met + _MIDDLE, counts))
        self._held += self._found[-1][0].size
        if self._held > _MOST:
            self._found = [_added(self._found)]
            self._held = self._found[0][0].size
        self._stretch(values, days)

    def add_column(self, column: pa.Array, days: Ints | None) -> None:
        """Count a column of a batch, nulls too, and the day of each row; None for one day 0."""
        if column.null_count:
            known = np.from_dlpack(column.is_valid().cast(pa.uint8())).astype(bool)
            if days is None:
                self.add_nulls(column.null_count, 0)
            else:
                met, counts = np.unique(days[~known], return_counts=True)
                for day, count in zip(met.tolist(), counts.tolist(), strict=True):
                    self.add_nulls(count, day)
                days = days[known]
            column = column.drop_null()
        self.add(values_of(column), days)

    def add_nulls(self, count: int, day: int) -> None:
        """Count rows of a day that are null."""
        self._nulls[day] = self._nulls.get(day, 0) + count

    def numbers(self, day: int) -> Numbers:
        """Return what was counted of a day."""
        return self.by_day([day])[day]

    def whole(self) -> Numbers:
        """Return what was counted of all days together."""
        keys, _ = _added(self._found)
        days = np.unique(np.concatenate([keys // _SPAN, [*self._nulls]])).astype(int).tolist()
        first, *others = self.by_day(days or [0]).values()
        return first.plus(*others)

    def by_day(self, days: list[int]) -> dict[int, Numbers]:
        """Return what was counted of each of some days; nothing where there was none."""
        keys, counts = _added(self._found)
        borders = np.searchsorted(keys, [[d * _SPAN, (d + 1) * _SPAN] for d in days])
        found: dict[int, Numbers] = {}
        for day, (first, last) in zip(days, borders.tolist(), strict=True):
            low, high = self._ends.get(day, (np.nan, np.nan))
            found[day] = Numbers.of_cells(
                self.grid,
                keys[first:last] - day * _SPAN - _MIDDLE,
                counts[first:last],
                nulls=self._nulls.get(day, 0),
                low=low,
                high=high,
            )
        return found

    def _stretch(self, values: NDArray[np.float64], days: Ints | None) -> None:
        """Remember the smallest and the largest finite value of each day."""
        low, high = float(values.min()), float(values.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            finite = np.isfinite(values)
            values, days = values[finite], None if days is None else days[finite]
            if not values.size:
                return
            low, high = float(values.min()), float(values.max())
        if days is None or int(days.min()) == int(days.max()):
            self._widen(0 if days is None else int(days[0]), low, high)
            return
        met, at = np.unique(days, return_inverse=True)
        lows, highs = np.full(met.size, np.inf), np.full(met.size, -np.inf)
        np.minimum.at(lows, at, values)
        np.maximum.at(highs, at, values)
        for day, least, most in zip(met.tolist(), lows.tolist(), highs.tolist(), strict=True):
            self._widen(day, least, most)

    def _widen(self, day: int, low: float, high: float) -> None:
        before = self._ends.get(day, (low, high))
        self._ends[day] = (min(low, before[0]) + 0.0, max(high, before[1]) + 0.0)


def _counted(keys: NDArray[Any]) -> tuple[Ints, Ints]:
    """Count keys; ascending."""
    first, last = int(keys.min()), int(keys.max())
    if last - first < _DENSE:
        total = np.bincount(keys - first)
        met = np.flatnonzero(total)
        return met + first, total[met].astype(np.int64)
    met, counts = np.unique(keys, return_counts=True)
    return met.astype(np.int64), counts.astype(np.int64)


def _added(found: list[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    """Add up counts of the same keys; ascending."""
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    met, at = np.unique(np.concatenate([keys for keys, _ in found]), return_inverse=True)
    total: NDArray[Any] = np.zeros(met.size, np.int64)
    np.add.at(total, at, np.concatenate([counts for _, counts in found]))
    return met, total

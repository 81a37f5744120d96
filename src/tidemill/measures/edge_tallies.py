"""Counting the values of one column as they come, whatever a service puts into it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.measures.categories import Categories
from tidemill.measures.grid import Grid
from tidemill.measures.numbers import Numbers

_NOTHING = type(None)
_USUAL = frozenset({float, int, _NOTHING})
_NEAR = 1_024  # cells from the centre, beyond 27,000 sd, up to which an array counts them


class Tally(Protocol):
    """Counts one column."""

    def add(self, values: Sequence[Any]) -> None:
        """Count values as Python has them; never raises for what they are."""
        ...

    def add_array(self, values: Any) -> None:
        """Count an Arrow array or a NumPy array."""
        ...

    def add_nulls(self, rows: int) -> None:
        """Count rows without the column."""
        ...

    def counted(self) -> Numbers | Categories:
        """Return what was counted."""
        ...


class NumberTally:
    """Counts numbers on a grid, or times as seconds since 1970; a truth value is 0 or 1, as in records."""

    def __init__(self, grid: Grid, *, time: bool = False) -> None:
        self._grid = grid
        self._time = time
        self._near = np.zeros(2 * _NEAR + 1, np.int64)
        self._far: Counter[int] = Counter()
        self._nulls = self._wrong = 0
        self._low, self._high = math.inf, -math.inf

    def add(self, values: Sequence[Any]) -> None:
        kinds = set(map(type, values))
        if _NOTHING in kinds:
            known = [value for value in values if value is not None]
            self._nulls += len(values) - len(known)
            values = known
        if self._time or not kinds <= _USUAL:
            numbers = map(self._number, values)
            known = [number for number in numbers if number is not None]
            self._wrong += len(values) - len(known)
            values = known
        try:
            self._add(np.array(values, dtype=np.float64))
        except OverflowError:  # a whole number beyond all floats
            for value in values:
                self._add(np.array([_float(value)]))

    def add_array(self, values: Any) -> None:
        if isinstance(values, np.ndarray):
            if values.dtype.kind in ("fiu" if self._time else "fiub"):
                self._add(values.astype(np.float64, copy=False))
            else:
                self.add(values.tolist())
            return
        from tidemill.measures.counting import kind_of, values_of, without_dictionary

        column = without_dictionary(values)
        self._nulls += column.null_count
        if kind_of(column.type) == ("time" if self._time else "number"):
            self._add(values_of(column.drop_null()))
        elif str(column.type) == "bool" and not self._time:
            self._add(values_of(column.drop_null().cast("uint8")))
        else:
            self._wrong += len(column) - column.null_count

    def add_nulls(self, rows: int) -> None:
        self._nulls += rows

    def counted(self) -> Numbers:
        known = bool(self._low <= self._high)
        near = np.flatnonzero(self._near)
        far = np.array(list(self._far.items()), np.int64).reshape(-1, 2)
        return Numbers.of_cells(
            self._grid,
            np.concatenate([near - _NEAR, far[:, 0]]),
            np.concatenate([self._near[near], far[:, 1]]),
            nulls=self._nulls,
            wrong=self._wrong,
            low=self._low if known else math.nan,
            high=self._high if known else math.nan,
        )

    def _add(self, values: NDArray[np.float64]) -> None:
        if not values.size:
            return
        cells = self._grid.cells(values)
        cells += _NEAR
        if int(cells.min()) < 0 or int(cells.max()) > 2 * _NEAR:
            near = (cells >= 0) & (cells <= 2 * _NEAR)
            self._far.update((cells[~near] - _NEAR).tolist())
            cells = cells[near]
        self._near += np.bincount(cells, minlength=self._near.size)
        low, high = float(values.min()), float(values.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            finite = values[np.isfinite(values)]
            low, high = (finite.min(), finite.max()) if finite.size else (math.inf, -math.inf)
        self._low, self._high = min(self._low, float(low)), max(self._high, float(high))

    def _number(self, value: object) -> float | None:
        """Return a number, the seconds of a time where times are counted, None for all else."""
        if self._time and isinstance(value, date):
            moment = value if isinstance(value, datetime) else datetime(*value.timetuple()[:3])  # noqa: DTZ001 - given its zone below
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        known = isinstance(value, int | float | Decimal | np.number | np.bool)
        return _float(value) if known and not self._time else None


class CategoryTally:
    """Counts values, exactly as long as no more than ``most`` are met."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._met: Counter[str] = Counter()
        self._nulls = self._others = self._error = 0

    def add(self, values: Sequence[Any]) -> None:
        kinds = set(map(type, values))
        if kinds <= {str, _NOTHING}:
            self._met.update(values)
        else:
            self._met.update(_text(value) for value in values)  # type: ignore[arg-type]
        self._nulls += self._met.pop(None, 0)  # type: ignore[arg-type]
        self._shorten(2 * self._most)

    def add_array(self, values: Any) -> None:
        if isinstance(values, np.ndarray):
            self.add(values.tolist())
            return
        from tidemill.measures.counting import kind_of, met_in, without_dictionary

        column = without_dictionary(values)
        self._nulls += column.null_count
        if kind_of(column.type) in {"category", "number", "time"}:
            met, others, error = met_in(column.drop_null(), most=self._most)
            self._met.update(met)
            self._others += others
            self._error += error
        else:
            self._met[f"<{column.type}>"] += len(column) - column.null_count
        self._shorten(2 * self._most)

    def add_nulls(self, rows: int) -> None:
        self._nulls += rows

    def counted(self) -> Categories:
        self._shorten(self._most)
        clean: Counter[str] = Counter()
        for value, count in self._met.items():
            clean[value.encode(errors="replace").decode()] += count  # half a surrogate pair
        return Categories.of_counts(
            clean, nulls=self._nulls, others=self._others, error=self._error, most=self._most
        )

    def _shorten(self, longest: int) -> None:
        """Forget the rarest values once there are too many."""
        if len(self._met) > longest:
            kept = Categories.of_counts(
                self._met, others=self._others, error=self._error, most=self._most
            )
            self._met = Counter(kept.as_dict())
            self._others, self._error = kept.others, kept.error


def _float(value: Any) -> float:
    """Return a number as a float, infinite where it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    except ValueError:  # a signalling NaN of Decimal
        return math.nan


def _text(value: object) -> str | None:
    """Name a category; what has no text of its own is named by its type."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool | np.bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal | date | UUID | np.number):
        return str(value)
    return f"<{type(value).__name__}>"


def tally_of(name: str, kind: str, *, grid: Grid | None, most: int) -> Tally:
    """Make what counts a column of this kind.

    Raises
    ------
    BadInput
        If a number or a time has no grid.
    """
    if kind in {"category", "null"}:
        return CategoryTally(most)
    if grid is None:
        raise BadInput(f"column {name!r} has no grid.", fix="pass the profile of a reference.")
    return NumberTally(grid, time=kind == "time")

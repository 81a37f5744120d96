"""The two windows of one column: as a whole, and day by day where days are the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tidemill.measures.aligned import Aligned, Lumps, aligned
from tidemill.measures.categories import Categories
from tidemill.measures.numbers import Numbers
from tidemill.measures.profile import Profile, merge

Column = Numbers | Categories
Ints = NDArray[np.int64]

TAIL = 0.001
"""Beyond this share of the reference at each end lies what it does not know."""


@dataclass(frozen=True)
class Side:
    """One window of a column.

    Parameters
    ----------
    whole
        All rows.
    days
        The rows of each day that has the column, empty where rows are the evidence.
    weekdays
        The weekday of each, 0 to 6.
    """

    whole: Column
    days: tuple[Column, ...] = ()
    weekdays: tuple[int, ...] = ()

    @cached_property
    def missing(self) -> dict[str, int]:
        """How many rows have no value, by how it is missing."""
        return missing(self.whole)


@dataclass(frozen=True)
class Pair:
    """Both windows of one column, of the same type."""

    name: str
    kind: str
    reference: Side
    current: Side

    @cached_property
    def numbers(self) -> tuple[Numbers, Numbers] | None:
        """Both as numbers, where they are."""
        one, two = self.reference.whole, self.current.whole
        if isinstance(one, Numbers) and isinstance(two, Numbers):
            return one, two
        return None

    @cached_property
    def categories(self) -> tuple[Categories, Categories] | None:
        """Both as categories, where they are."""
        one, two = self.reference.whole, self.current.whole
        if isinstance(one, Categories) and isinstance(two, Categories):
            return one, two
        return None

    @cached_property
    def aligned(self) -> Aligned:
        """The counts of both side by side, cell by cell or value by value."""
        return aligned(self.reference.whole, self.current.whole)

    @property
    def weekday(self) -> tuple[Ints, Ints] | None:
        """The weekdays of the days of both, for comparing like with like."""
        before, after = (np.array(s.weekdays, np.int64) for s in (self.reference, self.current))
        return (before, after) if before.size and after.size else None

    def by_day(self) -> tuple[Ints, Ints]:
        """Return the counts of each day, shape (days, m): by cell, or by frequent value."""
        if self.numbers is not None:
            sides = [
                [d for d in s.days if isinstance(d, Numbers)]
                for s in (self.reference, self.current)
            ]
            cells = np.union1d(*(side.cells for side in self.numbers))
            before, after = (_in_cells(days, cells) for days in sides)
            return before, after
        lumps = Lumps.of(*(self.categories or ()))
        before, after = (
            np.array([_in_lumps(d, lumps) for d in s.days if isinstance(d, Categories)])
            for s in (self.reference, self.current)
        )
        return before, after


def missing(column: Column) -> dict[str, int]:
    """Say how many rows have no value, by how it is missing.

    Examples
    --------
    >>> missing(Categories.of_counts({"a": 2}, nulls=1))
    {'null': 1}
    """
    if isinstance(column, Categories):
        return {"null": column.nulls}
    return {
        "null": column.nulls,
        "NaN": column.nans,
        "-infinity": column.below,
        "infinity": column.above,
        "no number": column.wrong,
    }


def side(profiles: Sequence[Profile], whole: Profile, name: str, *, days: bool) -> Side | None:
    """Return the window of a column; None where it has none."""
    if name not in whole.columns:
        return None
    if not days:
        return Side(whole.columns[name])
    # A column of which a day has no value at all may have had no type on that day.
    kind = type(whole.columns[name])
    known = [p for p in profiles if isinstance(p.columns.get(name), kind)]
    # Noon of the first hours: the same weekday in every zone that counts its own midnights.
    week = [(p.start + timedelta(hours=12)).weekday() for p in known if p.start is not None]
    return Side(
        whole.columns[name],
        tuple(p.columns[name] for p in known),
        tuple(week) if len(week) == len(known) else (),
    )


def together(profiles: Sequence[Profile]) -> Profile:
    """Add up the profiles of a window, leaving out what changed its type within it."""
    if len(profiles) == 1:
        return profiles[0]
    kinds: dict[str, set[str]] = {}
    for profile in profiles:
        for name, kind in profile.kinds.items():
            kinds.setdefault(name, set()).add(kind)
    mixed = {n: " and ".join(sorted(k)) for n, k in kinds.items() if len(k - {"null"}) > 1}
    if not mixed:
        return merge(*profiles)
    whole = merge(*(_without(p, mixed) for p in profiles))
    said = {n: f"its type changed within the window: {k}" for n, k in mixed.items()}
    return Profile(
        rows=whole.rows,
        columns=whole.columns,
        kinds=whole.kinds,
        start=whole.start,
        end=whole.end,
        skipped={**whole.skipped, **said},
        parts=whole.parts,
    )


def _without(profile: Profile, names: dict[str, str]) -> Profile:
    return Profile(
        rows=profile.rows,
        columns={n: c for n, c in profile.columns.items() if n not in names},
        kinds={n: k for n, k in profile.kinds.items() if n not in names},
        start=profile.start,
        end=profile.end,
        skipped=profile.skipped,
        parts=profile.parts,
    )


def _in_cells(days: Sequence[Numbers], cells: NDArray[np.int32]) -> Ints:
    found = np.zeros((len(days), cells.size), np.int64)
    for row, day in zip(found, days, strict=True):
        row[np.searchsorted(cells, day.cells)] = day.counts
    return found


def _in_lumps(day: Categories, lumps: Lumps) -> Ints:
    """Count a day by frequent value; all others, known or not, are one."""
    counts = lumps.count(day)
    return np.append(counts[:-2], counts[-2] + counts[-1])

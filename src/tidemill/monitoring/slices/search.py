"""The search for slices: level by level, pruned by what a part of a slice could still reach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidemill.measures.coding import Coding
from tidemill.measures.condition import All
from tidemill.monitoring.slices.literals import Literals, literals

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Which = tuple[int, ...]

WIDE = 256
"""Slices of a level, the best first, that the next level builds on; of pairs on, all of them."""
SEARCHED = 200_000
"""Rows the search looks at, at most, drawn at random; what it finds is measured on all."""
CHUNK = 8192
"""Rows that are multiplied at a time."""
ABOVE = 2.0
"""What is less than two standard errors above the mean is not worse anywhere."""
CLEAR = 3.0
"""Standard errors by which a condition must set rows apart to be kept in what is shown."""


def best(
    table: pa.Table, value: Floats, *, least: int, depth: int, most: int
) -> list[tuple[All, Bools, float]]:
    """Find the conditions whose rows have the highest sum of values for their number.

    Parameters
    ----------
    table
        One row a value.
    value
        Numbers whose sum is 0; a slice scores its sum over the square root of its rows, in
        standard deviations.
    least, depth, most
        As for ``slices``.

    Returns
    -------
    list
        Conditions, which rows fulfil them, and the score; the best first.
    """
    spread = float(np.sqrt(np.mean(np.square(value))))
    if not spread > 0:
        return []
    if table.num_rows > SEARCHED:
        return _of_sample(table, value, least=least, depth=depth, most=most)
    coding = Coding.fit(table, numbers=10, categories=20)
    some = literals(coding, coding.codes(table), least)
    if not some.conditions:
        return []
    search = _Search(some=some, value=value / spread, least=least, most=most)
    search.run(depth)
    return search.picked()


def _of_sample(
    table: pa.Table, value: Floats, *, least: int, depth: int, most: int
) -> list[tuple[All, Bools, float]]:
    """Search some rows, and score what was found on all of them."""
    rows = np.sort(np.random.default_rng(0).choice(table.num_rows, SEARCHED, replace=False))
    fewest = max(1, least * SEARCHED // table.num_rows)
    some = value[rows] - value[rows].mean()
    spread = float(np.sqrt(np.mean(np.square(value))))
    found: list[tuple[All, Bools, float]] = []
    for where, _, _ in best(table.take(rows), some, least=fewest, depth=depth, most=most):
        inside = where.mask(table)
        n = int(inside.sum())
        if n >= least:
            found.append((where, inside, float(value[inside].sum()) / math.sqrt(n) / spread))
    return sorted(found, key=lambda entry: -entry[2])


def bound(positive: float, rows: float, top: float, least: int) -> float:
    """Return what the best part of a slice could score: the largest values, and no others.

    A part of s rows sums to at most min(positive, s * top), so over sqrt(s) it is highest
    where the two meet, if a part may have so many rows.

    Examples
    --------
    >>> bound(8.0, 100, 2.0, 1), bound(8.0, 100, 2.0, 16), bound(8.0, 100, 0.04, 1)
    (4.0, 2.0, 0.4)
    """
    size = min(max(least, positive / top), rows) if top > 0 else rows
    return min(positive, size * top) / math.sqrt(size)


@dataclass
class _Search:
    """What is being searched, and what was found."""

    some: Literals
    value: Floats
    least: int
    most: int
    found: list[tuple[float, Which]] = field(default_factory=list[tuple[float, Which]])
    level: dict[Which, float] = field(default_factory=dict[Which, float])

    def run(self, depth: int) -> None:
        """Score slices of one condition, then of two, and so on."""
        every = [()]
        self._extend(every, {(): math.inf}, bar=0.0)
        for size in range(2, depth + 1):
            self._sort()
            # Half of what is shown last: other slices than the best must not be pruned by it.
            bar = self.found[self.most - 1][0] / 2 if len(self.found) >= self.most else 0.0
            parents = [which for which, high in self.level.items() if high > bar]
            if size > 2:  # noqa: PLR2004 - pairs are all looked at
                scores = {which: score for score, which in self.found}
                parents = sorted(parents, key=lambda one: (-scores.get(one, 0.0), one))[:WIDE]
            self._extend(parents, self.level, bar=bar)
        self._sort()

    def _sort(self) -> None:
        self.found.sort(key=lambda entry: (-entry[0], entry[1]))

    def _extend(self, parents: Sequence[Which], level: dict[Which, float], *, bar: float) -> None:
        """Join each parent with each further condition, and keep what could still be good."""
        own, counts, sums, positive = self._summed(parents)
        top = float(self.value.max())
        after: dict[Which, float] = {}
        for at, which in enumerate(parents):
            # A condition that takes no row away says nothing new.
            fits = (counts[at] >= self.least) & (counts[at] < own[at])
            if which:
                fits &= self.some.joins(which)
            for one in np.flatnonzero(fits).tolist():
                joined = (*which, one)
                before = [(*joined[:drop], *joined[drop + 1 :]) for drop in range(len(joined))]
                # Of more than three not all parents were looked at, so they cannot all be asked.
                if len(joined) <= 3 and not all(p in level for p in before):  # noqa: PLR2004
                    continue
                high = bound(float(positive[at, one]), float(counts[at, one]), top, self.least)
                high = min(high, *(level.get(p, math.inf) for p in before), math.inf)
                score = float(sums[at, one]) / math.sqrt(counts[at, one])
                if score > 0:
                    self.found.append((score, joined))
                if high > bar:
                    after[joined] = high
        self.level = after

    def _summed(self, parents: Sequence[Which]) -> tuple[Floats, Floats, Floats, Floats]:
        """Return rows of each parent, and with each condition its rows, values, positive ones."""
        rows, n = self.some.rows, self.value.size
        single = len(rows)
        found = np.zeros((len(parents), 3 * single))
        own = np.zeros(len(parents))
        for start in range(0, n if parents else 0, CHUNK):
            here = slice(start, start + CHUNK)
            part = rows[:, here]
            value = self.value[here].astype(np.float32)
            inside = np.ones((len(parents), part.shape[1]), dtype=np.bool_)
            for at in range(len(parents[0])):
                inside &= part[[which[at] for which in parents]]
            times = np.concatenate([part, part * value, part * np.maximum(value, 0)])
            found += inside.astype(np.float32) @ times.astype(np.float32).T
            own += inside.sum(axis=1)
        counts, sums, positive = (found[:, k * single : (k + 1) * single] for k in range(3))
        return own, counts, sums, positive

    def picked(self) -> list[tuple[All, Bools, float]]:
        """Take the best, set its rows aside, and take the best of what is left."""
        candidates = self._candidates()
        if not candidates:
            return []
        rows = np.stack([self.some.inside(which) for which in candidates])
        value = self.value.astype(np.float32)
        free = np.ones(value.size, dtype=np.float32)
        picked: dict[Which, tuple[Bools, float]] = {}
        while len(picked) < self.most:
            counts, sums = _times(rows, np.stack([free, free * value])).T
            left = sums / np.sqrt(np.maximum(counts, 1))
            left[counts < self.least / 2] = 0
            at = int(left.argmax())
            if left[at] <= ABOVE:
                break
            which = self._plain(candidates[at])
            inside = self.some.inside(which)
            score = float(self.value[inside].sum() / math.sqrt(inside.sum()))
            if score > ABOVE:
                picked[which] = inside, score
            free[inside | rows[at]] = 0
        ordered = sorted(picked.items(), key=lambda entry: (-entry[1][1], entry[0]))
        return [(self.some.where(which), *found) for which, found in ordered]

    def _candidates(self) -> list[Which]:
        """Return the best of each length: of one length alone all may be the same rows."""
        by_length: dict[int, list[Which]] = {}
        for _, which in self.found:
            same = by_length.setdefault(len(which), [])
            if len(same) < WIDE // 2:
                same.append(which)
        return [which for same in by_length.values() for which in same]

    def _plain(self, which: Which) -> Which:
        """Leave out conditions that set nothing apart that chance could not."""
        while len(which) > 1:
            inside = self.some.inside(which)
            clear = [self._clear(inside, which, drop) for drop in range(len(which))]
            weakest = int(np.argmin(clear))
            if clear[weakest] >= CLEAR:
                break
            which = (*which[:weakest], *which[weakest + 1 :])
        return which

    def _clear(self, inside: Bools, which: Which, drop: int) -> float:
        """Return by how many standard errors a condition sets its rows apart from the others."""
        outside = self.some.inside((*which[:drop], *which[drop + 1 :])) & ~inside
        if not outside.any():
            return 0.0
        kept, lost = self.value[inside], self.value[outside]
        apart = float(kept.mean() - lost.mean())
        error = math.sqrt(kept.var() / kept.size + lost.var() / lost.size)
        if not error > 0:
            return math.inf if apart > 0 else 0.0
        return apart / error


def _times(rows: Bools, values: NDArray[np.float32]) -> Floats:
    """Sum values over the rows of each mask, some rows at a time."""
    found = np.zeros((len(rows), len(values)))
    for start in range(0, rows.shape[1], CHUNK):
        here = slice(start, start + CHUNK)
        found += rows[:, here].astype(np.float32) @ values[:, here].astype(np.float32).T
    return found

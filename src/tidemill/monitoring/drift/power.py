"""Whether a change that matters would have been found at all."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tidemill.measures.aligned import robust_sd
from tidemill.measures.categories import Categories
from tidemill.measures.numbers import Numbers
from tidemill.monitoring.drift.arms import known_range
from tidemill.monitoring.drift.report import Floors
from tidemill.monitoring.drift.windows import Pair
from tidemill.statistics.power import power_of_share, power_of_shift

_LEAST = 0.5
_MANY = 20_000  # rows that find twice the usual floors
_LEVELS = 100  # more are told apart by the frequent ones alone


@dataclass(frozen=True)
class Weakness:
    """Whether columns have too little data; what was found is kept for columns with as many rows.

    Parameters
    ----------
    days
        Whether days are the evidence.
    floors
        From which size on a change matters.
    alpha
        The level of one test, after the correction for all.
    """

    days: bool
    floors: Floors
    alpha: float
    _found: dict[tuple[object, ...], float] = field(default_factory=dict[tuple[object, ...], float])

    def of(self, pair: Pair) -> str:
        """Say so when a change twice as large as the floor is missed more often than not.

        Returns
        -------
        str
            The reason there can be no verdict; empty where there can.
        """
        before, after = pair.reference.whole.n, pair.current.whole.n
        if not before or not after:
            return ""
        if pair.numbers is not None:
            found = self._of_numbers(pair, *pair.numbers)
        elif pair.categories is not None:
            found = self._of_share(pair, pair.categories[0])
        else:
            return ""
        if math.isnan(found) or found >= _LEAST:
            return ""
        counted = f"{before:,} and {after:,} rows"
        if self.days:
            counted = f"{len(pair.reference.days)} and {len(pair.current.days)} days"
        return f"too little: in {counted} twice the floor is found in {100 * found:.0f} % of cases"

    def _of_numbers(self, pair: Pair, before: Numbers, after: Numbers) -> float:
        sd = robust_sd(before)
        if not sd or not self.floors.number:
            return math.nan
        if not self.days:
            shift = 2 * self.floors.number
            few = min(before.n, _MANY), min(after.n, _MANY)
            # More rows only find more: one answer does for all columns with many.
            found = self._shift(*few, shift, None, 0.0)
            return found if found >= _LEAST else self._shift(before.n, after.n, shift, None, 0.0)
        low, high = known_range(before)
        known = [d for d in pair.reference.days if isinstance(d, Numbers) and d.n]
        means, noise = _as_arrays([_mean(d, low, high) for d in known])
        weekdays = _weekdays(pair)
        day_sd = _between(means / sd, noise / sd**2, weekdays)
        days = len(pair.reference.days), len(pair.current.days)
        return self._shift(before.n, after.n, 2 * self.floors.number, days, day_sd)

    def _of_share(self, pair: Pair, before: Categories) -> float:
        floor, after = self.floors.category, pair.current.whole.n
        if not before.counts.size or not floor:
            return math.nan
        k = int(before.counts.argmax())
        share = int(before.counts[k]) / before.n
        moved = min(2 * floor, max(share, 1 - share))
        moved = moved if share + moved <= 1 else -moved
        if not self.days:
            levels = min(max(2, before.counts.size), _LEVELS)
            share = round(share, 2)  # one answer for columns that are alike
            moved = max(-share, min(moved, 1 - share))
            found = self._move(min(before.n, _MANY), min(after, _MANY), share, moved, levels)
            return found if found >= _LEAST else self._move(before.n, after, share, moved, levels)
        sd = math.sqrt(max(share * (1 - share), floor * (1 - floor)))
        value = before.values[k]
        known = [d for d in pair.reference.days if isinstance(d, Categories) and d.n]
        shares, noise = _as_arrays([_share(d, value) for d in known])
        weekdays = _weekdays(pair)
        # One category by days is a number by days: its share, in sd of a row that has it or not.
        days = len(pair.reference.days), len(pair.current.days)
        day_sd = _between(shares / sd, noise / sd**2, weekdays)
        return self._shift(before.n, after, moved / sd, days, day_sd)

    def _move(self, before: int, after: int, share: float, moved: float, levels: int) -> float:
        key = (before, after, share, moved, levels)
        if key not in self._found:
            self._found[key] = power_of_share(
                before, after, share=share, moved=moved, alpha=self.alpha, levels=levels
            )
        return self._found[key]

    def _shift(
        self, before: int, after: int, shift: float, days: tuple[int, int] | None, day_sd: float
    ) -> float:
        key = (before, after, shift, days, day_sd)
        if key not in self._found:
            # The test of the ranks has its level for itself; `power_of_shift` halves its own.
            self._found[key] = power_of_shift(
                before,
                after,
                shift=shift,
                alpha=min(1.0, 2 * self.alpha),
                days=days,
                day_sd=day_sd,
            )
        return self._found[key]


def _as_arrays(
    found: list[tuple[float, float]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a mean of each day, and the variance its rows alone give it."""
    return np.array([mean for mean, _ in found]), np.array([noise for _, noise in found])


def _mean(day: Numbers, low: float, high: float) -> tuple[float, float]:
    at = np.clip(day.at, low, high)
    share = day.counts / day.n
    mean = float(at @ share)
    return mean, float(np.square(at - mean) @ share) / day.n


def _share(day: Categories, value: str) -> tuple[float, float]:
    share = day.as_dict().get(value, 0) / day.n
    return share, share * (1 - share) / day.n


def _weekdays(pair: Pair) -> NDArray[np.int64]:
    """Return the weekday of each reference day with values."""
    side = pair.reference
    known = zip(side.weekdays, side.days, strict=True) if side.weekdays else ()
    return np.array([w for w, d in known if d.n], np.int64)


def _between(
    means: NDArray[np.float64], noise: NDArray[np.float64], weekdays: NDArray[np.int64]
) -> float:
    """Say how far days differ beyond what their rows and their weekday explain."""
    left, lost = means - means.mean() if means.size else means, 1
    met, at, seen = np.unique(weekdays, return_inverse=True, return_counts=True)
    if met.size and weekdays.size == means.size and seen.min() >= 2:  # noqa: PLR2004 - to learn it
        left, lost = means - (np.bincount(at, means) / seen)[at], met.size
    if means.size <= lost:
        return 0.0
    return math.sqrt(max(0.0, float(left @ left) / (means.size - lost) - float(noise.mean())))

"""How far chance moves an estimate: rows where they are independent, days where they are not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from tidemill.statistics.jackknife import t_quantile
from tidemill.statistics.weighted import n_effective

Floats = NDArray[np.float64]

LEAST_DAYS = 5
CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Noise:
    """The chance in a statistic of the reference.

    ``variance`` is that of the statistic, ``row`` that of a single row of its kind, ``alike``
    the correlation of two rows of a day, ``days`` how many days it rests on, 0 where rows are
    the units.
    """

    variance: float
    row: float
    alike: float
    days: int


def noise(moves: Floats, weight: Floats, day: NDArray[Any] | None) -> Noise:
    """Measure the chance in a statistic from how far each row moves it.

    Parameters
    ----------
    moves
        How far each row moves the statistic, one per row; their sum is its error.
    weight
        One weight per row.
    day
        The day of each row; below five days rows are the units.

    References
    ----------
    Kish, L. (1965). Survey Sampling. Wiley, section 5.4: the design effect.

    Examples
    --------
    >>> found = noise(np.array([-0.25, 0.25, -0.25, 0.25]), np.ones(4), None)
    >>> round(found.variance, 4), found.days
    (0.3333, 0)
    """
    n = moves.size
    if n < 2:  # noqa: PLR2004 - one row shows no spread
        return Noise(variance=math.nan, row=math.nan, alike=0.0, days=0)
    by_rows = float(np.square(moves - moves.mean()).sum()) * n / (n - 1)
    row = by_rows * n_effective(weight)
    place = _places(day)
    count = 0 if place is None else int(place.max()) + 1
    if place is None or count < LEAST_DAYS:
        return Noise(variance=by_rows, row=row, alike=0.0, days=0)
    sums = np.bincount(place, moves)
    by_days = float(np.square(sums - sums.mean()).sum()) * count / (count - 1)
    size, alike = day_size(day, n), 0.0
    if by_rows > 0 and size > 1:
        alike = min(max((by_days / by_rows - 1) / (size - 1), 0.0), 1.0)
    return Noise(variance=by_days, row=row, alike=alike, days=count)


def in_window(
    found: Noise, weight: Floats, day: NDArray[Any] | None, *, independent: float | None = None
) -> float:
    """Return the variance that the window's own rows add, days alike as in the reference.

    Parameters
    ----------
    found
        The noise of the reference.
    weight, day
        Of the window's rows; without days it is one day.
    independent
        The variance if rows were independent, where it is known better than from the
        reference.
    """
    base = found.row / n_effective(weight) if independent is None else independent
    return base * (1 + (day_size(day, weight.size) - 1) * found.alike)


def interval(value: float, variance: float, days: int) -> tuple[float, float]:
    """Return the 95 % interval: normal by rows, Student's t by days."""
    reach = t_quantile(CONFIDENCE, days - 1) if days else float(ndtri(0.5 + CONFIDENCE / 2))
    half = reach * math.sqrt(variance) if variance >= 0 else math.nan
    return value - half, value + half


def day_size(day: NDArray[Any] | None, n: int) -> float:
    """Return how many rows the day of a typical row has."""
    place = _places(day)
    if place is None:
        return float(n)
    counts = np.bincount(place).astype(np.float64)
    return float(np.square(counts).sum() / counts.sum())


def _places(day: NDArray[Any] | None) -> NDArray[np.int64] | None:
    return None if day is None else np.unique(day, return_inverse=True)[1].astype(np.int64)

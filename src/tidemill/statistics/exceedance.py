"""Whether a share of rows is above a limit that was fixed before the rows were seen."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import bdtrc, betaincinv

from tidemill.core.errors import BadInput
from tidemill.core.limits import Between
from tidemill.core.rule import check

_ALPHA = Between(0, 1, open_low=True)


def exceedance_p(hits: int, n: int, limit: float) -> float:
    """Return how likely so many hits or more are when their share is at the limit.

    The limit must be fixed beforehand, not estimated from data: then this is exact, and rows
    that resemble each other within a day do no harm, since the question is what share *these*
    rows were drawn at, not what usual days do.

    Parameters
    ----------
    hits, n
        Rows that were hit, of how many.
    limit
        The share that is allowed, from 0 to 1.

    Returns
    -------
    float
        The one-sided exact binomial p. At a limit of 0 one hit gives 0: none was allowed.

    References
    ----------
    Clopper, C. J. and Pearson, E. S. (1934). The use of confidence or fiducial limits
    illustrated in the case of the binomial. Biometrika 26, 404-413.

    Examples
    --------
    >>> round(exceedance_p(3, 100, 0.01), 4), exceedance_p(1, 5, 0.0), exceedance_p(0, 5, 0.0)
    (0.0794, 0.0, 1.0)
    """
    return 1.0 if hits <= 0 else float(bdtrc(hits - 1, n, limit))


def hits_needed(n: int, limit: float, alpha: float) -> int:
    """Return the fewest hits of n that are above the limit with p at most alpha.

    Returns n + 1 where not even n hits would be enough.

    Examples
    --------
    >>> hits_needed(100, 0.01, 0.05), hits_needed(100, 0.0, 0.05), hits_needed(1, 0.1, 0.05)
    (4, 1, 2)
    """
    low, high = math.floor(n * limit) + 1, n + 1
    while low < high:
        middle = (low + high) // 2
        if exceedance_p(middle, n, limit) <= alpha:
            high = middle
        else:
            low = middle + 1
    return low


def power(n: int, limit: float, alpha: float, *, share: float) -> float:
    """Return how likely n rows are found above the limit when their share is ``share``.

    Examples
    --------
    >>> round(power(100, 0.01, 0.05, share=0.06), 3), power(0, 0.01, 0.05, share=0.06)
    (0.857, 0.0)
    """
    need = hits_needed(n, limit, alpha)
    return exceedance_p(need, n, share) if need <= n else 0.0


def rate_limit(hits: NDArray[Any], n: NDArray[Any], *, alpha: float) -> float:
    """Return a limit that the share of a new day is above with probability alpha at most.

    The days are the units: on the scale ``asin(sqrt(share))``, where the spread of a share
    does not depend on it, a t prediction limit for one more day. Where bad days come in bursts
    that limit is too low, so it is never below the k-th largest day, with k at most alpha of
    the days plus one, which needs no distribution. Where hits are too rare for days to show a
    spread, the exact upper bound of all rows together stands in: a limit is never 0 because
    nothing happened yet.

    Parameters
    ----------
    hits, n
        Rows that were hit, of how many, one of each per day; a day with less than a tenth of
        the median of rows is cut or broken, and left out.
    alpha
        How likely a day without any change may be above it.

    Returns
    -------
    float
        From 0 to 1; NaN when fewer than two days have rows.

    References
    ----------
    Freeman, M. F. and Tukey, J. W. (1950). Transformations related to the angular and the
    square root. Annals of Mathematical Statistics 21, 607-611.
    Hahn, G. J. and Meeker, W. Q. (1991). Statistical Intervals. Wiley, section 4.8.

    Examples
    --------
    >>> days = np.full(14, 1000)
    >>> round(rate_limit(np.zeros(14), days, alpha=0.01), 6)
    0.000329
    >>> round(rate_limit(np.array([40, 60] * 7), days, alpha=0.01), 3)
    0.082
    """
    check("rate_limit", "alpha", alpha, _ALPHA)
    some, rows = np.asarray(hits, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if some.shape != rows.shape or some.ndim != 1:
        raise BadInput(
            f"hits have shape {some.shape}, rows {rows.shape}.", fix="pass one of each per day."
        )
    some, rows = some[rows > 0], rows[rows > 0]
    if rows.size:
        whole = rows >= 0.1 * np.median(rows)
        some, rows = some[whole], rows[whole]
    if some.size < 2:  # noqa: PLR2004 - a spread needs two
        return math.nan
    angle = np.arcsin(np.sqrt((some + 0.375) / (rows + 0.75)))
    far = float(stats.t.ppf(1 - alpha, some.size - 1)) * math.sqrt(1 + 1 / some.size)
    by_day = math.sin(min(math.pi / 2, float(angle.mean()) + far * float(angle.std(ddof=1)))) ** 2
    place = max(1, math.floor(alpha * (some.size + 1)))
    largest = float(np.sort(some / rows)[-place])
    total, hit = float(rows.sum()), float(some.sum())
    together = 1.0 if hit >= total else float(betaincinv(hit + 1, total - hit, 1 - alpha))
    # Rare hits: the transform reads 0 of n as 3/8 of a row, which is no share that was seen.
    return together if not hit else max(by_day, together, largest)


def count_ranges(
    counts: NDArray[Any], weekday: NDArray[Any], *, alpha: float
) -> NDArray[np.float64]:
    """Return between which counts each weekday of a new week will be, as shape (7, 2).

    A t prediction interval on the scale ``log(1 + count)`` around the mean of each weekday,
    with one spread for all; where a weekday was seen fewer than three times, all days are
    taken as alike.

    Parameters
    ----------
    counts
        Rows of each day, at least 0.
    weekday
        0 for Monday to 6 for Sunday, one per day.
    alpha
        How likely a day without any change may be outside.

    Returns
    -------
    numpy.ndarray
        Low and high of Monday first; NaN when fewer than three days were seen.

    References
    ----------
    Hahn, G. J. and Meeker, W. Q. (1991). Statistical Intervals. Wiley, section 4.8.

    Examples
    --------
    >>> week = np.tile([100, 110, 105, 95, 100, 20, 10], 4)
    >>> noise = np.tile([1.0, 1.1, 0.9, 1.05], 7)
    >>> ranges = count_ranges(week * noise, np.arange(28) % 7, alpha=0.01)
    >>> ranges[[0, 6]].round().tolist()
    [[77.0, 132.0], [8.0, 13.0]]
    """
    check("count_ranges", "alpha", alpha, _ALPHA)
    logs = np.log1p(np.asarray(counts, dtype=np.float64))
    days = np.asarray(weekday, dtype=np.int64)
    if logs.size < 3:  # noqa: PLR2004 - one degree of freedom and one to spare
        return np.full((7, 2), math.nan)
    seen = np.bincount(days, minlength=7)
    if seen.min() < 3:  # noqa: PLR2004 - as the docstring says
        days, seen = np.zeros_like(days), np.full(7, logs.size)
        means = np.full(7, float(logs.mean()))
        groups = 1
    else:
        means = np.bincount(days, logs, minlength=7) / seen
        groups = 7
    free = logs.size - groups
    sd = math.sqrt(float(np.sum((logs - means[days]) ** 2)) / free)
    far = float(stats.t.ppf(1 - alpha / 2, free)) * sd * np.sqrt(1 + 1 / seen)
    return np.maximum(np.expm1(np.stack([means - far, means + far], axis=1)), 0.0)

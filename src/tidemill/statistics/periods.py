"""Intervals for a mean over time, when neighbouring periods resemble each other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.core.limits import Whole
from tidemill.core.rule import check
from tidemill.core.verdict import Estimate
from tidemill.statistics.jackknife import CONFIDENCE, t_quantile


def group_t(values: NDArray[Any], *, groups: int = 6, confidence: float = 0.95) -> Estimate:
    """Estimate the mean of a series from the means of a few long stretches of it.

    Neighbouring weeks resemble each other, long stretches much less; so the stretches are
    the units of evidence. Holds for differing spreads too, at a confidence of 0.92 or more.
    It is too narrow when one stretch is short against how long the series remembers.

    Parameters
    ----------
    values
        One number per period, in order of time. Missing or infinite ones are left out, and
        the stretches share what remains as equally as they can, longer ones first.
    groups
        Number of stretches, at least 2.
    confidence
        Chance that the interval covers the truth, from 0.5 to 0.999999.

    Returns
    -------
    Estimate
        ``value`` is the mean of the stretch means, the middle of the interval. ``low`` and
        ``high`` are NaN when there are fewer finite values than ``groups``.

    References
    ----------
    Ibragimov, R. and Mueller, U. K. (2010). t-statistic based correlation and heterogeneity
    robust inference. Journal of Business and Economic Statistics 28, 453-468.

    Examples
    --------
    >>> print(group_t(np.array([1.0, 3.0, 2.0, 2.0, 4.0, 6.0, 3.0, 3.0, 3.0, 3.0, 2.0, 4.0])))
    3.0000 [1.8504, 4.1496]
    """
    check("group_t", "groups", groups, Whole(2))
    check("group_t", "confidence", confidence, CONFIDENCE)
    series = np.asarray(values, dtype=np.float64)
    if series.ndim != 1:
        raise BadInput(f"values have shape {series.shape}.", fix="pass one number per period.")
    known = series[np.isfinite(series)]
    count = min(groups, known.size)
    if not count:
        return Estimate(value=math.nan, low=math.nan, high=math.nan, n=0, n_effective=0.0, groups=0)
    means = np.array([part.mean() for part in np.array_split(known, count)])
    middle, half = float(means.mean()), math.nan
    if count == groups:
        error = float(means.std(ddof=1)) / math.sqrt(count)
        half = t_quantile(confidence, count - 1) * error
    return Estimate(
        value=middle,
        low=middle - half,
        high=middle + half,
        n=int(known.size),
        n_effective=float(known.size),
        groups=count,
    )

"""Exact bounds for a share of rows, for when there are few of them on one side."""

from __future__ import annotations

from scipy.special import betaincinv

from tidemill.core.rule import check
from tidemill.statistics.jackknife import CONFIDENCE


def share_bounds(share: float, n: float, *, confidence: float = 0.95) -> tuple[float, float]:
    """Bound a share of n independent rows from below and from above, each alone.

    Parameters
    ----------
    share
        The share seen, from 0 to 1.
    n
        Number of rows; with weights the effective one, which need not be whole.
    confidence
        Chance that a bound holds, from 0.5 to 0.999999; at least this much, as it is exact.

    Returns
    -------
    tuple
        The lower and the upper bound, from 0 to 1.

    References
    ----------
    Clopper, C. J. and Pearson, E. S. (1934). The use of confidence or fiducial limits
    illustrated in the case of the binomial. Biometrika 26, 404-413.
    Korn, E. L. and Graubard, B. I. (1998). Confidence intervals for proportions with small
    expected number of positive counts estimated from survey data. Survey Methodology 24, 193.

    Examples
    --------
    >>> low, high = share_bounds(1.0, 100)
    >>> round(low, 3), high
    (0.97, 1.0)
    """
    check("share_bounds", "confidence", confidence, CONFIDENCE)
    hits = min(max(share, 0.0), 1.0) * n
    error = 1 - confidence
    low = float(betaincinv(hits, n - hits + 1, error)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, n - hits, 1 - error)) if hits < n else 1.0
    return low, high

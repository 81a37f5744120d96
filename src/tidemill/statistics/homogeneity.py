"""Whether the categories of two windows differ: all of them together, or one of them alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtr, xlogy

from tidemill.core.limits import Whole
from tidemill.core.rule import check
from tidemill.statistics.conditional import conditional_tail
from tidemill.statistics.evidence import Evidence, nothing_to_compare, silent, two_windows

Floats = NDArray[np.float64]

_ALL = "L1 distance of all categories"
_ONE = "share of one category"
_CLOSEST = 12
_SMOOTH = 1000.0  # sd of a count above which a normal curve is as good as the exact sum


def category_evidence(
    reference: NDArray[Any], current: NDArray[Any], *, top: int = 100, seed: int = 0
) -> Evidence:
    """Say whether the shares of categories changed: many a little, or one much.

    Two questions share the error. Whether the L1 distance of all categories is larger than
    random splits of the pooled rows give: its distribution given all margins is found by a
    double saddlepoint, so 50,000 categories need no resampling. And whether the share of one
    of the commonest categories, or of all others together, changed: exact, corrected for how
    many there are.

    Parameters
    ----------
    reference, current
        Rows in each category; a category only one window has counts 0 in the other.
    top
        How many of the commonest categories are looked at alone.
    seed
        Unused: nothing is drawn. Callers need not know which evidence draws.

    Returns
    -------
    Evidence
        p is twice the smaller of both, at most 1 (with two categories both are one question,
        and p is exact); ``method`` names the one that spoke.

    References
    ----------
    Skovgaard, I. M. (1987). Saddlepoint expansions for conditional distributions. Journal of
    Applied Probability 24, 875-887.

    Examples
    --------
    >>> found = category_evidence(np.array([500, 300, 200]), np.array([400, 300, 300]))
    >>> found.method, round(found.p, 7)
    ('share of one category', 1.8e-06)
    >>> round(category_evidence(np.array([5, 5]), np.array([9, 1])).p, 3)
    0.141
    """
    check("category_evidence", "top", top, Whole(1))
    before, after = two_windows(reference, current)
    seen = before + after > 0
    before, after = before[seen], after[seen]
    m, n = float(before.sum()), float(after.sum())
    silence = nothing_to_compare(m, n, before.size)
    if silence:
        return silent("homogeneity", silence)
    one = smallest_p(before, after, top=top)
    if before.size == 2:  # noqa: PLR2004 - the other share is one minus this one
        return Evidence(p=one, statistic=l1(before, after), method=_ONE)
    every = l1_p(before, after)
    if every < one:
        return Evidence(p=min(1.0, 2 * every), statistic=l1(before, after), method=_ALL)
    return Evidence(p=min(1.0, 2 * one), statistic=l1(before, after), method=_ONE)


def l1(before: Floats, after: Floats) -> float:
    """Return the L1 distance of the shares, from 0 to 2; it is above 0 without any change.

    Examples
    --------
    >>> round(l1(np.array([5.0, 5.0]), np.array([9.0, 1.0])), 3)
    0.8
    """
    return float(np.abs(before / before.sum() - after / after.sum()).sum())


def l1_p(before: Floats, after: Floats) -> float:
    """Return how likely random splits of the pooled rows lie at least so far apart.

    Examples
    --------
    >>> round(l1_p(np.array([30.0, 30, 30, 10]), np.array([20.0, 45, 25, 10])), 3)
    0.102
    """
    pooled = before + after
    share = float(after.sum() / pooled.sum())
    statistic = float(np.abs(after - pooled * share).sum())
    return conditional_tail(pooled, share, statistic)


def smallest_p(before: Floats, after: Floats, *, top: int) -> float:
    """Return the smallest exact p of one category's share, corrected for how many were tried.

    Examples
    --------
    >>> round(smallest_p(np.array([50.0, 50, 0]), np.array([45.0, 45, 10]), top=100), 4)
    0.0046
    """
    m, n = float(before.sum()), float(after.sum())
    pooled = before + after
    if pooled.size > top:
        first = np.argpartition(-pooled, top)[:top]
        before = np.append(before[first], m - before[first].sum())
        after = np.append(after[first], n - after[first].sum())
    tried = before.size if before.size > 2 else 1  # noqa: PLR2004 - two shares are one question
    # Exact sums take time: only where the deviance, nearly the order of p, is largest. Were the
    # smallest p elsewhere, this one would be larger than need be.
    likely = np.argsort(_deviance(before, after))[-_CLOSEST:]
    p = min(share_p(float(before[i]), float(after[i]), m, n) for i in likely)
    return min(1.0, tried * p)


def _deviance(before: Floats, after: Floats) -> Floats:
    """Return how far each category's split is from that of all rows, in log likelihood."""
    pooled, share = before + after, float(after.sum() / (before.sum() + after.sum()))
    in_one = xlogy(before, before) - xlogy(before, pooled * (1 - share))
    in_other = xlogy(after, after) - xlogy(after, pooled * share)
    return np.asarray(in_one + in_other, dtype=np.float64)


def share_p(before: float, after: float, m: float, n: float) -> float:
    """Return the two-sided exact p that a category has the same share of both windows.

    Parameters
    ----------
    before, after
        Its rows in each window.
    m, n
        All rows of each window.

    Returns
    -------
    float
        Twice the smaller tail of Fisher's exact test, at most 1.

    Examples
    --------
    >>> round(share_p(1, 9, 10, 10), 5), share_p(3, 3, 10, 10)
    (0.00109, 1.0)
    """
    rows = before + after
    if after * m < before * n:
        before, after, m, n = after, before, n, m  # so that the upper tail is the one to sum
    sd = math.sqrt(rows * (n / (m + n)) * (m / (m + n)) * (1 - rows / (m + n)))
    if sd > _SMOOTH:
        return min(1.0, 2 * float(ndtr(-(after - 0.5 - rows * n / (m + n)) / sd)))
    most = min(rows, n) - after
    steps = np.arange(min(most, math.ceil(9 * sd) + 40))
    left, more = before - steps, after + steps
    # How many times as likely one more row is, from term to term.
    ratio = left * (n - more) / ((more + 1) * (m - left + 1))
    terms = np.concatenate([[1.0], np.cumprod(ratio)])
    first = _log_choose(n, after) + _log_choose(m, before) - _log_choose(m + n, rows)
    return min(1.0, 2 * math.exp(min(0.0, first)) * float(terms.sum()))


def _log_choose(total: float, some: float) -> float:
    return float(gammaln(total + 1) - gammaln(some + 1) - gammaln(total - some + 1))

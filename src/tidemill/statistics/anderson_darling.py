"""Whether two windows of a number differ: Anderson-Darling on ranks, and rows far outside."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, gammaln

from tidemill.core.limits import Whole
from tidemill.core.rule import check
from tidemill.statistics.evidence import Evidence, nothing_to_compare, silent, two_windows
from tidemill.statistics.mixture import mixture_tail

Floats = NDArray[np.float64]

_NAME = "Anderson-Darling"
_OUTSIDE = "rows outside the reference's 0.1-99.9 % range"
_TIED = 0.3  # share of one value above which a small sample of the others makes the null lumpy
_FEW = 50  # rows of other values in the smaller window that make it smooth again
_DRAWS = (999, 9_999, 99_999)
_ENOUGH = 50  # draws at or beyond the statistic that settle its p
_LARGEST = 900_000_000  # rows that numpy draws from without replacement
_EXCESS = 0.01
_TRIM = 0.001


def anderson_darling(
    reference: NDArray[Any], current: NDArray[Any], *, bins: int = 64, seed: int = 0
) -> Evidence:
    """Compare two windows of a number by their ranks.

    The cells are joined to about ``bins`` bins of equal pooled mass; a value that holds more
    than that stays a bin of its own. Given the pooled bins the statistic is a quadratic form
    whose weights are known, so its p needs no resampling. Where one value holds most rows and
    few rows of the smaller window have another, the p is found from random splits of the
    pooled rows instead.

    Parameters
    ----------
    reference, current
        Rows in each cell, the cells in the order of their values. Rows without a number do
        not belong in here.
    bins
        How many bins, at least 2.
    seed
        Of the random splits.

    Returns
    -------
    Evidence
        p is NaN when a window has no rows or all rows have the same value. A p from random
        splits is never below 1 / (splits + 1), and ``why`` says how many there were.

    References
    ----------
    Pettitt, A. N. (1976). A two-sample Anderson-Darling rank statistic. Biometrika 63, 161-168.
    Scholz, F. W. and Stephens, M. A. (1987). K-sample Anderson-Darling tests. JASA 82, 918-924.

    Examples
    --------
    >>> found = anderson_darling(np.array([40, 30, 20, 10]), np.array([10, 20, 30, 40]))
    >>> round(found.p, 10), round(found.statistic, 2)
    (4e-10, 19.9)
    >>> anderson_darling(np.array([5, 0]), np.array([7, 0])).why
    'all rows have the same value'
    """
    check("anderson_darling", "bins", bins, Whole(2))
    before, after = two_windows(reference, current)
    before, after = joined(before, after, bins=bins)
    silence = nothing_to_compare(float(before.sum()), float(after.sum()), before.size)
    if silence:
        return silent(_NAME, silence)
    pooled = before + after
    weights = edge_weights(pooled)
    statistic = _statistic(before, after, weights)
    p = mixture_tail(statistic, spectrum(pooled, weights))
    if not lumpy(pooled, float(min(before.sum(), after.sum()))):
        return Evidence(p=p, statistic=statistic, method=_NAME)
    p, draws = _by_splits(pooled, before, after, statistic=statistic, seed=seed)
    why = f"one value holds most rows: p from {draws} random splits, so not below {1 / (draws + 1):.1g}"
    return Evidence(p=p, statistic=statistic, method=f"{_NAME}, random splits", why=why)


def joined(before: Floats, after: Floats, *, bins: int) -> tuple[Floats, Floats]:
    """Join neighbouring cells to bins of equal pooled mass; heavy cells stay alone.

    Examples
    --------
    >>> a, b = joined(np.array([1.0, 1, 8, 1, 1]), np.zeros(5), bins=3)
    >>> a
    array([2., 8., 2.])
    """
    starts = bin_starts(before + after, bins=bins)
    if starts.size == 0:
        return before[:0], after[:0]
    return np.add.reduceat(before, starts), np.add.reduceat(after, starts)


def bin_starts(pooled: Floats, *, bins: int) -> NDArray[np.int64]:
    """Return the first cell of each bin; every bin has rows, cells without rows join one.

    Examples
    --------
    >>> bin_starts(np.array([0.0, 1, 1, 8, 1, 0, 1]), bins=3)
    array([0, 3, 4])
    """
    seen = np.flatnonzero(pooled > 0)
    if seen.size == 0:
        return seen
    mass = pooled[seen]
    share = float(mass.sum()) / bins
    heavy = mass > share
    run = 2 * np.cumsum(heavy) - heavy
    place = np.floor((np.cumsum(mass) - mass / 2) / share)
    new = np.concatenate([[True], (np.diff(run) > 0) | (np.diff(place) > 0)])
    starts = seen[new]
    starts[0] = 0
    return starts


def edge_weights(pooled: Floats) -> Floats:
    """Return the weight of each inner edge: the mass beside it over H (1 - H).

    Examples
    --------
    >>> edge_weights(np.array([1.0, 1.0]))
    array([2.])
    """
    share = pooled / pooled.sum()
    below = np.cumsum(share)[:-1]
    above = np.cumsum(share[::-1])[::-1][1:]  # not 1 - below: exact where little is left
    return (share[:-1] + share[1:]) / 2 / (below * above)


def spectrum(pooled: Floats, weights: Floats) -> Floats:
    """Return the weights of the chi-squares the statistic is a sum of when nothing changed.

    Examples
    --------
    Its sum is the mean of the statistic.

    >>> pooled = np.ones(64)
    >>> round(float(spectrum(pooled, edge_weights(pooled)).sum()), 4)
    0.9844
    """
    share = pooled / pooled.sum()
    below = np.cumsum(share)[:-1]
    above = np.cumsum(share[::-1])[::-1][1:]
    covariance = np.minimum.outer(below, below) * np.minimum.outer(above, above)
    root = np.sqrt(weights)
    return np.maximum(np.linalg.eigvalsh(covariance * np.outer(root, root)), 0)


def lumpy(pooled: Floats, smaller: float) -> bool:
    """Say whether one value holds so many rows that the statistic has few possible values.

    Examples
    --------
    >>> lumpy(np.array([90.0, 5, 5]), 30), lumpy(np.array([90.0, 5, 5]), 1000)
    (True, False)
    """
    heaviest = float(pooled.max() / pooled.sum())
    return heaviest > _TIED and smaller * (1 - heaviest) < _FEW


def _statistic(before: Floats, after: Floats, weights: Floats) -> float:
    m, n = float(before.sum()), float(after.sum())
    gap = np.cumsum(before)[:-1] / m - np.cumsum(after)[:-1] / n
    # (N - 1) / N: rows are split without replacement, which spreads them a little wider.
    return float((weights * gap**2).sum() * (m * n / (m + n)) * (1 - 1 / (m + n)))


def _by_splits(
    pooled: Floats, before: Floats, after: Floats, *, statistic: float, seed: int
) -> tuple[float, int]:
    """Find the p from random splits of the pooled rows, more of them the smaller it is."""
    rng = np.random.default_rng(seed)
    order = np.argsort(-pooled)  # the heaviest first: few rows are left to place after it
    back = np.argsort(order)
    m, n = float(before.sum()), float(after.sum())
    weights, small = edge_weights(pooled), int(min(m, n))
    scale = m * n / (m + n) * (1 - 1 / (m + n)) * (1 / m + 1 / n) ** 2
    centre = np.cumsum(pooled)[:-1] * small / (m + n)
    beyond, done, p = 0, 0, 1.0
    for draws in _DRAWS:
        split = _splits(rng, pooled[order], small, draws - done)[:, back]
        gap = np.cumsum(split, axis=1)[:, :-1] - centre
        drawn = (gap**2) @ weights * scale
        beyond += int((drawn >= statistic * (1 - 1e-9)).sum())
        done, p = draws, (beyond + 1) / (draws + 1)
        if beyond >= _ENOUGH:
            break
    return p, done


def _splits(rng: np.random.Generator, pooled: Floats, rows: int, draws: int) -> NDArray[np.int64]:
    if pooled.sum() < _LARGEST:
        whole = pooled.astype(np.int64)
        return rng.multivariate_hypergeometric(whole, rows, size=draws, method="marginals")
    return rng.multinomial(rows, pooled / pooled.sum(), size=draws)  # wider, so still honest


def numeric_evidence(reference: NDArray[Any], current: NDArray[Any], *, seed: int = 0) -> Evidence:
    """Say whether a number changed: anywhere by its ranks, or by rows far outside.

    Two questions share the error: ``anderson_darling``, which sees shifts and spreads, and
    ``rows_outside``, which sees a few rows that went far.

    Parameters
    ----------
    reference, current
        Rows in each cell, the cells in the order of their values.
    seed
        Of random splits, where they are needed.

    Returns
    -------
    Evidence
        p is twice the smaller of both, at most 1; ``method`` names the one that spoke.

    Examples
    --------
    >>> before, after = np.zeros(50, int), np.zeros(50, int)
    >>> before[10:20], after[10:20], after[40] = 200, 98, 20
    >>> found = numeric_evidence(before, after)
    >>> found.method, found.p < 1e-9
    ("rows outside the reference's 0.1-99.9 % range", False)
    """
    ranks = anderson_darling(reference, current, seed=seed)
    if not ranks.says:
        return ranks
    outside = rows_outside(reference, current)
    spoke = outside if outside.p < ranks.p else ranks
    return Evidence(
        p=min(1.0, 2 * spoke.p), statistic=spoke.statistic, method=spoke.method, why=spoke.why
    )


def rows_outside(reference: NDArray[Any], current: NDArray[Any]) -> Evidence:
    """Say whether too many rows lie outside the range of nearly all reference rows.

    The range comes from the reference itself, so its ends are order statistics and the share
    of the reference outside is no estimate of what to expect. How many current rows fall
    outside before the next reference row does is exact: a precedence test at both ends.

    Parameters
    ----------
    reference, current
        Rows in each cell, the cells in the order of their values.

    Returns
    -------
    Evidence
        ``statistic`` is the share of current rows outside minus that of the reference; p is 1
        where it is below 1 %. Ties make p larger than need be, never smaller.

    References
    ----------
    Balakrishnan, N. and Ng, H. K. T. (2006). Precedence-Type Tests and Applications. Wiley.

    Examples
    --------
    >>> found = rows_outside(np.array([0, 50, 50, 0]), np.array([0, 45, 45, 10]))
    >>> round(found.p, 5), round(found.statistic, 2)
    (0.00483, 0.1)
    """
    before, after = two_windows(reference, current)
    m, n = float(before.sum()), float(after.sum())
    silence = nothing_to_compare(m, n, before.size)
    if silence:
        return silent(_OUTSIDE, silence)
    allowed = math.floor(_TRIM * m)
    out = (np.cumsum(before) <= allowed) | (np.cumsum(before[::-1])[::-1] <= allowed)
    beyond, inside = float(after[out].sum()), float(before[out].sum())
    excess = beyond / n - inside / m
    p = 1.0
    if excess >= _EXCESS:
        # Up to one reference row short of the range at each end, and one row to reach it.
        rows = 2 * allowed + 1
        p = _at_most(rows, beyond + rows, m, m + n)
    return Evidence(p=p, statistic=excess, method=_OUTSIDE)


def _at_most(few: float, drawn: float, good: float, total: float) -> float:
    """Return how likely at most ``few`` of ``drawn`` rows are reference rows."""
    drawn = min(drawn, total)
    if total < 1e6:  # noqa: PLR2004 - where the sum of exact terms is quick
        met = np.arange(max(0.0, drawn - (total - good)), min(few, good, drawn) + 1)
        ways = _log_choose(good, met) + _log_choose(total - good, drawn - met)
        return float(min(1.0, np.exp(ways - _log_choose(total, np.array(drawn))).sum()))
    # Many rows: the share drawn is small or the answer is beyond doubt; binomial is wider.
    return float(bdtr(few, int(drawn), good / total))


def _log_choose(total: float, some: Floats) -> Floats:
    return np.asarray(gammaln(total + 1) - gammaln(some + 1) - gammaln(total - some + 1))

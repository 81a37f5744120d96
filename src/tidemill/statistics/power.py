"""How likely a change of a given size would have been found."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc, fdtri, gammainccinv, ncfdtr, ndtr, ndtri

from tidemill.core.errors import BadValue
from tidemill.core.limits import Between, Whole
from tidemill.core.rule import check
from tidemill.statistics.anderson_darling import edge_weights
from tidemill.statistics.day_ratio import cautious
from tidemill.statistics.homogeneity import share_p
from tidemill.statistics.mixture import mixture_tail, ratio_tail, tail_of_form
from tidemill.statistics.roots import root

Floats = NDArray[np.float64]

_ALPHA = Between(0, 1, open_low=True)
_BINS = 32
_TOP = 101
_LEAST = 5
_MUCH = 5
_THIN = 2
_ROOT = math.sqrt(2 * math.pi)
_CLEAR = 0.35  # so far from 1/2 a rough power is as good as the exact one


def power_of_shift(
    n_reference: int,
    n_current: int,
    *,
    shift: float,
    alpha: float,
    days: tuple[int, int] | None = None,
    day_sd: float = 0.0,
) -> float:
    """Return how likely a shift of a normal number would give evidence at the level alpha.

    The shift moves the mean of the statistic's normal parts, so the statistic is a sum of
    noncentral chi-squares, whose tail is found exactly. By rows this is the power of
    ``numeric_evidence``, by days of ``day_evidence``.

    Parameters
    ----------
    n_reference, n_current
        Rows of each window, all days together.
    shift
        In standard deviations of the number; its sign does not matter.
    alpha
        Level of the evidence, corrected for all tests.
    days
        How many reference and current days, where days are the evidence.
    day_sd
        How far usual days differ from one another, in standard deviations of the number.

    Returns
    -------
    float
        From 0 to 1; 0 for an empty window or fewer than 5 reference days. By days, what is beyond
        .15 to .85 is an approximation that was off by .16 at most.

    Examples
    --------
    >>> round(power_of_shift(2000, 2000, shift=0.2, alpha=0.05 / 20), 3)
    0.998
    >>> round(power_of_shift(200, 30, shift=0.2, alpha=0.001), 3)
    0.006
    >>> round(power_of_shift(280_000, 10_000, shift=0.3, alpha=1e-3, days=(28, 1), day_sd=0.05), 1)
    1.0
    """
    _checked(n_reference, n_current, alpha)
    check("power_of_shift", "shift", shift, Between(-math.inf, math.inf))
    check("power_of_shift", "day_sd", day_sd, Between(0, math.inf))
    if n_reference == 0 or n_current == 0:
        return 0.0
    covariance, gap, slope = _normal(shift)
    if days is None:
        scale = n_reference * n_current / (n_reference + n_current)
        return _power_by_rows(covariance, gap * math.sqrt(scale), alpha / 2)
    reference, current = days
    if reference < _LEAST or current < 1:
        return 0.0
    usual = day_sd**2 * np.outer(slope, slope)
    before = usual + covariance * (reference / n_reference)
    after = (usual + covariance * (current / n_current)) / current + before / reference
    return _power_by_days(before, after, gap, alpha=alpha, df=reference - 1)


def power_of_share(
    n_reference: int, n_current: int, *, share: float, moved: float, alpha: float, levels: int
) -> float:
    """Return how likely one category's gain would give evidence at the level alpha.

    The category gains what all others lose, each as much. The power is that of the stronger
    arm of ``category_evidence``: the category alone, or the L1 distance of all.

    Parameters
    ----------
    n_reference, n_current
        Rows of each window.
    share
        Share of the category in the reference, from 0 to 1.
    moved
        How much its share changes, as 0.05 for five points; the new share is from 0 to 1.
    alpha
        Level of the evidence, corrected for all tests.
    levels
        How many categories there are, at least 2.

    Examples
    --------
    >>> round(power_of_share(5000, 5000, share=0.2, moved=0.05, alpha=0.05 / 20, levels=5), 3)
    0.991
    >>> round(power_of_share(10_000, 30, share=0.2, moved=0.1, alpha=0.001, levels=5), 3)
    0.002
    """
    _checked(n_reference, n_current, alpha)
    check("power_of_share", "levels", levels, Whole(2))
    check("power_of_share", "share", share, Between(0, 1))
    if not 0 <= share + moved <= 1:
        raise BadValue(
            f"power_of_share(share={share!r}, moved={moved!r}): the new share is {share + moved:g}.",
            fix="move less, so that it stays from 0 to 1.",
        )
    if n_reference == 0 or n_current == 0:
        return 0.0
    if levels == 2:  # noqa: PLR2004 - one question, one test
        return _power_alone(n_reference, n_current, share, moved, alpha)
    alone = alpha / 2 / min(levels, _TOP)
    return max(
        _power_alone(n_reference, n_current, share, moved, alone),
        _power_of_l1(n_reference, n_current, share, moved, (alpha / 2, levels)),
    )


def _checked(n_reference: int, n_current: int, alpha: float) -> None:
    check("power", "n_reference", n_reference, Whole(0))
    check("power", "n_current", n_current, Whole(0))
    check("power", "alpha", alpha, _ALPHA)


def _normal(shift: float) -> tuple[Floats, Floats, Floats]:
    """Return the weighted covariance of a distribution function, its gap and its slope."""
    edges = ndtri(np.arange(1, _BINS) / _BINS)
    # Pooled bins would lie between both windows; half the shift puts these there too.
    gap = ndtr(edges + shift / 2) - ndtr(edges - shift / 2)
    below = ndtr(edges)
    root = np.sqrt(edge_weights(np.ones(_BINS)))
    covariance = np.minimum.outer(below, below) - np.outer(below, below)
    slope = np.exp(-(edges**2) / 2) / math.sqrt(2 * math.pi)
    return covariance * np.outer(root, root), gap * root, slope * root


def _power_by_rows(covariance: Floats, gap: Floats, alpha: float) -> float:
    weights, directions = np.linalg.eigh(covariance)
    far = (directions.T @ gap) ** 2 / weights
    threshold = _threshold(lambda x: mixture_tail(x, weights), float(weights.sum()), alpha)
    return tail_of_form(threshold, weights, np.ones(weights.size), noncentrality=far)


def _power_by_days(before: Floats, after: Floats, gap: Floats, *, alpha: float, df: int) -> float:
    usual = np.maximum(np.linalg.eigvalsh(before), 0)
    usual = usual[usual > 1e-9 * usual.max()]
    seen = cautious(usual[::-1] / usual.sum(), df)
    rough = _rough_power(usual, seen, (after, gap), alpha=alpha, df=df)
    if abs(rough - 0.5) > _CLEAR:
        return rough
    weights, directions = np.linalg.eigh(after)
    some = weights > 1e-9 * weights.max()
    weights, far = weights[some], (directions.T @ gap)[some] ** 2 / weights[some]
    ratio = _threshold(lambda x: ratio_tail(x, seen, seen, df), 1.0, alpha)
    # What the ratio is taken against: the residuals, on the scale of the gap's own variance.
    against = usual * (ratio * float(weights.sum()) / float(usual.sum()) / df)
    return tail_of_form(
        0.0,
        np.concatenate([weights, -against]),
        np.concatenate([np.ones(weights.size), np.full(usual.size, float(df))]),
        noncentrality=np.concatenate([far, np.zeros(usual.size)]),
    )


def _rough_power(
    usual: Floats, seen: Floats, moved: tuple[Floats, Floats], *, alpha: float, df: int
) -> float:
    """Return the power from one noncentral F with the same means and variances.

    It is forty times faster than the exact tail, and when it is far from 1/2 so is that one:
    over 6 to 60 days, 200 and 3,000 rows a day and day effects to .2 sd it was off by .16 at most.
    """
    after, gap = moved
    total = float(np.trace(after))
    rank = total**2 / float(np.square(after).sum())
    cautious_rank = float(seen.sum()) ** 2 / float(np.square(seen).sum())
    below = float(usual.sum()) ** 2 / float(np.square(usual).sum()) * df
    threshold = float(fdtri(cautious_rank, cautious_rank * df, 1 - alpha))
    far = float(gap @ gap) / total * rank
    return float(1 - ncfdtr(rank, below, far, threshold))


def _threshold(tail: Callable[[float], float], mean: float, alpha: float) -> float:
    """Return the value whose tail is alpha."""
    high = mean
    while tail(high) > alpha and high < 1e12 * mean:
        high *= 4
    low = 1e-9 * mean
    if tail(low) <= alpha:
        return low
    return root(lambda x: math.log(max(tail(x), 1e-300) / alpha), low, high, relative=1e-6)


def _power_alone(m: int, n: int, share: float, moved: float, alpha: float) -> float:
    """Return the power of the exact test of one share."""
    if moved < 0:
        share, moved = 1 - share, -moved  # what all others together gain
    before, now = round(m * share), share + moved
    low, high = math.floor(n * share), n + 1
    while low + 1 < high:
        middle = (low + high) // 2
        found = share_p(before, middle, m, n) <= alpha
        low, high = (low, middle) if found else (middle, high)
    if high > n:
        return 0.0
    if m >= _MUCH * n:
        return float(bdtrc(high - 1, n, now))
    # Both windows vary: the boundary is a line in the two counts.
    spread = math.sqrt(max(now * (1 - now) / n + share * (1 - share) / m, 1e-300))
    return float(ndtr((now - share - ((high - 0.5) / n - before / m)) / spread))


def _power_of_l1(m: int, n: int, share: float, moved: float, at: tuple[float, int]) -> float:
    """Return the power of the L1 distance at (alpha, levels), from the moments of |normal|."""
    alpha, levels = at
    if n * (1 - share) / (levels - 1) < _THIN:  # too few rows for normal curves
        return 0.0
    before = np.array([share, (1 - share) / (levels - 1)])
    after = np.array([share + moved, before[1] - moved / (levels - 1)])
    many = np.array([1.0, levels - 1.0])
    after = np.maximum(after, 0.0)
    pooled = (m * before + n * after) / (m + n)
    sd0 = np.sqrt(pooled * (1 - pooled) * (1 / m + 1 / n))
    sd1 = np.maximum(np.sqrt(before * (1 - before) / m + after * (1 - after) / n), 1e-300)
    apart = np.abs(after - before) / sd1
    mean1 = sd1 * (apart * (2 * ndtr(apart) - 1) + 2 * np.exp(-(apart**2) / 2) / _ROOT)
    variance1 = sd1**2 * (1 + apart**2) - mean1**2
    mean0, variance0 = sd0 * 2 / _ROOT, sd0**2 * (1 - 2 / math.pi)
    # Few distances make a skewed sum: a gamma curve with its mean and sd.
    middle, shape = float(many @ mean0), (float(many @ mean0) / _together(many * variance0)) ** 2
    reach = middle * float(gammainccinv(shape, alpha)) / shape
    return float(ndtr((float(many @ mean1) - reach) / _together(many * variance1)))


def _together(variances: Floats) -> float:
    """Return the sd of the sum when the category and all others move together, as they must."""
    return float(np.sqrt(variances).sum())

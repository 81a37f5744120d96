"""How far apart random splits of pooled rows fall over categories, without drawing any."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtr

Floats = NDArray[np.float64]

_WIDE = 8.0  # sd of a count above which an integral stands for the sum over it
_REACH = 9.0  # sd on both sides that the sum goes
_EXTRA = 12
_STEPS = 60
_CLOSE = 1e-9
_MANY = 50
_FLAT = 0.02
_TINY = 1e-14


class Splits(NamedTuple):
    """Each distinct total with the counts that can fall in the current window.

    ``log_p`` is the binomial log probability of each count, ``gap`` the count less its mean,
    ``start`` where each total begins, ``many`` how many categories have this total.
    """

    log_p: Floats
    gap: Floats
    start: NDArray[np.int64]
    many: Floats


class Moments(NamedTuple):
    """The cumulant function of (sum of |gap|, sum of gap), its gradient and curvature."""

    value: float
    gradient: Floats
    curvature: Floats


def conditional_tail(pooled: Floats, share: float, statistic: float) -> float:
    """Return P(sum of |count - mean| >= statistic) when the rows are split at random.

    Given all margins the counts of the current window are independent binomials conditioned
    on their sum, so the joint cumulant function of the statistic and the sum is a sum over
    categories, and Skovgaard's double saddlepoint gives the tail.

    Parameters
    ----------
    pooled
        Rows of each category in both windows together, above 0.
    share
        Share of all rows that is in the current window.
    statistic
        The sum over categories of the distance of a count from its mean, in rows.

    Returns
    -------
    float
        Within a few percent of itself where the categories are many or their counts large;
        1 where the margins leave the statistic no room.

    References
    ----------
    Skovgaard, I. M. (1987). Saddlepoint expansions for conditional distributions. Journal of
    Applied Probability 24, 875-887.

    Examples
    --------
    >>> pooled = np.full(50, 100.0)
    >>> round(conditional_tail(pooled, 0.5, 250.0), 5)
    0.00872
    """
    splits = _splits(pooled, share)
    flat = _moments(splits, 0.0, 0.0)
    (ff, fd), (_, dd) = flat.curvature
    spread = ff - fd * fd / dd if dd > 0 else 0.0
    if spread <= _CLOSE * max(ff, 1.0):
        return 1.0  # such as only rows that occur once: their distance is fixed by the margins
    sd, mean = math.sqrt(spread), float(flat.gradient[0])
    z = (statistic - mean) / sd
    # Far from any evidence the normal curve will do. With few categories that begins lower:
    # the sum being fixed takes from every distance, so the mean used here is too high.
    if z < (0.5 if pooled.size > _MANY else -1.5):
        return float(ndtr(-z))
    if abs(z) < _FLAT:  # the formula is 0 / 0 at the mean itself, though smooth around it
        z = _FLAT
    return _skovgaard(splits, mean + z * sd, z / sd, dd)


def _skovgaard(splits: Splits, statistic: float, s: float, flat_dd: float) -> float:
    target = np.array([statistic, 0.0])
    point, at = _saddlepoint(splits, target, s)
    depth = float(point @ target) - at.value
    room = float(np.linalg.det(at.curvature))
    if depth <= 0 or room <= 0 or not point[0]:
        return math.exp(-max(depth, 0.0))  # at the edge of what can happen: Chernoff's bound
    w = math.copysign(math.sqrt(2 * depth), float(point[0]))
    v = float(point[0]) * math.sqrt(room / flat_dd)
    density = math.exp(-depth) / math.sqrt(2 * math.pi)
    p = float(ndtr(-w)) + density * (1 / v - 1 / w)
    return min(1.0, max(p, 0.0))


def _saddlepoint(splits: Splits, target: Floats, s: float) -> tuple[Floats, Moments]:
    """Find where the gradient of the cumulant function is the target, by damped Newton steps."""
    point = np.array([max(-1.0, min(s, 1.0)), 0.0])
    at = _moments(splits, *point)
    for _ in range(_STEPS):
        miss = target - at.gradient
        scale = np.sqrt(np.maximum(np.diag(at.curvature), 1e-300))
        if (np.abs(miss) <= 1e-7 * scale).all() or float(point @ target) - at.value > 700:  # noqa: PLR2004
            break
        ridge = at.curvature + 1e-12 * np.diag(scale**2 + 1e-12)
        step: Floats = np.linalg.solve(ridge, miss).astype(np.float64)
        now = at.value - float(point @ target)
        trial = point + step
        there = _moments(splits, *trial)
        while there.value - float(trial @ target) > now + _CLOSE and np.abs(step).max() > _TINY:
            step = step / 2
            trial = point + step
            there = _moments(splits, *trial)
        point, at = trial, there
    return point, at


def _moments(splits: Splits, s: float, u: float) -> Moments:
    far = np.abs(splits.gap)
    log = splits.log_p + s * far + u * splits.gap
    top = np.maximum.reduceat(log, splits.start)
    lengths = np.diff(np.append(splits.start, log.size))
    weight = np.exp(log - np.repeat(top, lengths))

    def mean(values: Floats) -> Floats:
        return np.add.reduceat(values, splits.start) / total

    total = np.add.reduceat(weight, splits.start)
    wf, wd = weight * far, weight * splits.gap
    f, d = mean(wf), mean(wd)
    ff, fd = mean(wf * far) - f * f, mean(wf * splits.gap) - f * d
    dd = mean(wd * splits.gap) - d * d
    value = float(splits.many @ (np.log(total) + top))
    cross = float(splits.many @ fd)
    return Moments(
        value,
        np.array([splits.many @ f, splits.many @ d]),
        np.array([[splits.many @ ff, cross], [cross, splits.many @ dd]]),
    )


def _splits(pooled: Floats, share: float) -> Splits:
    totals, many = np.unique(pooled, return_counts=True)
    sd = np.sqrt(totals * share * (1 - share))
    small = sd <= _WIDE
    counts, start = _whole_counts(totals[small], share, sd[small])
    total = np.repeat(totals[small], np.diff(np.append(start, counts.size)))
    log_p = _log_binomial(counts, total, share)
    gap = counts - total * share
    wide_gap, wide_log = _integral(totals[~small], share, sd[~small])
    wide_start = np.arange(len(wide_gap), dtype=np.int64) * wide_gap.shape[1] + counts.size
    return Splits(
        np.concatenate([log_p, wide_log.ravel()]),
        np.concatenate([gap, wide_gap.ravel()]),
        np.concatenate([start, wide_start]).astype(np.int64),
        np.concatenate([many[small], many[~small]]).astype(np.float64),
    )


def _whole_counts(totals: Floats, share: float, sd: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return, one total after the other, the counts within reach of its mean."""
    low = np.maximum(0, np.floor(totals * share - _REACH * sd) - _EXTRA)
    high = np.minimum(totals, np.ceil(totals * share + _REACH * sd) + _EXTRA)
    lengths = (high - low + 1).astype(np.int64)
    start = np.cumsum(lengths) - lengths
    place = np.arange(int(lengths.sum())) - np.repeat(start, lengths)
    return (np.repeat(low, lengths) + place).astype(np.float64), start.astype(np.int64)


def _integral(totals: Floats, share: float, sd: Floats) -> tuple[Floats, Floats]:
    """Return nodes and log weights that integrate over the counts of large totals.

    Gauss-Legendre on each side of the mean, where |gap| has its kink.
    """
    nodes, weights = np.polynomial.legendre.leggauss(32)
    half = (nodes + 1) / 2
    low, high = (
        np.minimum(_REACH * sd, totals * share),
        np.minimum(_REACH * sd, totals * (1 - share)),
    )
    gap = np.concatenate([-np.outer(low, half), np.outer(high, half)], axis=1)
    size = np.concatenate([np.outer(low, weights), np.outer(high, weights)], axis=1) / 2
    total = totals[:, None]
    log = _log_binomial(gap + total * share, total, share) + np.log(size)
    if log.size:
        log = log - np.log(np.exp(log).sum(axis=1, keepdims=True))
    return gap, log


def _log_binomial(count: Floats, total: Floats, share: float) -> Floats:
    return (
        gammaln(total + 1)
        - gammaln(count + 1)
        - gammaln(total - count + 1)
        + count * math.log(share)
        + (total - count) * math.log1p(-share)
    )

"""Whether windows lie farther from the usual ones than these lie from one another."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainccinv

from tidemill.core.errors import BadInput
from tidemill.statistics.permutation import memberships
from tidemill.statistics.roots import root

Floats = NDArray[np.float64]

LEAST = 5
"""Usual windows below which their spread is not known."""
FIRST = 199
"""Permutations after which those are left alone that are far from being evidence."""
BLOCK = 4096
MOST = 400
"""Directions in which windows may vary, at most."""
_GRID = np.exp(np.linspace(math.log(1e-5), math.log(2e3), 800))
_TINY = 1e-9
_FARTHEST = 1e6


def one_outlying(usual: Floats, current: Floats) -> float:
    """Return how likely one more usual window is as far from the others as the current one.

    The squared distance of the current window from the mean of the usual ones is set against
    their own variance. If windows vary as the normal does, both are weighted sums of
    chi-squares, with the variances along the principal directions as weights: the largest of
    these, and the others as if they were alike. Where k of n usual windows are at least as far out, p is at least
    k / (n + 1), whatever their spread.

    Parameters
    ----------
    usual
        One vector a window, shape (n, d): such that distances between windows are those
        between vectors.
    current
        Shape (d,).

    Returns
    -------
    float
        NaN with fewer than 5 usual windows, or where these are all the same.

    References
    ----------
    Imhof, J. P. (1961). Computing the distribution of quadratic forms in normal variables.
    Biometrika 48, 419-426.
    Bai, Z. and Saranadasa, H. (1996). Effect of high dimension: by an example of a two sample
    problem. Statistica Sinica 6, 311-329.
    Box, G. E. P. (1954). Some theorems on quadratic forms applied in the study of analysis of
    variance problems. Annals of Mathematical Statistics 25, 290-302.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> days = rng.normal(size=(28, 10))
    >>> p = one_outlying(days, rng.normal(size=10)), one_outlying(days, np.full(10, 3.0))
    >>> p[0] > 0.05, p[1] < 1e-4
    (True, True)
    """
    if usual.ndim != 2 or current.shape != usual.shape[1:]:  # noqa: PLR2004 - windows and dimensions
        raise BadInput(
            f"usual windows have shape {usual.shape}, the current one {current.shape}.",
            fix="pass (windows, dimensions) and (dimensions,).",
        )
    n = len(usual)
    if n < LEAST:
        return math.nan
    gram, total = _spread(usual)
    if math.isnan(total):
        return math.nan
    middle = usual.mean(axis=0)
    ratio = float(np.square(current - middle).sum()) * n / (n + 1) / total
    p = _ratio_p(*_directions(gram / (n - 1) / total, n), ratio, n - 1)
    further = np.diag(gram) * n / (n - 1) >= ratio * total
    least = float(further.sum()) / (n + 1)
    return max(p, least)


def evident_distance(usual: Floats, *, alpha: float, together: int = 1) -> float:
    """Return from which squared distance to the mean of usual windows on others are evidence.

    For one window that of :func:`one_outlying`; for the mean of some together, which
    :func:`some_outlying` permutes, the same without a look at single usual windows.

    Parameters
    ----------
    usual
        One vector a window, shape (n, d).
    alpha
        The level of the evidence.
    together
        How many windows are judged as one.

    Returns
    -------
    float
        NaN with fewer than 5 usual windows, or where these are all the same; infinite where
        these are too few for the level.

    Examples
    --------
    >>> days = np.random.default_rng(0).normal(size=(28, 10))
    >>> least = evident_distance(days, alpha=0.01)
    >>> at = days.mean(axis=0)
    >>> at[0] += math.sqrt(least)
    >>> round(one_outlying(days, at), 4)
    0.01
    """
    n = len(usual)
    gram, total = _spread(usual) if n >= LEAST else (usual, math.nan)
    if math.isnan(total):
        return math.nan
    weights, many = _directions(gram / (n - 1) / total, n)
    if together > 1:
        # Sums of products that are shared out at random vary like a chi-square with their moments.
        free = 1 / float(np.square(weights) @ many)
        ratio = 2 * float(gammainccinv(free / 2, alpha)) / free
        # The change itself is among what is shared out.
        ratio /= max(1 - ratio / (n + together - 1), _TINY)
        return ratio * total * (1 / together + 1 / n)
    high = 2.0
    while _ratio_p(weights, many, high, n - 1) > alpha and high < _FARTHEST:
        high *= 2
    if high >= _FARTHEST:
        return math.inf
    ratio = root(
        lambda x: math.log(max(_ratio_p(weights, many, x, n - 1), 1e-300) / alpha),
        _TINY, high, relative=1e-4,
    )  # fmt: skip
    # So many usual windows may be as far out without p being above the level.
    few = math.floor(alpha * (n + 1))
    own = np.sort(np.diag(gram))[::-1] * n / (n - 1) / total
    ratio = max(ratio, float(own[few])) if few < n else ratio
    return ratio * total * (1 + 1 / n)


def _spread(usual: Floats) -> tuple[Floats, float]:
    """Return the products of windows about their mean, and their variance; NaN for none."""
    apart = usual - usual.mean(axis=0)
    gram = apart @ apart.T
    total = float(np.trace(gram)) / (len(usual) - 1)
    scale = float(np.square(usual).mean()) * usual.shape[1]
    return gram, total if total > 1e-18 * scale else math.nan


def _directions(gram: Floats, n: int) -> tuple[Floats, Floats]:
    """Return the variances of the directions in which windows vary, and how many have each.

    The largest, and the others as if they were alike. The sum of all is 1; the sum of their
    squares, which says how few they are, is freed from what so few windows add to it.
    """
    squares = float(np.square(gram).sum())
    apart = (n - 1) ** 2 / ((n - 2) * (n + 1)) * (squares - 1 / (n - 1))
    # The square of their sum is too large by as much as the sum varies.
    apart /= max(1 - 2 * apart / (n - 1), _TINY)
    apart = min(max(apart, 1 / MOST), 1.0)
    largest = min(float(np.linalg.eigvalsh(gram)[-1]), math.sqrt(apart), 1 - _TINY)
    rest = 1 - largest
    many = min(max(rest**2 / max(apart - largest**2, _TINY), rest / largest), float(MOST))
    return np.array([largest, rest / many]), np.array([1.0, many])


def _ratio_p(weights: Floats, many: Floats, ratio: float, free: int) -> float:
    """Return P(sum w x > ratio * sum w y / free), x and y chi-squares.

    Parameters
    ----------
    weights, many
        The weight w of each x, and its degrees of freedom; y has ``free`` times as many.
    """
    both = np.concatenate([weights, -weights * ratio / free])
    degrees = np.concatenate([many, many * free])
    both = both / math.sqrt(float(np.square(both) @ degrees))
    turned = both[:, None] * _GRID
    angle = 0.5 * degrees @ np.arctan(turned)
    height = np.exp(-0.25 * degrees @ np.log1p(np.square(turned)))
    # In the logarithm of Imhof's variable, where what is integrated is smooth; the first point
    # stands for all below it too.
    waves = np.sin(angle) * height
    step = math.log(_GRID[1] / _GRID[0])
    return float(np.clip(0.5 + (waves.sum() * step + waves[0]) / math.pi, 0.0, 1.0))


def some_outlying(usual: Floats, current: Floats, *, alpha: float, seed: int) -> float:
    """Return how likely windows that were shared out at random are as far apart as these.

    A permutation test of the windows: exact where they could have come in any order. Those
    far from being evidence are left after 199 permutations, which costs no level.

    Parameters
    ----------
    usual, current
        One vector a window, shapes (n, d) and (m, d).
    alpha
        The level that matters: so many permutations are made that p can be well below it.
    seed
        Of the permutations.

    Returns
    -------
    float
        NaN where not even the largest distance of all arrangements would be evidence at
        ``alpha``.

    References
    ----------
    Anderson, M. J. (2001). A new method for non-parametric multivariate analysis of variance.
    Austral Ecology 26, 32-46.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> days = rng.normal(size=(28, 10))
    >>> some_outlying(days, rng.normal(size=(7, 10)) + 1.5, alpha=0.001, seed=0) < 0.001
    True
    """
    n, m = len(usual), len(current)
    if not n or not m or math.comb(n + m, m) * alpha < 1:
        return math.nan
    windows = np.concatenate([usual, current])
    windows = windows - windows.mean(axis=0)
    gram = windows @ windows.T
    observed = _between(gram, (np.arange(n + m) < n)[None, :])[0]
    rng, hits, made = np.random.default_rng(seed), 1, 1
    wanted = FIRST + math.ceil(10 / alpha)
    while made < wanted:
        more = FIRST if made == 1 else min(BLOCK, wanted - made)
        drawn = np.hstack(list(memberships(rng, n, m, permutations=more, block=n + m)))
        hits += int(np.sum(_between(gram, drawn) >= observed * (1 - _TINY)))
        made += more
        if made == FIRST + 1 and hits / made > max(0.1, 10 * alpha):
            break
    return hits / made


def _between(gram: Floats, first: NDArray[np.bool_]) -> Floats:
    """Return the squared distance between the means of both sides, for each way to share out."""
    n = first.sum(axis=1, keepdims=True)
    weights = np.asarray(np.where(first, 1 / n, -1 / (first.shape[1] - n)), dtype=np.float64)
    return np.einsum("ij,ij->i", weights @ gram, weights)

"""How large a sum of squared normals gets: tails of weighted chi-squares, to many digits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from tidemill.statistics.roots import root

Floats = NDArray[np.float64]

_NODES = 61
_REACH = 9.0
_NEGLIGIBLE = 1e-12
_EDGE = 1e-14
_BEYOND = 1e12


def mixture_tail(statistic: float, weights: NDArray[Any]) -> float:
    """Return the probability that ``sum(weights * chi2_1)`` is above the statistic.

    The characteristic function is inverted numerically on a contour through the saddlepoint.
    The integrand there is as small as the answer itself, so small tails keep their digits,
    which the usual inversion along the imaginary axis loses.

    Parameters
    ----------
    statistic
        The value, any finite number.
    weights
        The weights, at least 0; those that add less than 1e-12 of the largest are left out.

    Returns
    -------
    float
        Good to about 1e-7 of itself from 1 to 1e-300; NaN when a weight or the statistic is
        not finite or no weight is above 0.

    References
    ----------
    Imhof, J. P. (1961). Computing the distribution of quadratic forms in normal variables.
    Biometrika 48, 419-426.
    Rice, S. O. (1980). Distribution of quadratic forms in normal random variables: evaluation
    by numerical integration. SIAM J. Sci. Stat. Comput. 1, 438-448.

    Examples
    --------
    >>> round(mixture_tail(3.841459, np.array([1.0])), 6)
    0.05
    >>> round(mixture_tail(10.0, np.array([1.0, 0.5])), 8)
    0.00234156
    """
    known = np.asarray(weights, dtype=np.float64).ravel()
    if known.size == 0 or not math.isfinite(statistic) or not np.isfinite(known).all():
        return math.nan
    if known.min() < 0 or known.max() <= 0:
        return math.nan
    if statistic <= 0:
        return 1.0
    known = known[known > _NEGLIGIBLE * known.max()]
    if known.max() - known.min() <= _NEGLIGIBLE * known.max():
        return float(chdtrc(float(known.size), statistic / float(known[0])))
    return tail_of_form(statistic, known, np.ones(known.size))


def ratio_tail(ratio: float, above: NDArray[Any], below: NDArray[Any], df: float) -> float:
    """Return how likely one quadratic form is ``ratio`` times the mean of ``df`` like others.

    An F distribution for vectors: ``sum(above * chi2_1) > ratio * sum(below * chi2_df) / df``.
    A ratio above 1e12 is taken as that; all its digits are rounding.

    Examples
    --------
    An ordinary F when all weights are one:

    >>> round(ratio_tail(4.965, np.ones(1), np.ones(1), 10), 4)
    0.05
    """
    up = np.asarray(above, dtype=np.float64)
    down = np.asarray(below, dtype=np.float64)
    ok = math.isfinite(ratio) and np.isfinite(up).all() and np.isfinite(down).all() and df > 0
    if not ok or up.max(initial=0) <= 0 or down.max(initial=0) <= 0:
        return math.nan
    if ratio <= 0:
        return 1.0
    ratio = min(ratio, _BEYOND)
    up, down = up[up > 1e-9 * up.max()], down[down > 1e-9 * down.max()]
    weights = np.concatenate([up, -down * ratio / df])
    many = np.concatenate([np.ones(up.size), np.full(down.size, float(df))])
    return tail_of_form(0.0, weights, many)


def tail_of_form(
    x: float, weights: Floats, df: Floats, *, noncentrality: Floats | None = None
) -> float:
    """Return P(sum of weights times noncentral chi-squares > x) by contour integration.

    Parameters
    ----------
    x
        The value.
    weights
        Of either sign, at least one above 0.
    df, noncentrality
        Degrees of freedom and noncentrality of each chi-square.

    Returns
    -------
    float
        From 0 to 1.

    Examples
    --------
    >>> one = np.ones(1)
    >>> round(tail_of_form(9.0, one, one, noncentrality=4 * one), 4)  # P(|N(2, 1)| > 3)
    0.1587
    """
    far = np.zeros(weights.size) if noncentrality is None else noncentrality
    if x < float(weights @ (df + far)):
        # Below the mean the other tail is the small one: on the other side of the pole at 0.
        return float(1 - _along(x, weights, df, far, _below(x, weights, df, far)))
    end = 0.5 / float(weights.max())  # where the moment generating function ends
    if _slope(end * (1 - _EDGE), x, weights, df, far) <= 0:
        return 0.0  # so far out that no float holds it
    found = root(
        lambda part: _slope(part * end, x, weights, df, far), _EDGE, 1 - _EDGE, absolute=1e-15
    )
    return _along(x, weights, df, far, found * end)


def _slope(s: float, x: float, weights: Floats, df: Floats, far: Floats) -> float:
    """Return the slope of the exponent, the pole at 0 included, along the real axis."""
    shrunk = 1 - 2 * weights * s
    return float((weights * (df / shrunk + far / shrunk**2)).sum()) - x - 1 / s


def _below(x: float, weights: Floats, df: Floats, far: Floats) -> float:
    """Return the saddlepoint left of 0."""
    end = 0.5 / -float(weights.min()) if weights.min() < 0 else math.inf
    near = 1e-9 / float(np.abs(weights) @ (df + far))
    out = near
    while _slope(-out, x, weights, df, far) > 0:
        closer = out + 0.9 * (end - out)
        out = min(4 * out, closer)
    return -root(lambda r: _slope(-r, x, weights, df, far), near, out)


def _along(x: float, weights: Floats, df: Floats, far: Floats, middle: float) -> float:
    """Integrate along a hyperbola that leaves the real axis at the saddlepoint."""
    shrunk = 1 - 2 * weights * middle
    bend = (weights**2 * (2 * df / shrunk**2 + 4 * far / shrunk**3)).sum() + 1 / middle**2
    u = np.linspace(0, _REACH, _NODES)
    width = 1 / math.sqrt(float(bend))
    s = middle + width * ((np.cosh(u) - 1) * 0.5 + 1j * np.sinh(u))
    step = width * (0.5 * np.sinh(u) + 1j * np.cosh(u)) * (u[1] - u[0])
    factor = 1 - 2 * np.multiply.outer(s, weights)
    log = -0.5 * (np.log(factor) @ df) - s * x
    if far.any():
        log = log + s * ((weights * far) / factor).sum(axis=1)
    with np.errstate(under="ignore"):
        value = np.exp(log) / s * step
    total = float(value.imag.sum() - value.imag[0] / 2)  # the other half is its mirror image
    return min(1.0, max(0.0, (total if middle > 0 else -total) / math.pi))

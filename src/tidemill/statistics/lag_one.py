"""How much neighbouring deviations resemble each other, and what that does to a prediction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Floats = NDArray[np.float64]
MOST = 0.9
"""The largest correlation of neighbours that is considered."""

_HALVINGS = 6

FURTHEST = 60
"""Windows further apart than this many steps are taken to know nothing of each other."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The standard deviation of a prediction's error, its degrees of freedom, and rho."""

    sd: float
    df: float
    rho: float


def spread(
    residuals: Floats, basis: Floats, steps: NDArray[np.int64], contrast: Floats, ahead: float
) -> Spread:
    """Say how far a new value may be from its prediction when neighbours resemble each other.

    Deviations are taken as AR(1) in the steps between windows. The correlation rho, at least 0,
    is the one under which residuals would on average show the lag-one ratio they show: fitting
    makes residuals alternate, so the ratio itself is too low. Variance and degrees of freedom
    follow from rho by their moments.

    Parameters
    ----------
    residuals
        What is left of T values, scaled to one variance, after least squares; shape (T,).
    basis
        Orthonormal columns that span what was fitted; shape (T, r), r < T.
    steps
        The place in time of each value and, last, of the new one, rising; shape (T + 1,).
    contrast
        The prediction is ``contrast @ values``; shape (T,).
    ahead
        The standard deviation of the new value in units of that of the T values.

    References
    ----------
    Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance
    components. Biometrics Bulletin 2, 110-114.
    Andrews, D. W. K. (1993). Exactly median-unbiased estimation of first order autoregressive
    models. Econometrica 61, 139-165.

    Examples
    --------
    >>> x = np.array([1.0, -2.0, 2.0, -1.0, 1.0, -2.0, 2.0, -1.0])
    >>> mean = np.full((8, 1), 8**-0.5)
    >>> found = spread(x, mean, np.arange(9), np.full(8, 1 / 8), 1.0)
    >>> found.rho, round(found.df, 6), round(found.sd, 6) == round(float(x.std(ddof=1) * 1.125**0.5), 6)
    (0.0, 7.0, True)
    """
    past, place = residuals.size, _places(steps)
    near = np.flatnonzero(np.diff(place[:-1]) == 1)
    total = float(np.square(residuals).sum())
    shown = float((residuals[near] * residuals[near + 1]).sum()) / total if total else 0.0
    rho = _correlation(shown, basis, place)
    trace, _, square = _moments(rho, basis, place)
    to_new = rho ** np.minimum(place[-1] - place[:-1], FURTHEST).astype(np.float64)
    passed = _times(rho, contrast[:, None], place[:past])[:, 0]
    factor = ahead**2 + float(contrast @ passed) - 2 * ahead * float(contrast @ to_new)
    return Spread(
        sd=math.sqrt(total / trace * max(factor, 0.0)),
        df=min(trace**2 / square, float(past - basis.shape[1])),
        rho=rho,
    )


def _correlation(shown: float, basis: Floats, place: NDArray[np.int64]) -> float:
    """Return the correlation under which residuals show this ratio on average."""

    def too_low(rho: float) -> bool:
        trace, pairs, _ = _moments(rho, basis, place)
        return pairs < shown * trace

    low, high = 0.0, MOST
    if not too_low(low):
        return low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if too_low(middle) else (low, middle)
    return (low + high) / 2


def _places(steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places from 0, with no gap wider than what matters."""
    return np.concatenate([[0], np.cumsum(np.clip(np.diff(steps), 1, FURTHEST))])


def _times(rho: float, columns: Floats, place: NDArray[np.int64]) -> Floats:
    """Multiply by the AR(1) correlation matrix of the places, without building it."""
    wide = np.zeros((int(place[-1]) + 1, columns.shape[1]))
    wide[place] = columns
    forth = np.asarray(lfilter([1.0], [1.0, -rho], wide, axis=0), dtype=np.float64)
    back = np.asarray(lfilter([1.0], [1.0, -rho], wide[::-1], axis=0), dtype=np.float64)[::-1]
    return (forth + back)[place] - columns


def _moments(rho: float, basis: Floats, steps: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return tr(MR), the sum of MRM over neighbours, and tr(MRMR), for M = I - basis basis'."""
    place = steps[:-1]
    past = place.size
    passed = _times(rho, basis, place)
    inner = basis.T @ passed
    near = np.flatnonzero(np.diff(place) == 1)
    first, second = basis[near], basis[near + 1]
    pairs = (
        rho * near.size
        - float((first * passed[near + 1]).sum())
        - float((passed[near] * second).sum())
        + float(((first @ inner) * second).sum())
    )
    ones = np.ones((past, 1))
    square = float(_times(rho**2, ones, place).sum())
    square += float(np.square(inner).sum()) - 2 * float(np.square(passed).sum())
    return past - float(np.trace(inner)), pairs, square

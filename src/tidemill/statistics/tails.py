"""Whether deviations have heavier tails than the normal, and what to do about it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

Floats = NDArray[np.float64]
FEWEST = 20
"""Below so many deviations their tails cannot be judged."""

_NOTHING = 1e-9
_ROUNDS, _SETTLED = 15, 0.01


def heavy_tails_p(deviations: Floats) -> float:
    """Return the p-value of tails no heavier than the normal's, one-sided, by the kurtosis.

    Parameters
    ----------
    deviations
        Numbers that are normal if nothing is wrong; shape (n,), finite, not all alike.

    Returns
    -------
    float
        NaN below 20 numbers.

    References
    ----------
    Anscombe, F. J. and Glynn, W. J. (1983). Distribution of the kurtosis statistic b2 for
    normal samples. Biometrika 70, 227-234.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> heavy_tails_p(rng.normal(size=200)) > 0.05
    True
    >>> heavy_tails_p(rng.standard_t(3, size=200)) < 0.01
    True
    """
    n = deviations.size
    if n < FEWEST:
        return math.nan
    apart = deviations - deviations.mean()
    kurtosis = n * float((apart**4).sum()) / float((apart**2).sum()) ** 2
    mean = 3 * (n - 1) / (n + 1)
    variance = 24 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5))
    skew = 6 * (n * n - 5 * n + 2) / ((n + 7) * (n + 9))
    skew *= math.sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)))
    a = 6 + 8 / skew * (2 / skew + math.sqrt(1 + 4 / skew**2))
    inside = 1 + (kurtosis - mean) / math.sqrt(variance) * math.sqrt(2 / (a - 4))
    third = math.copysign(abs((1 - 2 / a) / inside) ** (1 / 3), inside) if inside else 0.0
    return float(ndtr(-(1 - 2 / (9 * a) - third) / math.sqrt(2 / (9 * a))))


def gross(values: Floats, columns: Floats, *, alpha: float = 1e-3) -> NDArray[np.bool_]:
    """Find values so far from a robust fit that they belong to something else.

    Parameters
    ----------
    values
        Shape (T,), finite.
    columns
        What is fitted, by Huber's loss with the scale from the median deviation; (T, p).
    alpha
        How likely any value of a normal series may be taken for one.

    Returns
    -------
    numpy.ndarray of bool
        All False where more than a fifth would be found: then the series has changed, which
        is no matter of a few odd values.

    References
    ----------
    Huber, P. J. (1981). Robust Statistics. Wiley, chapter 7.

    Examples
    --------
    >>> x = np.random.default_rng(1).normal(size=40)
    >>> x[[7, 8]] = -12.0
    >>> np.flatnonzero(gross(x, np.ones((40, 1)))).tolist()
    [7, 8]
    """
    left, size, _ = np.linalg.svd(columns, full_matrices=False)
    basis: Floats = np.asarray(left[:, size > 1e-10 * size.max(initial=0.0)], dtype=np.float64)
    many, free = values.size, values.size - basis.shape[1]
    none = np.zeros(many, dtype=np.bool_)
    if free < FEWEST:
        return none
    weight, scale = np.ones(many), math.inf
    apart: Floats = values
    for _ in range(_ROUNDS):
        weighted = basis * weight[:, None]
        inner = np.asarray(weighted.T @ basis, dtype=np.float64)
        effects = np.asarray(np.linalg.solve(inner, weighted.T @ values), dtype=np.float64)
        apart = values - basis @ effects
        before = scale
        scale = 1.4826 * float(np.median(np.abs(apart))) * math.sqrt(many / free)
        if scale <= _NOTHING * float(np.max(np.abs(values))):
            return none
        if abs(scale - before) <= _SETTLED * scale:
            break
        weight = np.minimum(1.0, 1.345 * scale / np.maximum(np.abs(apart), _NOTHING * scale))
    # The median deviation knows the scale as well as a standard deviation of 37 % of them.
    df: float = 0.37 * free
    found = np.abs(apart) > scale * float(stdtrit(df, 1.0 - alpha / (2.0 * many)))
    return none if found.sum() > many / 5 else found

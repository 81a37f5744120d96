"""Weighted means and what weights cost, in rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput


def checked_weights(weights: NDArray[Any]) -> NDArray[np.float64]:
    """Return the weights as floats, once they are known to be weights.

    Raises
    ------
    BadInput
        If a weight is negative, infinite or missing, or the array is not flat.

    Examples
    --------
    >>> checked_weights(np.array([1, 2]))
    array([1., 2.])
    """
    known = np.asarray(weights, dtype=np.float64)
    if known.ndim != 1:
        raise BadInput(f"weights have shape {known.shape}.", fix="pass one weight per row.")
    wrong = np.flatnonzero(~(np.isfinite(known) & (known >= 0)))
    if wrong.size:
        raise BadInput(
            f"weight {known[wrong[0]]} in row {wrong[0]} ({wrong.size} such rows).",
            fix="pass finite weights of at least 0, such as 1 / inclusion probability.",
        )
    return known


def n_effective(weights: NDArray[Any]) -> float:
    """Count the equally weighted rows that would say as much as these do.

    Parameters
    ----------
    weights
        One weight per row, at least 0; only their ratios matter.

    Returns
    -------
    float
        Kish's (sum w)^2 / sum w^2; 0 when no row has weight.

    References
    ----------
    Kish, L. (1965). Survey Sampling. Wiley, section 11.7.

    Examples
    --------
    >>> n_effective(np.array([1.0, 1.0, 1.0, 1.0]))
    4.0
    >>> round(n_effective(np.array([10.0, 1.0, 1.0, 1.0])), 2)
    1.64
    """
    known = checked_weights(weights)
    top = known.max(initial=0.0)
    if top == 0.0:
        return 0.0
    shares = known / top
    return float(shares.sum() ** 2 / np.square(shares).sum())


def weighted_mean(values: NDArray[Any], weights: NDArray[Any]) -> float:
    """Average values by weight.

    Parameters
    ----------
    values
        One number per row. A missing value in a row with weight makes the mean missing;
        rows of weight 0 are not looked at.
    weights
        One weight per row, at least 0; only their ratios matter.

    Returns
    -------
    float
        sum(w x) / sum(w); NaN when no row has weight.

    References
    ----------
    Hajek, J. (1971). Comment on "An essay on the logical foundations of survey sampling".

    Examples
    --------
    >>> weighted_mean(np.array([0.0, 1.0]), np.array([1.0, 3.0]))
    0.75
    """
    numbers, known = np.asarray(values, dtype=np.float64), checked_weights(weights)
    if numbers.shape != known.shape:
        raise BadInput(
            f"values have shape {numbers.shape}, weights {known.shape}.",
            fix="pass one weight per value.",
        )
    has_weight = known > 0
    if not has_weight.any():
        return float("nan")
    shares = known[has_weight] / known.max()
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.sum(numbers[has_weight] * (shares / shares.sum())))

"""How much each row moves a metric, so that its units can be weighed one against another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.statistics.weighted import checked_weights, weighted_mean


def mean_influence(loss: NDArray[Any], weight: NDArray[Any]) -> NDArray[np.float64]:
    """Say how far each row moves a weighted mean from where the others would have it.

    Parameters
    ----------
    loss
        One number per row.
    weight
        One weight per row, at least 0. Rows of weight 0 move nothing.

    Returns
    -------
    numpy.ndarray
        w (x - mean) / sum(w), which sums to 0. The difference of two models' influences on
        the same rows is the influence on their difference. All NaN when the mean is.

    References
    ----------
    Hampel, F. R. (1974). The influence curve and its role in robust estimation. Journal of
    the American Statistical Association 69, 383-393.

    Examples
    --------
    >>> mean_influence(np.array([0.0, 1.0]), np.array([1.0, 1.0]))
    array([-0.25,  0.25])
    """
    known = checked_weights(weight)
    middle = weighted_mean(loss, known)
    if not np.isfinite(middle):
        return np.full(known.shape, np.nan)
    has_weight = known > 0
    apart = np.where(has_weight, np.asarray(loss, dtype=np.float64) - middle, 0.0)
    shares = known / known.max()
    return apart * shares / shares.sum()


def auc_influence(
    label: NDArray[Any], score: NDArray[Any], weight: NDArray[Any]
) -> NDArray[np.float64]:
    """Say how far each row moves the area under the ROC curve.

    Parameters
    ----------
    label
        0 or 1 per row.
    score
        One number per row; only their order counts, equal ones count half.
    weight
        One weight per row, at least 0. Rows of weight 0 move nothing.

    Returns
    -------
    numpy.ndarray
        w (V - AUC) / sum of the weights of its class, where V is the share of the other class
        on the right side of the row. Sums to 0 within each class. All NaN when a class is
        absent or a label or score is missing in a row with weight.

    References
    ----------
    DeLong, E. R., DeLong, D. M. and Clarke-Pearson, D. L. (1988). Comparing the areas under
    two or more correlated receiver operating characteristic curves. Biometrics 44, 837-845.

    Examples
    --------
    >>> auc_influence(np.array([1, 1, 0, 0]), np.array([0.9, 0.4, 0.4, 0.1]), np.ones(4))
    array([ 0.0625, -0.0625, -0.0625,  0.0625])
    """
    known = checked_weights(weight)
    rows = known > 0
    y, s, w = (np.asarray(v, dtype=np.float64)[rows] for v in (label, score, known))
    moves = np.full(known.shape, np.nan)
    if np.isnan(y).any() or np.isnan(s).any():
        return moves
    wrong = y[(y != 0) & (y != 1)]
    if wrong.size:
        raise BadInput(f"label {wrong[0]} is not 0 or 1.", fix="code the positive class as 1.")
    positive = y == 1
    if positive.all() or not positive.any():
        return moves
    places, place = np.unique(s, return_inverse=True)
    share = w / float(w[positive].sum())
    share[~positive] = w[~positive] / float(w[~positive].sum())
    good, bad = (np.bincount(place[own], share[own], places.size) for own in (positive, ~positive))
    below = np.cumsum(bad) - bad / 2
    above = np.sum(good) - (np.cumsum(good) - good / 2)
    area = float(good @ below)
    moves[:] = 0.0
    moves[rows] = share * (np.where(positive, below[place], above[place]) - area)
    return moves

"""Whether some rows have a higher mean than the others, when rows of a unit are alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from tidemill.core.errors import BadInput
from tidemill.statistics.influence import mean_influence
from tidemill.statistics.weighted import checked_weights, n_effective, weighted_mean

Floats = NDArray[np.float64]

LEAST_UNITS = 5.0
"""Fewest units the rows must be spread over, counted by weight."""


@dataclass(frozen=True, kw_only=True)
class Excess:
    """How much higher something is, and how sure that is.

    Parameters
    ----------
    value
        The difference.
    low
        What it is above with 95 % confidence; NaN where that cannot be said.
    p
        One-sided probability of as much if there were no difference; NaN with ``low``.
    units
        Units the rows are spread over, counted by their weight.
    """

    value: float
    low: float
    p: float
    units: float


def higher(
    loss: NDArray[Any], weight: NDArray[Any], inside: NDArray[np.bool_], unit: NDArray[Any]
) -> Excess:
    """Test whether rows have a higher mean than all others, one-sided.

    Parameters
    ----------
    loss, weight
        One number and one weight per row.
    inside
        Which rows.
    unit
        The unit of each row, such as its day or its user; rows of different units are
        independent. A unit may have rows on both sides.

    Returns
    -------
    Excess
        From the sum over each unit of how far its rows move the difference; t with as many
        degrees of freedom as there are units that matter, less one.

    References
    ----------
    Liang, K.-Y. and Zeger, S. L. (1986). Longitudinal data analysis using generalized linear
    models. Biometrika 73, 13-22.

    Examples
    --------
    >>> loss = np.array([3.0, 4.0, 5.0, 4.0, 6.0, 5.0, 1.0, 2.0, 1.0, 2.0, 3.0, 1.0])
    >>> found = higher(loss, np.ones(12), np.arange(12) < 6, np.arange(12))
    >>> round(found.value, 2), found.p < 0.01, found.units
    (2.83, True, 6.0)
    """
    known, where = checked_weights(weight), np.asarray(inside, dtype=np.bool_)
    if not known.shape == np.shape(loss) == where.shape == np.shape(unit):
        raise BadInput(
            f"loss, weight, inside, unit have shapes {np.shape(loss)}, {known.shape}, "
            f"{where.shape}, {np.shape(unit)}.",
            fix="pass one of each per row.",
        )
    if not (known[where] > 0).any() or not (known[~where] > 0).any():
        return Excess(value=math.nan, low=math.nan, p=math.nan, units=0.0)
    numbers = np.asarray(loss, dtype=np.float64)
    value = weighted_mean(numbers[where], known[where])
    value -= weighted_mean(numbers[~where], known[~where])
    moves = mean_influence(numbers, np.where(where, known, 0.0))
    moves = moves - mean_influence(numbers, np.where(where, 0.0, known))
    place = np.unique(unit, return_inverse=True)[1]
    units = n_effective(np.bincount(place[where], known[where]))
    return excess(value, np.asarray(np.bincount(place, moves), dtype=np.float64), units)


def excess(value: float, moves: Floats, units: float) -> Excess:
    """Test an estimate by how far each independent unit moves it.

    References
    ----------
    MacKinnon, J. G. and Webb, M. D. (2017). Wild bootstrap inference for wildly different
    cluster sizes. Journal of Applied Econometrics 32, 233-254: why few units inside are too
    sure of themselves.

    Examples
    --------
    >>> found = excess(1.0, np.array([0.1, -0.1, 0.1, -0.1, 0.1, -0.1]), 6.0)
    >>> round(found.low, 3), round(found.p, 4)
    (0.459, 0.0068)
    """
    if units < LEAST_UNITS or not math.isfinite(value) or not np.isfinite(moves).all():
        return Excess(value=value, low=math.nan, p=math.nan, units=units)
    # Of the units inside, not of all: it is their own mean that makes their spread too small.
    error = math.sqrt(float(np.square(moves).sum()) * units / (units - 1))
    if not error > 0:
        return Excess(value=value, low=math.nan, p=math.nan, units=units)
    low = value - float(stdtrit(units - 1, 0.95)) * error
    return Excess(value=value, low=low, p=float(stdtr(units - 1, -value / error)), units=units)

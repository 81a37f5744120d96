"""How often to retrain, read from how models age."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from tidemill.core.errors import BadInput
from tidemill.core.limits import Between
from tidemill.core.rule import check


def staleness(loss: NDArray[Any]) -> NDArray[np.float64]:
    """Estimate what a model of each age loses against a fresh one.

    Every step tells how models of all ages do on the same rows, so a hard step is no sign of
    age. Least squares of a level per step and an effect per age; ages are then made to lose
    no less than younger ones.

    Parameters
    ----------
    loss
        ``loss[m, t]``, m <= t: loss of step t when the model trained at step m answers it;
        shape (steps, steps), finite, the part below is not looked at.

    Returns
    -------
    numpy.ndarray
        The loss per step at age 0, 1, ...; rising from 0.

    References
    ----------
    Barlow, R. E., Bartholomew, D. J., Bremner, J. M. and Brunk, H. D. (1972). Statistical
    Inference under Order Restrictions. Wiley.

    Examples
    --------
    >>> level, age = np.array([5.0, 7.0, 6.0]), np.array([[0, 1, 2], [0, 0, 1], [0, 0, 0]])
    >>> staleness(level + 0.5 * age).round(6)
    array([0. , 0.5, 1. ])
    """
    table = np.asarray(loss, dtype=np.float64)
    steps = len(table)
    if not steps or table.shape != (steps, steps):
        raise BadInput(f"loss has shape {table.shape}.", fix="pass shape (steps, steps).")
    model, at = np.triu_indices(steps)
    seen = table[model, at]
    if not np.isfinite(seen).all():
        raise BadInput("a loss[m, t] with m <= t is not finite.", fix="pass 0 without rows.")
    age, models = at - model, np.arange(1.0, steps + 1)
    apart = seen - (np.bincount(at, seen, steps) / models)[at]
    times = models[::-1].copy()  # age a is seen at steps - a steps
    # Normal equations of the ages once the level of each step is taken out.
    shared = np.cumsum(1 / models[::-1])[::-1]
    ages = np.arange(steps)
    normal = np.diag(times) - shared[np.maximum.outer(ages, ages)]
    effect = np.zeros(steps)
    effect[1:] = np.linalg.solve(normal[1:, 1:], np.bincount(age, apart, steps)[1:])
    rising = np.asarray(isotonic_regression(effect, weights=times).x, dtype=np.float64)
    return rising - rising[0]


def best_cadence(loss: NDArray[Any], cost: float) -> int:
    """Return the number of steps between retrains that costs least in the long run.

    A schedule fitted step by step learns the noise. A cadence is one number, read from the
    average over all models of each age: with steady decay and noise of three times the decay
    of a step, what it really costs is within 1 % of the best on average, at 52 and 104 steps.

    It says how often, not whether: that takes evidence, as in ``lower_limits``.

    Parameters
    ----------
    loss
        As in ``staleness``, in the unit of ``cost``.
    cost
        Cost of one retrain, at least 0.

    Returns
    -------
    int
        From 1 to the number of steps; the number of steps means: not within such a history.
        Of equal ones the longest.

    References
    ----------
    Barlow, R. E. and Hunter, L. C. (1960). Optimum preventive maintenance policies.
    Operations Research 8, 90-100.

    Examples
    --------
    Losing 1 more each step, at a cost of 6 a retrain, costs the same every 3 or every 4:

    >>> age = np.maximum(0, np.arange(12) - np.arange(12)[:, None])
    >>> best_cadence(age, 6.0), best_cadence(age, 6.5), best_cadence(age, 5.5)
    (4, 4, 3)
    """
    check("best_cadence", "cost", cost, Between(0))
    lost = np.cumsum(staleness(loss))
    rate = (cost + lost) / np.arange(1, lost.size + 1)
    least = float(rate.min())
    # Equal up to rounding in the sums and the least squares.
    slack = 1e-9 * max(abs(least), float(lost[-1]) / lost.size)
    return int(np.flatnonzero(rate <= least + slack)[-1]) + 1

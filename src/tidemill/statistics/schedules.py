"""When one should have retrained, looking back: the best schedule, and fair ones beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput, BadValue
from tidemill.core.limits import Whole
from tidemill.core.rule import check

Schedule = tuple[int, ...]
"""The steps at which to retrain, rising, from 1; the model of step 0 is there anyhow."""


@dataclass(frozen=True, kw_only=True)
class CrossFitted:
    """The best schedule chosen on one half of the rows and scored on the other.

    ``total`` is an honest estimate of what the schedule costs. ``bound`` is the least that
    any schedule costs on all rows: it has seen the noise, and serves as a bound only.
    """

    schedule: Schedule
    total: float
    bound_schedule: Schedule
    bound: float


def optimum(
    loss: NDArray[Any], cost: NDArray[Any], *, mixed: NDArray[Any] | None = None
) -> tuple[Schedule, float]:
    """Find the schedule of retrains with the least loss and cost, knowing all of history.

    Exact, by dynamic programming over the model in front, in steps squared. Of equal ones,
    the schedule that retrains later or not at all.

    Parameters
    ----------
    loss
        ``loss[m, t]``, m <= t: loss of step t when the model trained at step m answers all of
        it. In the unit of ``cost``; shape (steps, steps), the part below is not looked at.
    cost
        ``cost[t]`` of retraining at step t, at least 0; infinite where it was not possible.
        The model of step 0 is given, ``cost[0]`` is not looked at.
    mixed
        ``mixed[m, t]``, m < t: loss of step t when model m answers until the model trained at
        t takes over within the step. By default the new model answers from the beginning.

    Returns
    -------
    tuple
        The schedule and its total.

    References
    ----------
    Mahadevan, A. and Mathioudakis, M. (2024). Cost-aware retraining for machine learning.
    Knowledge-Based Systems 293, 111610.
    Bellman, R. (1957). Dynamic Programming. Princeton University Press.

    Examples
    --------
    >>> loss = np.array([[0.0, 1.0, 2.0, 3.0], [0, 0, 1, 2], [0, 0, 0, 1], [0, 0, 0, 0]])
    >>> optimum(loss, np.full(4, 1.5))
    ((2,), 3.5)
    """
    of_step, of_retrain, change = _checked(loss, cost, mixed)
    steps = len(of_retrain)
    rest = np.zeros(steps)  # the least cost from here on, by the model in front
    renew = np.zeros((steps, steps), dtype=np.bool_)
    for t in range(steps - 1, 0, -1):
        kept = of_step[:t, t] + rest[:t]
        changed = change[:t, t] + of_retrain[t] + rest[t]
        # rest[t] is still that of step t + 1 with the model of step t: what follows a retrain.
        renew[:t, t] = changed < kept
        rest[:t] = np.where(renew[:t, t], changed, kept)
    front, schedule = 0, list[int]()
    for t in range(1, steps):
        if renew[front, t]:
            front = t
            schedule.append(t)
    return tuple(schedule), total(tuple(schedule), loss, cost, mixed=mixed)


def total(
    schedule: Sequence[int],
    loss: NDArray[Any],
    cost: NDArray[Any],
    *,
    mixed: NDArray[Any] | None = None,
) -> float:
    """Add up what a schedule costs; the arrays are those of ``optimum``.

    Examples
    --------
    >>> loss = np.array([[0.0, 1.0, 2.0], [0, 0, 1], [0, 0, 0]])
    >>> total((), loss, np.ones(3)), total((1, 2), loss, np.ones(3))
    (3.0, 2.0)
    """
    of_step, of_retrain, change = _checked(loss, cost, mixed)
    steps, retrains = len(of_retrain), list(schedule)
    if retrains != sorted(set(retrains)) or not all(0 < t < steps for t in retrains):
        raise BadInput(
            f"schedule {tuple(retrains)} of {steps} steps.",
            fix=f"pass rising steps from 1 to {steps - 1}.",
        )
    at = np.arange(steps)
    starts = np.array([0, *retrains], dtype=np.int64)
    model = starts[np.searchsorted(starts, at, side="right") - 1]
    by_step = of_step[model, at].copy()
    by_step[starts[1:]] = change[starts[:-1], starts[1:]] + of_retrain[starts[1:]]
    return float(by_step.sum())


def cross_fitted(
    loss_a: NDArray[Any],
    loss_b: NDArray[Any],
    cost: NDArray[Any],
    *,
    mixed_a: NDArray[Any] | None = None,
    mixed_b: NDArray[Any] | None = None,
) -> CrossFitted:
    """Choose the best schedule on half a of each step's rows and score it on half b.

    A schedule chosen among 2^steps fits the noise of the rows it was chosen on: with nothing
    to gain at all it shows a large gain there, and none on other rows.

    Parameters
    ----------
    loss_a, loss_b
        As ``loss`` of ``optimum``, each an estimate of the whole step from its half of the
        rows: sums over half the rows are to be doubled.
    cost
        As in ``optimum``.
    mixed_a, mixed_b
        As ``mixed`` of ``optimum``; both or none.

    Returns
    -------
    CrossFitted
        The honest total, and the bound on the mean of both halves.

    References
    ----------
    Chernozhukov, V. et al. (2018). Double/debiased machine learning for treatment and
    structural parameters. The Econometrics Journal 21, C1-C68.

    Examples
    --------
    >>> a = np.array([[0.0, 1.0, 2.0], [0, 0, 1], [0, 0, 0]])
    >>> got = cross_fitted(a, 2 * a, np.full(3, 1.5))
    >>> got.schedule, got.total, got.bound
    ((2,), 3.5, 3.0)
    """
    if (mixed_a is None) != (mixed_b is None):
        raise BadInput("mixed is given for one half only.", fix="give it for both or none.")
    schedule, _ = optimum(loss_a, cost, mixed=mixed_a)
    both = (np.asarray(loss_a, dtype=np.float64) + np.asarray(loss_b, dtype=np.float64)) / 2
    mixed = None
    if mixed_a is not None and mixed_b is not None:
        mixed = (np.asarray(mixed_a, dtype=np.float64) + np.asarray(mixed_b, dtype=np.float64)) / 2
    bound_schedule, bound = optimum(both, cost, mixed=mixed)
    return CrossFitted(
        schedule=schedule,
        total=total(schedule, loss_b, cost, mixed=mixed_b),
        bound_schedule=bound_schedule,
        bound=bound,
    )


def calendar(retrains: int, steps: int) -> Schedule:
    """Spread a number of retrains evenly over the steps after the first.

    Examples
    --------
    >>> calendar(3, 12)
    (3, 6, 9)
    >>> calendar(0, 12)
    ()
    """
    _check_number(retrains, steps)
    return tuple(i * steps // (retrains + 1) for i in range(1, retrains + 1))


def random_schedules(retrains: int, steps: int, *, n: int = 20, seed: int = 0) -> list[Schedule]:
    """Draw schedules with a number of retrains at random steps after the first.

    Examples
    --------
    >>> [len(s) for s in random_schedules(3, 12, n=2)]
    [3, 3]
    """
    _check_number(retrains, steps)
    check("random_schedules", "n", n, Whole(1))
    rng = np.random.default_rng(seed)
    later = np.arange(1, steps)
    return [
        tuple(int(t) for t in np.sort(rng.choice(later, size=retrains, replace=False)))
        for _ in range(n)
    ]


def _check_number(retrains: int, steps: int) -> None:
    check("schedule", "steps", steps, Whole(1))
    check("schedule", "retrains", retrains, Whole(0))
    if retrains >= steps:
        raise BadValue(
            f"schedule(retrains={retrains}): {steps} steps have room for {steps - 1} retrains.",
            fix=f"pass retrains as at most {steps - 1}.",
        )


def _checked(
    loss: NDArray[Any], cost: NDArray[Any], mixed: NDArray[Any] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return loss, cost and mixed as floats, once they fit together."""
    of_step, of_retrain = np.asarray(loss, dtype=np.float64), np.asarray(cost, dtype=np.float64)
    steps = of_retrain.size
    if of_retrain.ndim != 1 or not steps or of_step.shape != (steps, steps):
        raise BadInput(
            f"loss has shape {of_step.shape}, cost {of_retrain.shape}.",
            fix="pass loss of shape (steps, steps) and a cost per step.",
        )
    if not (of_retrain[1:] >= 0).all():
        raise BadInput("a cost of retraining is missing or negative.", fix="pass costs from 0.")
    if not np.isfinite(of_step[np.triu_indices(steps)]).all():
        raise BadInput(
            "a loss[m, t] with m <= t is not finite.", fix="pass 0 for a step without rows."
        )
    if mixed is None:
        return of_step, of_retrain, np.broadcast_to(np.diagonal(of_step), of_step.shape)
    change = np.asarray(mixed, dtype=np.float64)
    fits = change.shape == of_step.shape
    if not fits or not np.isfinite(change[np.triu_indices(steps, 1)]).all():
        raise BadInput(
            f"mixed has shape {change.shape} or a mixed[m, t] with m < t is not finite.",
            fix=f"pass finite numbers of shape {of_step.shape}.",
        )
    return of_step, of_retrain, change

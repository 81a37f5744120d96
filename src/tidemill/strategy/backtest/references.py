"""What every strategy is measured against: calendars, chance, and the best in hindsight.

References share the dataset rule, cut-offs, seeds, latency and costs of the strategies; they
are schedules over the models that retraining every step gave, without gates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from tidemill.statistics.schedules import (
    CrossFitted,
    calendar,
    cross_fitted,
    optimum,
    random_schedules,
)
from tidemill.strategy.backtest.answers import Segment, Steps, segments
from tidemill.strategy.backtest.score import Scorer

Floats = npt.NDArray[np.float64]
RANDOM = 20
"""Random schedules that a mean is taken over."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The models of retraining every step: the actions a schedule may choose from.

    ``model[k]`` was triggered at the start of step k and answers from ``live[k]``; where its fit
    failed it is None, and no schedule may choose it.
    """

    steps: Steps
    model: tuple[str | None, ...]
    live: tuple[datetime, ...]
    seconds: tuple[float, ...]

    def fronts(self, schedule: Sequence[int]) -> list[tuple[datetime, str | None]]:
        """Return which model is in front from when on, for a schedule of steps."""
        return [(self.live[k], self.model[k]) for k in (0, *schedule)]

    def answered(self, schedule: Sequence[int], step: int) -> tuple[Segment, ...]:
        """Say who answers the records of a step."""
        return segments(self.fronts(schedule), self.steps, *self.steps.rows(step))


def step_losses(
    grid: Grid, scorer: Scorer, scored: Sequence[int], *, sign: float, price: bool
) -> dict[str, tuple[Floats, Floats]]:
    """Return the loss of each step under each model, and under the change from one to the next.

    The loss is money where there is a price sheet, else the metric times the share of the
    step; on half a, half b and all rows of each step, the halves blown up to the whole.

    Returns
    -------
    dict
        ``"a"``, ``"b"`` and ``"all"``, each ``loss[m, t]`` and ``mixed[m, t]`` as
        :func:`tidemill.statistics.schedules.optimum` takes them, over all steps; steps that
        are not scored lose nothing.
    """
    n = len(grid.steps)
    total = sum(scorer.weight(k) for k in scored) or 1.0
    found = {name: (np.zeros((n, n)), np.zeros((n, n))) for name in ("a", "b", "all")}
    for t in scored:
        share = scorer.weight(t) / total
        for m in range(t + 1):
            if grid.model[m] is None:
                continue
            alone = grid.answered([m] if m else [], t)
            change = grid.answered(sorted({m, t} - {0}), t)
            for name, half in (("a", 0), ("b", 1), ("all", None)):
                for place, by in enumerate((alone, change)):
                    if place and m == t:
                        continue
                    if price:
                        loss = scorer.errors(t, by, half=half) * (1 if half is None else 2)
                    else:
                        loss = -sign * scorer.value(t, by, half=half) * share
                    found[name][place][m, t] = loss
    return found


def hindsight(
    grid: Grid, losses: dict[str, tuple[Floats, Floats]], retrain: Floats
) -> CrossFitted | None:
    """Find the best schedule in hindsight; None where the losses do not allow any."""
    cost = retrain.copy()
    cost[[k for k, model in enumerate(grid.model) if model is None]] = np.inf
    if not all(np.isfinite(x).all() for both in losses.values() for x in both):
        losses = {k: (_filled(a), _filled(b)) for k, (a, b) in losses.items()}
    (a, mixed_a), (b, mixed_b) = losses["a"], losses["b"]
    if not len(grid.model) or grid.model[0] is None:
        return None
    found = cross_fitted(a, b, cost, mixed_a=mixed_a, mixed_b=mixed_b)
    # The mean of what the halves say of a metric is not what all rows say of it.
    whole, mixed = losses["all"]
    schedule, bound = optimum(whole, cost, mixed=mixed)
    return replace(found, bound_schedule=schedule, bound=bound)


def _filled(loss: Floats) -> Floats:
    """Let steps that half the rows cannot measure count alike for every model."""
    bad = ~np.isfinite(loss)
    return np.where(bad.any(axis=0, keepdims=True), 0.0, loss)


def matched(retrains: int, steps: int) -> dict[str, list[tuple[int, ...]]]:
    """Return schedules with the same number of retrains: the calendar's, and random ones."""
    n = min(retrains, steps - 1)
    return {
        "calendar": [calendar(n, steps)],
        "random": list(random_schedules(n, steps, n=RANDOM, seed=0)),
    }

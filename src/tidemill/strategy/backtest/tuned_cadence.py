"""How often to retrain, when that is all that is asked: read from how models age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np

from tidemill.core.durations import duration, words
from tidemill.loop.triggers import Every, Once
from tidemill.statistics.cadence import staleness
from tidemill.strategy.backtest.answers import segments
from tidemill.strategy.backtest.simulate import lived
from tidemill.strategy.backtest.told import Floats
from tidemill.strategy.backtest.tuned_part import Part
from tidemill.strategy.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """One plain calendar, as it would have been.

    ``performance`` is by scored step, higher is better; ``rate`` what it costs a step in the
    long run, by how models age on average.
    """

    trigger: Every | Once
    performance: Floats
    retrains: int
    rate: float


def only_calendars(strategy: Strategy, space: Mapping[str, Sequence[Any]]) -> bool:
    """Tell whether nothing but the period of a calendar is asked for, and nothing refuses it."""
    plain = all(isinstance(t, Every | Once) for t in (strategy.trigger, *space.get("trigger", ())))
    alone = set(space) <= {"trigger", "trigger.period"}
    return plain and alone and not strategy.tested and not strategy.training.continues


def calendars(
    part: Part,
    strategy: Strategy,
    space: Mapping[str, Sequence[Any]],
    *,
    step: timedelta,
    seeds: Sequence[int],
) -> list[Calendar] | None:
    """Return all calendars of a space, ``never`` last, from the models of retraining every step.

    A schedule that is searched step by step learns the noise. Here every model answers every
    later step, and what a calendar costs follows from how much models of each age lose on
    average, see :func:`tidemill.statistics.cadence.best_cadence`.

    Returns
    -------
    list of Calendar or None
        None when a step could not be retrained, so that there is no model of each age.
    """
    found = _losses(part, strategy, step, seeds)
    if found is None:
        return None
    loss, cost = found
    n = len(loss)
    periods: dict[int, str] = {}
    own = [t.period for t in (strategy.trigger, *space.get("trigger", ())) if isinstance(t, Every)]
    for text in (*own, *space.get("trigger.period", ())):
        steps = max(1, -(-duration(text) // step))
        if steps < n:
            periods.setdefault(steps, text)
    aged = np.cumsum(staleness(loss))
    made: list[Calendar] = []
    for p, trigger in [*((p, Every(t)) for p, t in sorted(periods.items())), (n, Once())]:
        at = np.arange(n)
        lost = loss[at // p * p, at] + cost * (at % p == 0)
        made.append(
            Calendar(
                trigger=trigger,
                performance=-lost[part.scored],
                retrains=-(-n // p),
                rate=(cost + float(aged[p - 1])) / p,
            )
        )
    return made


def least(made: Sequence[Calendar]) -> Calendar:
    """Return the calendar that costs least in the long run; of equal ones the rarest."""
    rates = [c.rate for c in made]
    slack = 1e-9 * max(map(abs, rates))
    return [c for c in made if c.rate <= min(rates) + slack][-1]


def _losses(
    part: Part, strategy: Strategy, step: timedelta, seeds: Sequence[int]
) -> tuple[Floats, float] | None:
    """Return ``loss[m, t]`` of each model on each step, mean over seeds, and a retrain's price."""
    every = replace(strategy, trigger=Every(words(step)), name="every step")
    losses: list[Floats] = []
    prices: list[float] = []
    for run in part.drive(every, seeds):
        at = {m: k for k, m in enumerate(part.steps.moments)}
        lives = {at.get(one.triggered_at): one for one in lived(run)}
        n = len(part.steps)
        models = [lives.get(k) for k in range(n)]
        if any(one is None or one.live_at is None for one in models):
            return None
        fronts = [(one.live_at, one.model) for one in models if one is not None and one.live_at]
        asked = [(fronts[m][1], t) for t in part.scored for m in range(t + 1)]
        part.bench.prepare(asked)
        loss = np.zeros((n, n))
        for t in part.scored:
            for m in range(t + 1):
                by = segments(fronts[max(0, m - 1) : m + 1], part.steps, *part.steps.rows(t))
                loss[m, t] = part.loss(t, by)
        losses.append(loss)
        prices += [part.retrain_price(strategy, one.seconds) for one in models if one is not None]
    loss = np.mean(losses, axis=0)
    return (loss, float(np.mean(prices))) if np.isfinite(loss).all() else None

"""The late part, opened: what tuning is worth where nothing was searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tidemill.core.verdict import Estimate
from tidemill.statistics.simultaneous import lower_limits
from tidemill.statistics.this_history import this_history
from tidemill.strategy.backtest.compare import YEAR
from tidemill.strategy.backtest.told import Floats, overall, shares
from tidemill.strategy.backtest.tuned_part import Part, Replayed

SEEDS = 5
"""How many times the training rows are drawn anew, to see what is the luck of one model."""


@dataclass(frozen=True)
class Gain:
    """How much better one strategy is than another, by unit and by seed; positive is better.

    ``effects`` has shape (seeds, units), each row summing to about 0; ``seeds`` (seeds,).
    """

    effects: Floats
    seeds: Floats

    def estimate(self, confidence: float) -> Estimate:
        """Return the gain with the interval of this history."""
        return this_history(self.effects, self.seeds, confidence=confidence)


def gain(a: Replayed, b: Replayed, part: Part) -> Gain:
    """Return what ``a`` gains over ``b``: money a year where there are prices, else the metric."""
    return _of_money(a, b, part) if part.priced else _of_metric(a, b, part)


def limits(gains: Sequence[Gain], confidence: float) -> list[float]:
    """Return lower limits of gains over one strategy that hold all at once.

    Each seed must have drawn its training rows anew: then a gain over a model that was trained
    once is told from that model's bad luck.
    """
    effects = np.stack([g.effects.mean(axis=0) for g in gains], axis=1)
    seeds = np.stack([g.seeds for g in gains], axis=1)
    found = lower_limits(effects, seeds, confidence=confidence, training_resampled=True)
    return [float(x) for x in found]


def net(one: Replayed, part: Part) -> float:
    """Return how good a strategy was on a part; higher is better."""
    return net_of(performance(one, part), part)


def net_of(series: Floats, part: Part) -> float:
    """Return the net worth of a performance by step: minus the cost a year, or the metric."""
    if part.priced:
        return float(series.sum()) * YEAR / part.days
    return overall(series, part.weight)


def performance(one: Replayed, part: Part) -> Floats:
    """Return how good a strategy was in each scored step; higher is better."""
    if part.priced:
        return -(one.errors + one.effort).mean(axis=0)
    return part.sign * one.values.mean(axis=0)


def _of_money(a: Replayed, b: Replayed, part: Part) -> Gain:
    units = _units(part)
    effects, seeds = np.zeros((len(a.by), units.max(initial=-1) + 1)), np.zeros(len(a.by))
    for r in range(len(a.by)):
        for row, sign in ((a, -1.0), (b, 1.0)):
            other = b if row is a else a
            for i, k in enumerate(part.scored):
                if row.by[r][i] != other.by[r][i]:
                    unit, cost = part.scorer.error_effects(k, row.by[r][i])
                    np.add.at(effects[r], units[unit], sign * cost)
        seeds[r] = effects[r].sum() + b.effort[r].sum() - a.effort[r].sum()
        effects[r] -= effects[r].mean()
    scale = YEAR / part.days
    return Gain(scale * effects, scale * seeds)


def _of_metric(a: Replayed, b: Replayed, part: Part) -> Gain:
    units = _units(part)
    share = shares(part.weight, a.values.mean(axis=0), b.values.mean(axis=0))
    effects, seeds = np.zeros((len(a.by), units.max(initial=-1) + 1)), np.zeros(len(a.by))
    for r in range(len(a.by)):
        seeds[r] = part.sign * float(np.nansum(share * (a.values[r] - b.values[r])))
        for i, k in enumerate(part.scored):
            if not share[i] or a.by[r][i] == b.by[r][i]:
                continue
            for row, sign in ((a, part.sign), (b, -part.sign)):
                unit, effect = part.scorer.effects(k, row.by[r][i])
                np.add.at(effects[r], units[unit], sign * share[i] * effect)
    return Gain(effects, seeds)


def _units(part: Part) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Number the units that have a label in a scored step from 0; others are -1."""
    scorer = part.scorer
    known = np.zeros(scorer.units, dtype=bool)
    for k in part.scored:
        known[scorer.unit[scorer.truth(k).place]] = True
    return np.where(known, np.cumsum(known) - 1, -1)

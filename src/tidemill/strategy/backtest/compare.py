"""Two strategies on the same history: by how much, how sure, and what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tidemill.core.verdict import Estimate
from tidemill.statistics.like_these import like_these
from tidemill.statistics.simultaneous import lower_limits
from tidemill.statistics.this_history import this_history
from tidemill.strategy.backtest.answers import Segment
from tidemill.strategy.backtest.rows import Rows
from tidemill.strategy.backtest.score import Scorer
from tidemill.strategy.backtest.told import Floats, Told, shares

_DAY = 86_400.0
YEAR = 365.25
MOST_GROUPS = 5_000


class Better(StrEnum):
    """What can be said of one strategy against another on this history."""

    BETTER = "BETTER"
    WORSE = "WORSE"
    SAME = "SAME"
    NO_VERDICT = "NO_VERDICT"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How much better ``name`` is than ``against``; positive is better.

    ``periods`` is the claim about periods like these, without an interval where none can be
    made; ``money`` is per year, None without prices.
    """

    name: str
    against: str
    this_history: Estimate
    limit: float
    """The lower limit that holds for all strategies at once."""
    periods: Estimate
    periods_why: str
    verdict: Better
    money: Estimate | None


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What all comparisons share.

    ``settled`` marks the scored steps whose labels have all had their time to come.
    """

    rows: Rows
    settled: npt.NDArray[np.bool_]
    sign: float
    deterministic: bool
    resampled: bool
    step: timedelta
    delay: timedelta
    season: timedelta
    days: float
    """Length of the scored steps that are settled."""

    @cached_property
    def units(self) -> Units:
        return units_of(self)

    @property
    def weight(self) -> Floats:
        return np.where(self.settled, self.rows.weight, 0.0)


def compare(rows: Sequence[Told], against: Told, terms: Terms) -> list[Comparison]:
    """Compare strategies with one baseline."""
    parts = [_difference(row, against, terms) for row in rows]
    limits = np.zeros(0)
    if parts:
        effects = np.stack([p.effects.mean(axis=0) for p in parts], axis=1)
        drawn = [_drawn_anew(*pair, against, terms) for pair in zip(rows, parts, strict=True)]
        limits = lower_limits(
            effects,
            np.stack(drawn, axis=1),
            deterministic=terms.deterministic and against.luck is None,
            training_resampled=terms.resampled,
        )
    pairs = zip(rows, parts, limits, strict=True)
    return [_compared(row, against, part, float(limit), terms) for row, part, limit in pairs]


@dataclass(frozen=True)
class _Difference:
    effects: Floats
    seeds: Floats


def _difference(a: Told, b: Told, terms: Terms) -> _Difference:
    """Return what each seed and each unit make of a paired difference."""
    share = shares(terms.weight, a.mean, b.mean)
    count = max(len(a.by), len(b.by))
    pick = [(a.by[r % len(a.by)], b.by[r % len(b.by)]) for r in range(count)]
    values = [
        terms.sign * float(np.nansum(share * (a.values[r % len(a.by)] - b.values[r % len(b.by)])))
        for r in range(count)
    ]
    if not share.any():
        # No step that both were scored on: nothing is known, which is not "the same".
        values = [float("nan")] * count
    effects = np.array([_effects(mine, theirs, share, terms) for mine, theirs in pick])
    return _Difference(effects, np.array(values))


def _drawn_anew(row: Told, part: _Difference, against: Told, terms: Terms) -> Floats:
    """Return the difference for each seed, had the training rows fallen otherwise too.

    A baseline that was trained once may just have had bad luck with its rows, and then all
    that retrain are really better on this history, without any drift. One draw of the rows is
    as uncertain as the draws are apart, the mean of so many draws a little more; a strategy of
    k models has a k-th of that luck itself.
    """
    if against.luck is None:
        return part.seeds
    share = shares(terms.weight, row.mean, against.mean)
    count = len(against.luck)
    moves = np.nansum(share * against.luck, axis=1)
    scale = np.sqrt((count + 1) * (1 + 1 / max(1.0, row.retrains)))
    return np.resize(part.seeds, count) - terms.sign * moves * scale


def _effects(
    mine: Sequence[tuple[Segment, ...]],
    theirs: Sequence[tuple[Segment, ...]],
    share: Floats,
    terms: Terms,
) -> Floats:
    scorer, units = terms.rows.scorer, terms.units
    moves = np.zeros(units.groups)
    for i, k in enumerate(terms.rows.scored):
        if not share[i] or mine[i] == theirs[i]:
            continue
        for by, sign in ((mine[i], terms.sign), (theirs[i], -terms.sign)):
            unit, effect = scorer.effects(k, by)
            np.add.at(moves, units.group[unit], sign * share[i] * effect)
    return moves


@dataclass(frozen=True)
class Units:
    """The units that have a label in a step that counts, in groups.

    Units are put into at most five thousand groups, whose sums are as independent as the units
    are and spread as much; so an interval takes no more memory for more records.
    """

    group: npt.NDArray[np.int64]
    """For each unit of the history, its group."""
    groups: int
    count: int


def units_of(terms: Terms) -> Units:
    """Return the units that count, in groups."""
    scorer, known = terms.rows.scorer, np.zeros(terms.rows.scorer.units, dtype=bool)
    for i, k in enumerate(terms.rows.scored):
        if terms.settled[i]:
            known[scorer.unit[scorer.truth(k).place]] = True
    found = np.flatnonzero(known)
    groups = min(MOST_GROUPS, len(found))
    group = np.zeros(len(known), np.int64)
    group[found] = np.arange(len(found)) % max(1, groups)
    return Units(group, groups, len(found))


def _compared(a: Told, b: Told, part: _Difference, limit: float, terms: Terms) -> Comparison:
    found = this_history(part.effects, part.seeds, deterministic=terms.deterministic)
    found = replace(found, n=terms.units.count)
    series = np.where(terms.settled, terms.sign * (a.mean - b.mean), np.nan)
    periods, why = like_these(
        series,
        step=terms.step.total_seconds() / _DAY,
        label_delay=terms.delay.total_seconds() / _DAY,
        model_life=max(a.longest, b.longest),
        season=terms.season.total_seconds() / _DAY,
    )
    return Comparison(
        name=a.name,
        against=b.name,
        this_history=found,
        limit=limit,
        periods=periods,
        periods_why=why,
        verdict=_verdict(found),
        money=_money(a, b, terms) if terms.rows.scorer.priced else None,
    )


def _verdict(found: Estimate) -> Better:
    if found.low == found.high == 0:
        return Better.SAME
    if found.low > 0:
        return Better.BETTER
    return Better.WORSE if found.high < 0 else Better.NO_VERDICT


def _money(a: Told, b: Told, terms: Terms) -> Estimate | None:
    """Estimate what having ``a`` instead of ``b`` is worth, a year; all costs counted."""
    scorer = terms.rows.scorer
    count = max(len(a.by), len(b.by))
    units = terms.units
    effects, seeds = np.zeros((count, units.groups)), np.zeros(count)
    for r in range(count):
        for row, sign in ((a, -1.0), (b, 1.0)):
            by = row.by[r % len(row.by)]
            for i, k in enumerate(terms.rows.scored):
                if terms.settled[i]:
                    unit, cost = scorer.error_effects(k, by[i])
                    np.add.at(effects[r], units.group[unit], sign * cost)
        seeds[r] = effects[r].sum()
        effects[r] -= effects[r].mean()
    found = this_history(effects, seeds, deterministic=terms.deterministic)
    other = effort_price(b, scorer) - effort_price(a, scorer)
    scale = YEAR / terms.days if terms.days else float("nan")
    return Estimate(
        value=scale * (found.value + other),
        low=scale * (found.low + other),
        high=scale * (found.high + other),
        n=found.n,
        n_effective=found.n_effective,
        groups=found.groups,
    )


def effort_price(row: Told, scorer: Scorer) -> float:
    """Return what a strategy's labels, training and reviews cost."""
    sheet = scorer.costs
    if sheet is None:
        return 0.0
    return row.labels * sheet.label + row.seconds * sheet.second + row.reviews * sheet.review

"""From runs, schedules and logged answers to the rows of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from tidemill.adapters.stores.history import History
from tidemill.core.rule import is_rule
from tidemill.loop.datasets import All, Recent
from tidemill.loop.triggers import Every, Once
from tidemill.strategy.backtest.answers import Fronts, Steps, fronts_of, segments
from tidemill.strategy.backtest.references import Grid
from tidemill.strategy.backtest.score import Scorer, Truth
from tidemill.strategy.backtest.simulate import Lived, Run, lived
from tidemill.strategy.backtest.told import Floats, Told
from tidemill.strategy.backtest.worlds import YOURS
from tidemill.strategy.strategy import Strategy

_DAY = 86_400.0
_FAILED = ("failed",)
_REFUSED = ("refused", "inconclusive", "superseded", "expired", "awaiting")


class Rows:
    """Makes rows that can be compared: all over the same scored steps.

    Parameters
    ----------
    scored
        The steps that count, in order.
    known_then
        For each scored step, the labels that were known when it ended.
    """

    def __init__(
        self, scorer: Scorer, steps: Steps, scored: Sequence[int], known_then: Sequence[Truth]
    ) -> None:
        self.scorer = scorer
        self.steps = steps
        self.scored = list(scored)
        self._then = list(known_then)
        self.weight = np.array([scorer.weight(k) for k in scored])

    def of_runs(self, name: str, kind: str, runs: Sequence[Run], places: Truth) -> Told:
        """Make a row of a strategy's runs, one a seed."""
        fronts = [fronts_of(run.world) for run in runs]
        lives = [lived(run) for run in runs]
        row = self._scored(name, kind, words(runs[0].strategy), fronts)
        row.hash = runs[0].strategy.hash
        row.lives = lives
        row.ages = self._ages(fronts[0], {x.model: x.triggered_at for x in lives[0]})
        row.retrained = [x.triggered_at for x in lives[0]]
        row.live = [x.live_at for x in lives[0] if x.live_at is not None]
        count = len(runs)
        row.retrains = sum(len(x) for x in lives) / count
        row.refused = sum(_became(x, _REFUSED) for x in lives) / count
        row.failed = sum(_became(x, _FAILED) for x in lives) / count
        row.seconds = sum(one.seconds for x in lives for one in x) / count
        row.labels = sum(labelled(run, places, self.steps) for run in runs) / count
        row.notes += _notes(runs, lives, fronts[0])
        row.notes += self._unanswered(row)
        return row

    def of_schedule(self, name: str, grids: Sequence[Grid], schedule: Sequence[int]) -> Told:
        """Make a row of a schedule over the models of retraining every step."""
        fronts = [grid.fronts(schedule) for grid in grids]
        row = self._scored(name, "reference", "", fronts)
        moments = [self.steps.moments[k] for k in (0, *schedule)]
        row.ages = self._ages(fronts[0], dict(zip((m for _, m in fronts[0]), moments, strict=True)))
        row.retrained, row.live = moments, [at for at, _ in fronts[0]]
        row.retrains = float(len(moments))
        row.seconds = sum(grid.seconds[k] for grid in grids for k in (0, *schedule)) / len(grids)
        return row

    def of_many(self, name: str, rows: Sequence[Told]) -> Told:
        """Make one row of the mean of many, such as random schedules."""
        values = np.mean([row.values for row in rows], axis=0)
        nothing = np.full(len(self.scored), np.nan)
        row = Told(name=name, kind="reference", words="", values=values, then=nothing, ages=nothing)
        row.retrains, row.seconds = (
            float(np.mean([getattr(r, what) for r in rows])) for what in ("retrains", "seconds")
        )
        if rows[0].errors is not None:
            row.errors = np.mean([r.errors for r in rows if r.errors is not None], axis=0)
        row.longest = max(r.longest for r in rows)
        return row

    def of_history(self, history: History) -> Told:
        """Make a row of what was answered when history happened."""
        start = self.steps.moments[0]
        released = releases_of(history)
        fronts: Fronts = [(start - timedelta(days=1), YOURS)]
        row = self._scored(YOURS, YOURS, "what was answered when history happened", [fronts])
        row.ages = self._ages(released, {model: at for at, model in released})
        row.retrained = row.live = [at for at, _ in released if at >= start]
        row.retrains = float(len(row.retrained))
        row.longest = self._longest(released)
        row.notes += self._unanswered(row)
        return row

    def _scored(self, name: str, kind: str, text: str, fronts: Sequence[Fronts]) -> Told:
        by = [
            [segments(front, self.steps, *self.steps.rows(k)) for k in self.scored]
            for front in fronts
        ]
        values = np.array(
            [[self.scorer.value(k, one[i]) for i, k in enumerate(self.scored)] for one in by]
        )
        then = [self.scorer.then(rows, by[0][i]) for i, rows in enumerate(self._then)]
        row = Told(
            name=name,
            kind=kind,
            words=text,
            by=by,
            values=values,
            then=np.array(then),
            ages=np.full(len(self.scored), np.nan),
        )
        if self.scorer.priced:
            priced = [
                [self.scorer.errors(k, one[i]) for i, k in enumerate(self.scored)] for one in by
            ]
            row.errors = np.mean(priced, axis=0)
        row.longest = self._longest(fronts[0])
        return row

    def _middle(self, k: int) -> datetime:
        return self.steps.moments[k] + (self.steps.moments[k + 1] - self.steps.moments[k]) / 2

    def _ages(self, fronts: Fronts, born: dict[str | None, datetime]) -> Floats:
        ages = []
        for k in self.scored:
            middle = self._middle(k)
            model = next((m for at, m in reversed(fronts) if at <= middle), None)
            known = born.get(model) if model is not None else None
            ages.append(np.nan if known is None else (middle - known).total_seconds() / _DAY)
        return np.array(ages)

    def _longest(self, fronts: Fronts) -> float:
        """Return how long the longest-lived model was in front, in days."""
        if not self.scored:
            return 0.0
        start, end = self.steps.moments[self.scored[0]], self.steps.moments[self.scored[-1] + 1]
        borders = [min(max(at, start), end) for at, _ in fronts]
        lives = np.diff([*(b.timestamp() for b in borders), end.timestamp()])
        return float(lives.max(initial=0.0)) / _DAY

    def _unanswered(self, row: Told) -> list[str]:
        empty = sum(all(s.model is None for s in by) and bool(by) for by in row.by[0])
        return [f"no model in front for {empty} of {len(self.scored)} steps"] if empty else []


def words(strategy: Strategy) -> str:
    """Say what a strategy does, in a few words."""
    trigger, dataset = strategy.trigger, strategy.dataset
    due, rows = f"by {short(trigger)}", short(dataset)
    if isinstance(trigger, Every):
        due = f"every {trigger.period}"
    elif isinstance(trigger, Once):
        due = "once, at the start"
    if isinstance(dataset, Recent):
        rows = f"the last {dataset.past}"
    elif isinstance(dataset, All):
        rows = "all labels so far"
    return f"retrain {due}, on {rows}"


def short(rule: Any) -> str:
    """Write a rule with what is not its default, metrics by their names.

    Examples
    --------
    >>> from tidemill.loop.triggers import Cooldown, Cusum
    >>> from tidemill.measures import AUC
    >>> short(Cooldown(Cusum(AUC(), reference=14), "7d"))
    'Cooldown(Cusum(auc, reference=14), 7d)'
    """
    if not is_rule(rule):
        return str(rule)
    told = []
    for field in fields(rule):
        value = getattr(rule, field.name)
        if field.default is MISSING or value != field.default:
            word = getattr(value, "name", None) if hasattr(value, "needs") else None
            text = word or short(value)
            told.append(text if field.default is MISSING else f"{field.name}={text}")
    return type(rule).__name__ + (f"({', '.join(told)})" if told else "")


def releases_of(history: History) -> Fronts:
    """Return when each model version first answered, from what was logged."""
    model = history.records["model"]
    seen = pc.unique(model.drop_null()).to_pylist()
    firsts = sorted(int(pc.index(model, value).as_py()) for value in seen)
    epoch = datetime.fromtimestamp(0, UTC)
    return [(epoch + timedelta(microseconds=int(history.at[k])), model[k].as_py()) for k in firsts]


def _became(lives: Sequence[Lived], states: Sequence[str]) -> int:
    return sum(one.became in states for one in lives)


def labelled(run: Run, places: Truth, steps: Steps) -> int:
    """Count the labels that a run asked for since it began, and that came."""
    return int((labelled_places(run, places) >= steps.edges[0]).sum())


def labelled_places(run: Run, places: Truth) -> npt.NDArray[np.int64]:
    """Return the places of the records that a run asked to label, and whose label came."""
    chosen = run.world.events.chosen_places()  # type: ignore[attr-defined]
    return chosen[np.isin(chosen, places.place, assume_unique=True)]


def _notes(runs: Sequence[Run], lives: Sequence[Sequence[Lived]], fronts: Fronts) -> list[str]:
    found: list[str] = []
    failed = [one for one in lives[0] if one.became == "failed"]
    if failed:
        found.append(
            f"{len(failed)} of {len(lives[0])} fits failed, the first: {failed[0].verdict}"
        )
    refused = _became(lives[0], _REFUSED)
    if refused:
        found.append(f"{refused} of {len(lives[0])} candidates did not pass their gates")
    if not lives[0]:
        found.append("never fired: no model was ever trained")
    elif not fronts:
        found.append("no model ever met users")
    return found + [f"{note.removeprefix('no retrain: ')}" for note in runs[0].notes[:2]]


def halves(draw: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Put each record into one of two halves by its stored draw."""
    return draw < 0.5  # noqa: PLR2004 - halves

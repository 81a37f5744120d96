"""A backtest: the real mill replayed for every strategy, scored, compared, told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from tidemill.adapters.trainers.shared import Work
from tidemill.core.durations import duration
from tidemill.core.errors import BadInput
from tidemill.core.ports import Json
from tidemill.core.rules import Trigger
from tidemill.loop.datasets import Latest, Nothing
from tidemill.loop.offline import Unchecked
from tidemill.loop.training.resampled import Resampled
from tidemill.loop.triggers import Every, Once
from tidemill.strategy.backtest.answers import Steps
from tidemill.strategy.backtest.compare import Terms
from tidemill.strategy.backtest.references import Grid
from tidemill.strategy.backtest.report import report
from tidemill.strategy.backtest.rows import Rows, labelled
from tidemill.strategy.backtest.schedules import (
    OUTSIDE,
    grid_of,
    in_hindsight,
    mark,
    outside,
    with_as_many,
)
from tidemill.strategy.backtest.scoring import scoring
from tidemill.strategy.backtest.setting import Given, Setting, metric_for, moments_of
from tidemill.strategy.backtest.simulate import Run, lived, simulate
from tidemill.strategy.backtest.told import Floats, Told
from tidemill.strategy.backtest.worlds import Bench
from tidemill.strategy.strategy import Strategy

NEVER, EVERY_STEP = "never", "every step"
MOST_BYTES = 1_000_000_000
"""Bytes of answers kept between moments; those of gates are asked for once."""
_GROWN = 1.2
"""How much larger datasets must get for the size to be told apart from freshness."""


class Backtest:
    """One backtest on its way: made, driven, told.

    Parameters
    ----------
    strategies
        Those asked for, in the order of the report; names must differ.
    """

    def __init__(self, given: Given, strategies: Sequence[Strategy], setting: Setting) -> None:
        if not strategies:
            raise BadInput("no strategy is given.", fix="give at least one, such as weekly.")
        names = [s.name for s in strategies]
        twice = next((n for n in names if names.count(n) > 1), None)
        if twice is not None:
            raise BadInput(f"two strategies are called {twice!r}.", fix="give each its own name.")
        self.given, self.setting = given, setting
        self.asked = list(strategies)
        self.base = replace(
            strategies[0],
            trigger=Once(),
            holdout=Nothing(),
            offline=[Unchecked()],
            signing="auto",
        )
        self.metric = setting.metric or metric_for(given.task)
        self.steps = Steps(moments_of(given, setting), given.history.at)
        self.latency = duration(setting.latency)
        self.work = Work(workers=setting.workers, cache=setting.cache)
        self.bench = Bench(
            given.history,
            self.steps,
            self.work,
            latency=self.latency,
            salt="backtest",
            resample=setting.resample,
        )
        self.deterministic = True
        self._done = 0.0

    def run(self) -> Json:
        """Drive everything, and return the report as plain JSON."""
        started = time.perf_counter()
        try:
            return self._run(started)
        finally:
            self.bench.close()

    def _run(self, started: float) -> Json:
        seeds = self._seeds()
        runs = {s.name: self._runs(s, seeds) for s in self._all()}
        self._drive([run for each in runs.values() for run in each], "replays strategies", 0.7)
        rows, terms = self._rows()
        asked = [self._told(name, runs[name], rows) for name in (s.name for s in self.asked)]
        asked += [rows.of_history(self.given.history)] if self.given.answered else []
        references = [
            rows.of_runs(name, "reference", each, self.places)
            for name, each in runs.items()
            if name not in {s.name for s in self.asked}
        ]
        best, more = None, []
        if self.setting.references:
            grids = [self._grid(run) for run in runs[self._name(EVERY_STEP)]]
            self._say(0.75, "predicts for the schedules in hindsight")
            best = self._hindsight(grids, rows, terms)
            for told in asked:
                mark(told, grids[0])
            more = with_as_many(asked, grids, rows)
            labels = self._labels(runs)
            for told in [*more, *([best["told"], best["bound"]] if best else [])]:
                told.labels = labels
            self._say(0.9, "tells gains from one model's bad luck")
            for row in (*asked, *references):
                if row.name == self._name(NEVER):
                    row.luck = self._luck(rows)
            more += self._same_size(runs[self._name(EVERY_STEP)], seeds, rows)
        spent = self._effort(started, runs)
        return report(
            given=self.given,
            setting=self.setting,
            metric=self.metric,
            asked=asked,
            references=references + more,
            hindsight=best,
            terms=terms,
            seeds=len(seeds),
            effort=spent,
        )

    # Which runs there are

    def _all(self) -> list[Strategy]:
        """Return the strategies asked for, and the references that are none of them."""
        every = Every(self.setting.step)
        wanted: list[tuple[str, Trigger]] = [(NEVER, Once())]
        if self.setting.references:
            wanted.append((EVERY_STEP, every))
        extra = [replace(self.base, trigger=trigger, name=name) for name, trigger in wanted]
        known = {s.hash for s in self.asked}
        return [*self.asked, *(s for s in extra if s.hash not in known)]

    def _name(self, reference: str) -> str:
        """Return the name of the run that is a reference: its own, or of one asked for."""
        trigger = Once() if reference == NEVER else Every(self.setting.step)
        same = replace(self.base, trigger=trigger).hash
        return next((s.name for s in self.asked if s.hash == same), reference)

    def _seeds(self) -> list[int]:
        """Return the seeds to replay with: one, when training falls out the same each time."""
        if self.setting.resample:
            self.deterministic = False
            return list(range(self.setting.seeds))
        self._say(0.0, "tries whether training falls out the same twice")
        training = {s.marks.rules["training"]: s for s in self.asked}
        self.deterministic = all(
            self.bench.same_twice(replace(self.base, training=s.training))
            for s in training.values()
        )
        return [0] if self.deterministic else list(range(self.setting.seeds))

    def _runs(self, strategy: Strategy, seeds: Sequence[int]) -> list[Run]:
        if strategy.signing != "auto":
            strategy = replace(strategy, signing="auto")
        return [self.bench.run(strategy.name, strategy, seed=seed) for seed in seeds]

    def _drive(self, runs: list[Run], what: str, upto: float) -> None:
        start, moments = self._done, self.steps.moments
        span = (moments[-1] - moments[0]).total_seconds()

        def told(now: datetime) -> None:
            self.bench.look_ahead(runs, now)
            self.work.trim(MOST_BYTES)
            passed = (now - moments[0]).total_seconds() / span
            self._say(start + (upto - start) * passed, what)

        simulate(runs, moments[:-1], until=moments[-1], told=told)

    def _say(self, done: float, what: str) -> None:
        self._done = done
        if self.setting.told is not None:
            self.setting.told(done, what)

    # How they are scored

    def _rows(self) -> tuple[Rows, Terms]:
        self.places = self.bench.truth(self.base.labels, self.given.chosen)
        return scoring(
            self.bench,
            self.given,
            self.setting,
            base=self.base,
            metric=self.metric,
            truth=self.places,
            deterministic=self.deterministic,
        )

    def _told(self, name: str, runs: list[Run], rows: Rows) -> Told:
        told = rows.of_runs(name, "asked", runs, self.places)
        strategy = next(s for s in self.asked if s.name == name)
        if strategy.signing == "approve":
            told.reviews = told.retrains - told.failed
            told.notes.append("a person signs it; replayed as signed at once when all gates are OK")
        if why := outside(strategy, self.base):
            told.notes.append(f"{OUTSIDE}: {why}")
        return told

    # What they are measured against

    def _grid(self, run: Run) -> Grid:
        return grid_of(run, self.steps, self.latency)

    def _hindsight(self, grids: list[Grid], rows: Rows, terms: Terms) -> Json | None:
        return in_hindsight(grids[0], rows, terms, self.bench)

    def _same_size(self, every: list[Run], seeds: list[int], rows: Rows) -> list[Told]:
        """Retrain every step on as many rows as the first model had: fresh, but no more data."""
        lives = lived(every[0])
        if not lives or lives[-1].rows < _GROWN * lives[0].rows:
            return []
        fresh = replace(
            self.base,
            trigger=Every(self.setting.step),
            dataset=Latest(lives[0].rows),
            name="every step, same size",
        )
        runs = self._runs(fresh, seeds)
        self._drive(runs, "tells freshness from more data", 0.95)
        told = rows.of_runs(fresh.name, "reference", runs, self.places)
        told.matched = {"to": NEVER, "what": "rows"}
        return [told]

    def _luck(self, rows: Rows) -> Floats:
        """Return how far the first model's values move when it learns from rows drawn anew."""
        once = replace(self.base, trigger=Once(), name="never, other rows")
        trainings = [Resampled(once.training, k) for k in range(max(2, self.setting.seeds))]
        runs = [self.bench.run(once.name, replace(once, training=t)) for t in trainings]
        first = self.steps.moments[0]
        simulate(runs, [first, first + self.latency] if self.latency else [first])
        values = rows.of_runs(once.name, "reference", runs, self.places).values
        return values - values.mean(axis=0)

    def _labels(self, runs: dict[str, list[Run]]) -> float:
        """Return how many labels retraining every step asked for: those of every schedule."""
        return labelled(runs[self._name(EVERY_STEP)][0], self.places, self.steps)

    def _effort(self, started: float, runs: dict[str, list[Run]]) -> Json:
        spent = {kind: (one.jobs, one.seconds) for kind, one in self.work.spent.items()}
        fits, predictions = spent.get("fit", (0, 0.0)), spent.get("answer", (0, 0.0))
        return {
            "strategy_steps": sum(len(each) for each in runs.values()) * len(self.steps),
            "fits": fits[0],
            "predictions": predictions[0],
            "fit_seconds": fits[1],
            "predict_seconds": predictions[1],
            "seconds": time.perf_counter() - started,
        }

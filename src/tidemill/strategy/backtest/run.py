"""A backtest: the real mill replayed for every strategy, scored, compared, told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

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
from tidemill.strategy.backtest.given import longest_delay
from tidemill.strategy.backtest.references import Grid, hindsight, matched, step_losses
from tidemill.strategy.backtest.report import report
from tidemill.strategy.backtest.rows import Rows, halves, labelled
from tidemill.strategy.backtest.score import Scorer, Truth, grouped, numbered
from tidemill.strategy.backtest.setting import Given, Setting, metric_for, moments_of
from tidemill.strategy.backtest.simulate import Run, lived, simulate
from tidemill.strategy.backtest.told import Floats, Told
from tidemill.strategy.backtest.worlds import Bench
from tidemill.strategy.strategy import Strategy

NEVER, EVERY_STEP = "never", "every step"
MOST_BYTES = 1_000_000_000
"""Bytes of answers kept between moments; those of gates are asked for once."""
MOST_CUTS = 60
"""Cut-offs that a schedule in hindsight may choose from."""
_OUTSIDE = "outside the grid of the optimum"
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
                self._mark(told, grids[0])
            more = self._matched(asked, grids, rows)
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
        history, steps = self.given.history, self.steps
        labels, final = self.base.labels, duration(self.base.labels.final_after)
        self.places = self.bench.truth(labels, self.given.chosen)
        scorer = Scorer(
            answers=self.bench.answers,
            truth=self.places,
            metric=self.metric,
            half=halves(history.records["u_split"].to_numpy(zero_copy_only=False)),
            unit=numbered(history.records["unit"]),
            group=grouped(self.metric, history.records),
            costs=self.base.costs or self.setting.costs,
        )
        step = duration(self.setting.step)
        skipped = -(-self.latency // step)
        scored = [k for k in range(skipped, len(steps)) if steps.rows(k)[0] < steps.rows(k)[1]]
        then = [self._known_then(k) for k in scored]
        rows = Rows(scorer, steps, scored, then)
        settled = self._settled(scored, final)
        days = sum(
            (steps.moments[k + 1] - steps.moments[k]).total_seconds()
            for k, counts in zip(scored, settled, strict=True)
            if counts
        )
        return rows, Terms(
            rows=rows,
            settled=settled,
            sign=1.0 if self.metric.higher_is_better else -1.0,
            deterministic=self.deterministic,
            resampled=self.setting.resample,
            step=step,
            delay=max(final, self.given.delay),
            season=duration(self.setting.season),
            days=days / 86_400,
        )

    def _known_then(self, k: int) -> Truth:
        start, end = self.steps.moments[k], self.steps.moments[k + 1]
        known = self.bench.truth(self.base.labels, self.given.chosen, now=end, since=start)
        return known.within(*self.steps.rows(k))

    def _settled(self, scored: Sequence[int], final: timedelta) -> npt.NDArray[np.bool_]:
        """Tell which steps have waited long enough for their labels, by when history ends."""
        history = self.given.history
        wait = longest_delay(history, final)
        last = max(history.at.max(initial=0), history.label_available.max(initial=0))
        end = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(last))
        return np.array(
            [self.steps.moments[k + 1] - timedelta(seconds=1) + wait <= end for k in scored]
        )

    def _told(self, name: str, runs: list[Run], rows: Rows) -> Told:
        told = rows.of_runs(name, "asked", runs, self.places)
        strategy = next(s for s in self.asked if s.name == name)
        if strategy.signing == "approve":
            told.reviews = told.retrains - told.failed
            told.notes.append("a person signs it; replayed as signed at once when all gates are OK")
        outside = self._outside(strategy)
        if outside:
            told.notes.append(f"{_OUTSIDE}: {outside}")
        return told

    def _outside(self, strategy: Strategy) -> str:
        """Say why a strategy's choices are none the optimum in hindsight could make."""
        marks, base = strategy.marks, self.base.marks
        for stage in ("training", "dataset", "curation", "labels", "log"):
            if marks.rules[stage] != base.rules[stage]:
                return f"its {stage} differs"
        if strategy.tested:
            return "it has gates"
        return "it goes on from its last model" if strategy.training.continues else ""

    @staticmethod
    def _mark(told: Told, grid: Grid) -> None:
        """Note when a strategy has had models in front that no schedule could choose."""
        if not told.lives or any(note.startswith(_OUTSIDE) for note in told.notes):
            return
        live = [one.model for one in told.lives[0] if one.live_at is not None]
        if live and (live[0] != grid.model[0] or not set(grid.model).issuperset(live)):
            told.notes.append(f"{_OUTSIDE}: it retrained between steps, or not at the start")

    # What they are measured against

    def _grid(self, run: Run) -> Grid:
        """Return the models of retraining every step, as actions of a schedule."""
        models: list[str | None] = [None] * len(self.steps)
        seconds = [0.0] * len(self.steps)
        live = [m + self.latency for m in self.steps.moments[:-1]]
        place = {m: k for k, m in enumerate(self.steps.moments)}
        for one in lived(run):
            k = place.get(one.triggered_at.replace(microsecond=0))
            if k is not None and one.live_at is not None:
                models[k], seconds[k], live[k] = one.model, one.seconds, one.live_at
        # Predictions grow with the square of the cut-offs: a long history offers some of them.
        every = -(-len(self.steps) // MOST_CUTS)
        models = [model if k % every == 0 else None for k, model in enumerate(models)]
        return Grid(steps=self.steps, model=tuple(models), live=tuple(live), seconds=tuple(seconds))

    def _hindsight(self, grids: list[Grid], rows: Rows, terms: Terms) -> Json | None:
        grid, price = grids[0], rows.scorer.priced
        scored = [k for i, k in enumerate(rows.scored) if terms.settled[i]]
        pairs = [(m, k) for k in scored for m in range(k + 1)]
        self.bench.prepare([(grid.model[m], k) for m, k in pairs])
        losses = step_losses(grid, rows.scorer, scored, sign=terms.sign, price=price)
        sheet = rows.scorer.costs
        retrain = np.array(grid.seconds) * (sheet.second if sheet is not None else 0.0)
        found = hindsight(grid, losses, retrain)
        if found is None:
            return None
        told = rows.of_schedule("hindsight optimum", [grid], found.schedule)
        bound = rows.of_schedule("bound", [grid], found.bound_schedule)
        return {"told": told, "found": found, "bound": bound, "price": price}

    def _matched(self, asked: list[Told], grids: list[Grid], rows: Rows) -> list[Told]:
        """Return the calendar and chance with as many retrains as each strategy had."""
        found: list[Told] = []
        done: set[int] = set()
        steps = len([m for m in grids[0].model if m is not None])
        for row in asked:
            retrains = round(row.retrains) - (row.kind == "asked")
            if not 0 < retrains < steps - 1 or retrains in done:
                continue
            done.add(retrains)
            schedules = matched(retrains, len(self.steps))
            for name, each in schedules.items():
                told = [rows.of_schedule(name, grids, self._possible(grids[0], s)) for s in each]
                one = told[0] if len(told) == 1 else rows.of_many(name, told)
                one.name = f"{name} ({row.name})"
                one.matched = {"to": row.name, "what": "retrains"}
                one.words = f"{retrains + 1} retrains {_HOW[name]}"
                found.append(one)
        return found

    @staticmethod
    def _possible(grid: Grid, schedule: Sequence[int]) -> tuple[int, ...]:
        """Leave out steps at which no model could be trained."""
        return tuple(k for k in schedule if grid.model[k] is not None)

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


_HOW = {"calendar": "spread evenly", "random": "at random, mean of 20 schedules"}

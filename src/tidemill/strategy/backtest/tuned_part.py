"""A part of a history: what was known at its end, strategies replayed on it, what they cost."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.adapters.stores.history import History
from tidemill.adapters.trainers.shared import Work
from tidemill.core.durations import duration
from tidemill.core.errors import BadInput
from tidemill.loop.training import Resampled
from tidemill.strategy.backtest.answers import Segment, Steps, fronts_of, segments
from tidemill.strategy.backtest.given import longest_delay, median_delay
from tidemill.strategy.backtest.rows import labelled_places
from tidemill.strategy.backtest.score import Scorer, grouped, numbered
from tidemill.strategy.backtest.setting import Given, Setting, metric_for
from tidemill.strategy.backtest.simulate import Run, lived, simulate
from tidemill.strategy.backtest.told import Floats
from tidemill.strategy.backtest.worlds import Bench
from tidemill.strategy.strategy import Strategy

SALT = "backtest"
"""The same as that of a backtest, so that the same fits are shared."""


def known_at(given: Given, moment: datetime) -> Given:
    """Return a history as it was known at a moment: nothing that came later is in it."""
    history, at = given.history, pa.scalar(moment, pa.timestamp("us", tz="UTC"))

    def seen(table: pa.Table) -> pa.Table:
        keep = pc.less_equal(table["available_at"], at)
        if "predicted_at" in table.column_names:
            keep = pc.and_(keep, pc.less(table["predicted_at"], at))
        return table.filter(keep)

    more = {
        name: seen(rows) if "available_at" in rows.column_names else rows
        for name, rows in history.tables.items()
        if name not in ("records", "labels")
    }
    cut = History(
        seen(history.tables["records"]),
        seen(history.tables["labels"]),
        more=more,
        kinds=history.kinds,
    )
    chosen = given.chosen
    if chosen is not None:
        # Whom to label was often decided later; what was answered is in the labels, cut above.
        chosen = chosen.filter(pc.less(chosen["predicted_at"], at))
    return replace(given, history=cut, chosen=chosen, delay=median_delay(cut))


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """A strategy replayed on a part, once a seed.

    Parameters
    ----------
    by
        For each seed and scored step who answered.
    values, errors
        The metric, and the price of the errors (zeros without prices); shape (seeds, steps).
    effort
        Price of labels, training and reviews in each step; shape (seeds, steps).
    """

    strategy: Strategy
    by: Sequence[Sequence[tuple[Segment, ...]]]
    values: Floats
    errors: Floats
    effort: Floats
    retrains: float
    failed: float


class Part:
    """Replays strategies on the steps of a part, all sharing fits and answers.

    Parameters
    ----------
    given
        The history; records after the last moment are not asked about.
    moments
        The borders of the steps; the first is when every strategy trains its first model.
    base
        Says how labels are final and what things cost.
    since
        The first step that is scored; what is done before it costs nothing here.
    """

    def __init__(
        self,
        given: Given,
        moments: Sequence[datetime],
        setting: Setting,
        work: Work,
        *,
        base: Strategy,
        name: str,
        since: int = 0,
    ) -> None:
        history = given.history
        self.steps = Steps(moments, history.at)
        self.latency = duration(setting.latency)
        self.bench = Bench(history, self.steps, work, latency=self.latency, salt=SALT)
        self.metric = setting.metric or metric_for(given.task)
        self.sign = 1.0 if self.metric.higher_is_better else -1.0
        self.costs = base.costs or setting.costs
        end = _end_of(history, moments[-1])
        truth = self.bench.truth(base.labels, _from_the_start(given), now=end)
        self._truth = truth
        self.scorer = Scorer(
            answers=self.bench.answers,
            truth=truth,
            metric=self.metric,
            half=np.zeros(len(history), dtype=bool),
            unit=numbered(history.records["unit"]),
            group=grouped(self.metric, history.records),
            costs=self.costs,
        )
        wait = longest_delay(history, duration(base.labels.final_after))
        first, second = moments[0] + self.latency, timedelta(seconds=1)
        self.scored = [
            k
            for k in range(since, len(self.steps))
            if self.scorer.weight(k) > 0
            and moments[k] >= first
            and moments[k + 1] - second + wait <= end
        ]
        if not self.scored:
            raise BadInput(
                f"the {name} part of the history, {moments[since]:%Y-%m-%d} to {moments[-1]:%Y-%m-%d},"
                " has no step whose labels have all come.",
                fix="give a longer history, or move the border with --late-from.",
            )
        self.weight = np.array([self.scorer.weight(k) for k in self.scored])

    @property
    def priced(self) -> bool:
        """Whether there is a price sheet."""
        return self.costs is not None

    @property
    def days(self) -> float:
        """Length of the scored steps."""
        m = self.steps.moments
        return sum((m[k + 1] - m[k]).total_seconds() for k in self.scored) / 86_400

    def replay(
        self, strategies: Sequence[Strategy], seeds: Sequence[int], *, resampled: bool = False
    ) -> list[Replayed]:
        """Replay strategies side by side, each once a seed.

        Parameters
        ----------
        resampled
            Let each seed draw the training rows anew.
        """
        runs = [[self._run(s, seed, resampled) for seed in seeds] for s in strategies]
        self._drive([run for each in runs for run in each])
        return [self._replayed(s, each) for s, each in zip(strategies, runs, strict=True)]

    def drive(self, strategy: Strategy, seeds: Sequence[int]) -> list[Run]:
        """Replay one strategy and return its runs."""
        runs = [self._run(strategy, seed, resampled=False) for seed in seeds]
        self._drive(runs)
        return runs

    def _drive(self, runs: Sequence[Run]) -> None:
        simulate(runs, self.steps.moments[:-1], until=self.steps.moments[-1])

    def _run(self, strategy: Strategy, seed: int, resampled: bool) -> Run:  # noqa: FBT001 - inside
        own = replace(strategy, signing="auto")
        if not resampled:
            return self.bench.run(strategy.name, own, seed=seed)
        drawn = replace(own, training=Resampled(own.training, seed))
        return self.bench.run(strategy.name, drawn)

    def _replayed(self, strategy: Strategy, runs: Sequence[Run]) -> Replayed:
        fronts = [fronts_of(run.world) for run in runs]
        by = [
            [segments(front, self.steps, *self.steps.rows(k)) for k in self.scored]
            for front in fronts
        ]
        found = [self._effort(strategy, run) for run in runs]
        return Replayed(
            strategy=strategy,
            by=by,
            values=np.array([self.values(one) for one in by]),
            errors=np.array([self.errors(one) for one in by]),
            effort=np.array([effort for effort, _, _ in found]),
            retrains=float(np.mean([n for _, n, _ in found])),
            failed=float(np.mean([n for _, _, n in found])),
        )

    def values(self, by: Sequence[tuple[Segment, ...]]) -> Floats:
        """Return the metric of each scored step."""
        return np.array([self.scorer.value(k, by[i]) for i, k in enumerate(self.scored)])

    def errors(self, by: Sequence[tuple[Segment, ...]]) -> Floats:
        """Return the price of the errors of each scored step; zeros without prices."""
        if not self.priced:
            return np.zeros(len(self.scored))
        return np.array([self.scorer.errors(k, by[i]) for i, k in enumerate(self.scored)])

    def loss(self, step: int, by: Sequence[Segment]) -> float:
        """Return what the answers to a step lose: money, or the metric where lower is better."""
        if self.priced:
            return self.scorer.errors(step, by)
        return -self.sign * self.scorer.value(step, by)

    def _effort(self, strategy: Strategy, run: Run) -> tuple[Floats, int, int]:
        """Price what a run did in each scored step; count its retrains, and those that failed."""
        effort, place = np.zeros(len(self.scored)), {k: i for i, k in enumerate(self.scored)}
        moments, lives, sheet = self.steps.moments, lived(run), self.costs
        failed = sum(one.became == "failed" for one in lives)
        if sheet is None:
            return effort, len(lives), failed
        for one in lives:
            step = place.get(bisect_right(moments, one.triggered_at) - 1)
            if step is not None:
                effort[step] += self.retrain_price(strategy, one.seconds, one.became)
        labelled = labelled_places(run, self._truth)
        for k, i in place.items():
            low, high = self.steps.rows(k)
            effort[i] += sheet.label * int(((labelled >= low) & (labelled < high)).sum())
        return effort, len(lives), failed

    def retrain_price(self, strategy: Strategy, seconds: float, became: str = "live") -> float:
        """Return what one retrain costs: its seconds, and a review where a person signs it."""
        if self.costs is None:
            return 0.0
        reviewed = strategy.signing == "approve" and became != "failed"
        return self.costs.second * seconds + self.costs.review * reviewed


def _from_the_start(given: Given) -> pa.Table | None:
    """Return who was chosen to be labelled, as if it had been decided at the start.

    It says whose labels count, and with which weight, not what they are.
    """
    if given.chosen is None or not given.chosen.num_rows:
        return given.chosen
    place = given.chosen.column_names.index("available_at")
    kind = given.chosen.schema.field(place)
    first = pa.repeat(pa.scalar(given.history.available.min()), given.chosen.num_rows)
    return given.chosen.set_column(place, kind, first.cast(kind.type))


def _end_of(history: History, last: datetime) -> datetime:
    """Return when the last label of a history came, or its last step ended."""
    came = int(history.label_available.max(initial=0))
    return max(last, datetime.fromtimestamp(0, UTC) + timedelta(microseconds=came))

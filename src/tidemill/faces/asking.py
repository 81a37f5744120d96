"""A backtest as it is asked for, on the command line and in Python alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.core.costs import Costs
from tidemill.core.durations import duration, words
from tidemill.core.errors import BadInput, BadValue
from tidemill.core.ports import Json
from tidemill.core.rules import DatasetRule
from tidemill.faces.finding import dataset_of, metric_of, strategy_of
from tidemill.loop.triggers import Every
from tidemill.measures import Metric
from tidemill.strategy.backtest import given as histories
from tidemill.strategy.backtest.conclusions import conclude
from tidemill.strategy.backtest.run import EVERY_STEP, NEVER, Backtest
from tidemill.strategy.backtest.setting import (
    NAMED,
    Given,
    Setting,
    base_strategy,
    metric_for,
    named,
)
from tidemill.strategy.backtest.table import Meaning, Understood
from tidemill.strategy.backtest.table_steps import suggest_step
from tidemill.strategy.strategy import Strategy, trainer

if TYPE_CHECKING:
    from tidemill.project import Mill

USUAL = {
    "1h": ("never", "hourly", "daily", "performance"),
    "1d": ("never", "daily", "weekly", "performance"),
    "28d": ("never", "monthly", "quarterly", "performance"),
}
"""Strategies to start from, for steps of that length."""
ALWAYS = ("never", "weekly", "monthly", "performance")
_TAKEN = (NEVER, EVERY_STEP, "every step, same size", "yours", "hindsight optimum", "bound")
"""Names of the rows that every report has."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of a backtest.

    Parameters
    ----------
    strategies
        Names, strategy files or values; the usual ones where there are none.
    model
        The user's own training; None for the built-in model.
    dataset
        Which labels named strategies learn from: a rule, ``"28d"``, ``"all"`` or ``"n=5000"``.
    metric
        The metric or its name.
    costs
        The price sheet.
    step, latency, season, start, end, seeds, workers, cache, references
        As in :class:`~tidemill.strategy.backtest.setting.Setting`.
    """

    strategies: Sequence[str | Path | Strategy] = ()
    model: Any = None
    dataset: str | DatasetRule | None = None
    metric: str | Metric | None = None
    costs: Costs | None = None
    step: str | None = None
    latency: str = "1h"
    season: str = "7d"
    start: datetime | None = None
    end: datetime | None = None
    seeds: int = 5
    workers: int = 1
    cache: Path | None = None
    references: bool = True

    def setting(self, step: str, metric: Metric, model: str | None) -> Setting:
        """Return the terms of the backtest."""
        return Setting(
            step=step,
            start=self.start,
            end=self.end,
            metric=metric,
            latency=self.latency,
            season=self.season,
            seeds=self.seeds,
            workers=self.workers,
            cache=self.cache,
            costs=self.costs,
            model=model,
            references=self.references,
        )

    def scored_by(self, task: str, otherwise: Iterable[Metric] = ()) -> Metric:
        """Return the metric: the one asked for, the first of a strategy, or the usual one."""
        if isinstance(self.metric, str):
            return metric_of(self.metric, task)
        return self.metric or next(iter(otherwise), metric_for(task))

    @property
    def rule(self) -> DatasetRule | None:
        return dataset_of(self.dataset) if isinstance(self.dataset, str) else self.dataset


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A backtest that only has to be run."""

    given: Given
    strategies: tuple[Strategy, ...]
    setting: Setting

    def run(self, told: Callable[[float, str], None] | None = None) -> Json:
        """Run it; ``told`` hears how far it is, from 0 to 1, and what it does."""
        setting = replace(self.setting, told=told)
        return Backtest(self.given, self.strategies, setting).run()


def of_table(understood: Understood, asked: Asked, *, title: str) -> Ready:
    """Prepare a backtest of a table.

    Raises
    ------
    BadInput
        If it would be meaningless, with why.
    """
    _check(asked)
    step = asked.step or suggest_step(understood)
    _refuse_meaningless(understood, step)
    metric = asked.scored_by(understood.task)
    training, model = asked.model, None
    if training is None:
        from tidemill.adapters.trainers.pipeline import pipeline

        training = pipeline(understood.features, understood.task)
        model = training.words
    base = base_strategy(
        trainer(training),
        step=step,
        final_after=_final_after(understood),
        absent=understood.absent,
        dataset=asked.rule,
        costs=asked.costs,
    )
    wanted = asked.strategies or USUAL.get(step, ALWAYS)
    chosen = _strategies(wanted, base, metric)
    given = histories.of_table(understood, title=title)
    if model is not None:
        model = _whose(model, [one.name for one, w in zip(chosen, wanted, strict=True) if _own(w)])
        model = None if all(_own(w) for w in wanted) else model
    return Ready(
        given=_warned(given, chosen, step),
        strategies=chosen,
        setting=asked.setting(step, metric, model),
    )


def of_project(mill: Mill, asked: Asked) -> Ready:
    """Prepare a backtest of a project: its own strategy, and those given, on what it logged."""
    _check(asked)
    own = mill.strategy
    own = replace(own, costs=asked.costs or own.costs)
    if asked.model is not None:
        own = replace(own, training=asked.model)
    if asked.rule is not None:
        own = replace(own, dataset=asked.rule)
    title = mill.path.resolve().name
    given = histories.of_project(mill.world, title=title)
    step = asked.step or suggest_step(_as_understood(given, own))
    metric = asked.scored_by(given.task, own.metrics)
    # Named ones learn from the labels as the project's own does, and keep its gates.
    chosen = _strategies([own, *asked.strategies], own, metric)
    return Ready(
        given=_warned(given, chosen, step),
        strategies=chosen,
        setting=asked.setting(step, metric, None),
    )


def _check(asked: Asked) -> None:
    """Refuse what cannot be meant before anything long is begun."""
    for option, span in (("step", asked.step), ("latency", asked.latency)):
        try:
            duration(span or "0s")
        except BadValue as error:
            raise BadValue(f"{option}: {error.what}", fix=error.fix) from None
    if asked.step is not None and not duration(asked.step):
        raise BadValue("a step of 0s never ends.", fix="write it like 7d.")
    for option, number in (("seeds", asked.seeds), ("workers", asked.workers)):
        if number < 1:
            raise BadValue(f"{option} must be 1 or more, not {number}.", fix="give 1 or more.")
    if asked.start is not None and asked.end is not None and asked.start >= asked.end:
        raise BadValue(
            f"it would start {asked.start:%Y-%m-%d %H:%M} and end {asked.end:%Y-%m-%d %H:%M}.",
            fix="give a start before the end.",
        )


def _refuse_meaningless(understood: Understood, step: str) -> None:
    for found in conclude(understood, step=step):
        if found.hinders:
            why = f"{found.question} {found.answer.capitalize()}: {found.why}"
            raise BadInput(f"a backtest would be meaningless. {why}", fix=found.fix)


def _final_after(understood: Understood) -> str:
    """Return when labels are final; where absence means something, not before they can come."""
    meaning = understood.meaning
    if meaning.final_after is not None:
        return meaning.final_after
    return "0s" if understood.absent is None else meaning.label_delay


def _own(wanted: object) -> bool:
    """Tell whether a strategy brings a training of its own."""
    return str(wanted) not in NAMED if isinstance(wanted, str | Path) else True


def _whose(model: str, own: Sequence[str]) -> str:
    """Say whose model is trained, where some strategies bring their own.

    Examples
    --------
    >>> _whose("a built-in gradient boosting, not your model", ["mine"])
    'a built-in gradient boosting; mine trains its own'
    """
    if not own:
        return model
    verb = "trains its own" if len(own) == 1 else "train their own"
    return f"{model.removesuffix(', not your model')}; {' and '.join(own)} {verb}"


def _strategies(
    wanted: Iterable[str | Path | Strategy], base: Strategy, metric: Metric
) -> tuple[Strategy, ...]:
    """Find strategies and give each a name of its own."""
    found: list[Strategy] = []
    for one in wanted:
        known = one if isinstance(one, Strategy) else strategy_of(one)
        if isinstance(known, str):
            found.append(named(known, base, metric))
            continue
        if known.costs is None and base.costs is not None:
            known = replace(known, costs=base.costs)
        taken = {*_TAKEN, *(f.name for f in found)}
        found.append(replace(known, name=_free(known.name, taken)))
    names = [one.name for one in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadValue(f"the strategy {twice!r} is asked for twice.", fix="name each once.")
    return tuple(found)


def _free(name: str, taken: set[str]) -> str:
    """Return a name nobody has yet.

    Examples
    --------
    >>> _free("weekly", {"weekly", "weekly 2"})
    'weekly 3'
    """
    k, free = 2, name
    while free in taken:
        free, k = f"{name} {k}", k + 1
    return free


def _warned(given: Given, strategies: Iterable[Strategy], step: str) -> Given:
    """Say which strategies cannot be as often due as they say."""
    late = [
        f"{one.name} is due every {one.trigger.period}, but a mill that turns every {step} "
        f"retrains it every {_next(one.trigger.period, step)}: a shorter step would tell."
        for one in strategies
        if isinstance(one.trigger, Every) and duration(one.trigger.period) % duration(step)
    ]
    return replace(given, warnings=(*given.warnings, *late))


def _next(period: str, step: str) -> str:
    """Return after how long a turn comes at which it is due.

    Examples
    --------
    >>> _next("91d", "28d")
    '112d'
    """
    return words(-(-duration(period) // duration(step)) * duration(step))


def _as_understood(given: Given, strategy: Strategy) -> Understood:
    """Look at a project's history as at a table, for how long a step should be."""
    return Understood(
        records=given.history.records,
        labels=given.history.tables["labels"],
        task=given.task,
        features=given.features,
        assumed=(),
        warnings=(),
        quarantined=0,
        meaning=Meaning(
            time="predicted_at", label="label", final_after=strategy.labels.final_after
        ),
        absent=getattr(strategy.labels, "absent", None),
        leaks=(),
    )

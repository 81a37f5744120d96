"""What a backtest is asked: which history, which strategies, on which terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tidemill.adapters.stores.history import History
from tidemill.core.costs import Costs
from tidemill.core.durations import duration, words
from tidemill.core.errors import BadInput, unknown
from tidemill.core.rules import Trigger
from tidemill.loop.curation import Outcome, Uniform
from tidemill.loop.datasets import All, Nothing
from tidemill.loop.offline import Unchecked
from tidemill.loop.triggers import Cusum, Every, Once, OutputDrift
from tidemill.measures import AUC, MAE, Accuracy, Metric
from tidemill.strategy.strategy import Strategy

EVERYTHING = 10**9
"""More records than any window holds: all are chosen."""
WARM_UP = 0.1
"""The share of the rows that the first model may learn from, if no start is given."""
ENOUGH = 200


@dataclass(frozen=True, kw_only=True)
class Given:
    """A history to replay, and what is known about it.

    ``answered`` says whether the records hold what a model answered when history happened;
    ``chosen`` which records were chosen to be labelled then, None for all alike.
    """

    title: str
    history: History
    task: str
    features: tuple[tuple[str, str], ...]
    assumed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    answered: bool = False
    chosen: pa.Table | None = None
    delay: timedelta = timedelta(0)
    """The median time from a prediction to its label."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The terms of a backtest, the same for every strategy.

    Parameters
    ----------
    step
        How often every mill turns: the length of a step of the replay.
    start, end
        The first turn, at which every strategy trains its first model, and the last. Without a
        start the first tenth of the rows is history.
    metric
        What is scored; by default AUC for two classes, accuracy for more, MAE for numbers.
    latency
        From the start of a fit until its model meets users.
    season
        How long it takes until things repeat; ``"0s"`` when they do not.
    seeds
        How many times a strategy is replayed when training falls out differently each time.
    resample
        Whether each seed also draws the rows it trains on anew, so that limits allow for the
        luck of the rows: what never retrains may just have had a bad first sample.
    workers
        Processes that fit and predict side by side.
    cache
        A folder that keeps fits, so that a backtest goes on where it was stopped.
    model
        How the model is called in the report; None for the user's own.
    """

    step: str = "7d"
    start: datetime | None = None
    end: datetime | None = None
    metric: Metric | None = None
    latency: str = "1h"
    season: str = "7d"
    seeds: int = 5
    resample: bool = False
    workers: int = 1
    cache: Path | None = None
    costs: Costs | None = None
    model: str | None = None
    references: bool = True
    told: Callable[[float, str], None] | None = None
    """Told how far the backtest is, from 0 to 1, and what it does."""


NAMED: Mapping[str, Trigger | Callable[[Metric], Trigger]] = {
    "never": Once(),
    "hourly": Every("1h"),
    "daily": Every("1d"),
    "weekly": Every("7d"),
    "monthly": Every("28d"),
    "quarterly": Every("91d"),
    "performance": Cusum,
    "drift": OutputDrift(),
}
"""Strategies by name: they differ in their trigger only, which may be made for the metric. A
month is four weeks."""


def named(name: str, base: Strategy, metric: Metric) -> Strategy:
    """Return the strategy of a name, alike the base in all but its trigger.

    Raises
    ------
    NotFound
        If there is none of that name.
    """
    if name not in NAMED:
        raise unknown("strategy", name, NAMED)
    trigger = NAMED[name]
    made = trigger(metric) if isinstance(trigger, type) else trigger
    return replace(base, trigger=made, name=name)


def base_strategy(
    training: Any,
    *,
    step: str,
    final_after: str = "0s",
    absent: float | str | None = None,
    dataset: Any = None,
    costs: Costs | None = None,
) -> Strategy:
    """Return the strategy that named ones start from: all labels as they come, no gate."""
    # About seven windows a step, so that a trigger sees some before it is asked again.
    every = duration(step)
    window = timedelta(days=max(1, round(every / timedelta(days=7))))
    return Strategy(
        training=training,
        window=words(min(window, every)),
        curation=Uniform(EVERYTHING, per=step),
        labels=Outcome(final_after=final_after, absent=absent),
        trigger=Once(),
        dataset=All() if dataset is None else dataset,
        holdout=Nothing(),
        offline=[Unchecked()],
        costs=costs,
    )


def metric_for(task: str) -> Metric:
    """Return the metric that is scored when none is asked for."""
    return {"binary": AUC(), "multiclass": Accuracy()}.get(task, MAE())


def moments_of(given: Given, setting: Setting) -> list[datetime]:
    """Return when every mill turns: whole steps from the first day of the history.

    Raises
    ------
    BadInput
        If the history is shorter than two steps after its start.
    """
    step, at = duration(setting.step), given.history.at
    if not len(at):
        raise BadInput("the history is empty.", fix="give a table with rows.")
    first = _moment(at[0]).replace(hour=0, minute=0, second=0, microsecond=0)
    start = setting.start or _moment(at[int(WARM_UP * len(at))]) + given.delay
    last = setting.end or _moment(at[-1]) + timedelta(microseconds=1)
    begin = first + -((first - start) // step) * step
    # The end of the last step that is whole, or the end of the history within a step.
    moments = [begin + k * step for k in range(max(0, -((begin - last) // step)) + 1)]
    moments = [m for m in moments if m < last] + [last]
    if len(moments) > 2 and moments[-1] - moments[-2] < step / 2:  # noqa: PLR2004 - a border apart
        moments = moments[:-2] + moments[-1:]
    if len(moments) < 3:  # noqa: PLR2004 - two steps have three borders
        raise BadInput(
            f"the history ends {last:%Y-%m-%d %H:%M}, less than two steps of {setting.step} after "
            f"its start, {begin:%Y-%m-%d %H:%M}.",
            fix="give a longer history, a shorter --step, or an earlier --from.",
        )
    return moments


def _moment(at: np.int64) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(at))

"""The options that say how a backtest is run, and what things cost."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from tidemill.core.errors import BadValue

if TYPE_CHECKING:
    from datetime import datetime

    from tidemill.core.costs import Costs
    from tidemill.faces.asking import Asked

GROUP = Group("How it is replayed", sort_key=4)
PRICES = Group("Prices", sort_key=6)

_Names = Annotated[
    tuple[str, ...], Parameter(group=GROUP, negative=(), show_default=False, metavar="NAME")
]
_Span = Annotated[str, Parameter(group=GROUP, metavar="DURATION")]
_Text = Annotated[str | None, Parameter(group=GROUP, metavar="TEXT")]
_Moment = Annotated[str | None, Parameter(group=GROUP, metavar="TIME")]
_Price = Annotated[float | None, Parameter(group=PRICES, metavar="PRICE")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TermOptions:
    """The options that say how a backtest is run.

    Parameters
    ----------
    strategies
        never, hourly, daily, weekly, monthly, quarterly, performance, drift, or strategy
        files; a,b or once for each [usually four that fit the step].
    step
        How often every mill turns, such as 7d; chosen from the history without.
    model
        Your own model as module:function instead of the built-in one: a function
        (dataset, previous), an estimator, or a function without arguments that makes one.
    dataset
        Which labels models learn from: 28d, all, or n=5000 [usually: all].
    metric
        auc, accuracy, brier, log_loss, mae or mse; chosen by the task without.
    latency
        From the start of a fit until its model meets users.
    season
        How long until things repeat; 0s when they do not.
    start
        When the first model is trained [usually: after a tenth of the rows].
    end
        When the last step ends.
    seeds
        How many replays each strategy gets, if training falls out differently each time.
    workers
        How many processes fit and predict [usually: one for each core].
    cache
        A folder that keeps fits: run again, it goes on where it was stopped.
    """

    strategies: _Names = ()
    step: Annotated[str | None, Parameter(group=GROUP, metavar="DURATION")] = None
    model: Annotated[str | None, Parameter(group=GROUP, metavar="MODULE:FUNCTION")] = None
    dataset: _Text = None
    metric: _Text = None
    latency: _Span = "1h"
    season: _Span = "7d"
    start: Annotated[_Moment, Parameter(name="--from")] = None
    end: Annotated[_Moment, Parameter(name="--to")] = None
    seeds: Annotated[int, Parameter(group=GROUP, metavar="N")] = 5
    workers: Annotated[int | None, Parameter(group=GROUP, metavar="N")] = None
    cache: Annotated[Path | None, Parameter(group=GROUP, metavar="FOLDER")] = None

    def asked(self, costs: Costs | None) -> Asked:
        """Return what is asked for."""
        from tidemill.faces.asking import Asked
        from tidemill.faces.cli.understanding import listed
        from tidemill.faces.finding import model_of

        return Asked(
            strategies=tuple(listed(self.strategies)),
            model=None if self.model is None else model_of(self.model, folder=Path.cwd()),
            dataset=self.dataset,
            metric=self.metric,
            costs=costs,
            step=self.step,
            latency=self.latency,
            season=self.season,
            start=_moment("--from", self.start),
            end=_moment("--to", self.end),
            seeds=self.seeds,
            workers=self.workers or cores(),
            cache=self.cache,
        )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CostOptions:
    """The options that say what things cost.

    Parameters
    ----------
    cost_label
        Of one label.
    cost_second
        Of one second of training.
    cost_error
        Of one wrong answer; for numbers, of one unit of error.
    cost_false_positive
        Of a 1 where it was 0.
    cost_false_negative
        Of a 0 where it was 1.
    cost_review
        Of one report card that a person reads.
    currency
        How amounts are signed [usually: EUR].
    """

    cost_label: _Price = None
    cost_second: _Price = None
    cost_error: _Price = None
    cost_false_positive: _Price = None
    cost_false_negative: _Price = None
    cost_review: _Price = None
    currency: Annotated[str | None, Parameter(group=PRICES, metavar="NAME")] = None

    def costs(self) -> Costs | None:
        """Return the price sheet; None when nothing has a price."""
        from tidemill.core.costs import Costs

        given = {f.name.removeprefix("cost_"): getattr(self, f.name) for f in fields(self)}
        said: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if not said.keys() - {"currency"}:
            if said:
                raise BadValue(
                    "--currency names a currency, but nothing has a price.",
                    fix="give a price, such as --cost-error 2.",
                )
            return None
        return Costs(**said)


TERMS, FREE = TermOptions(), CostOptions()


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _moment(option: str, text: str | None) -> datetime | None:
    from tidemill.core.clock import instant

    if text is None:
        return None
    try:
        return instant(text)
    except BadValue as error:
        raise BadValue(f"{option}: {error.what}", fix=error.fix) from None

"""Retrain when a metric is below, or above, a value that was agreed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated, Any

from tidemill.core.limits import Between, Has, Whole
from tidemill.core.rule import rule
from tidemill.core.rules import Facts
from tidemill.core.verdict import Decision
from tidemill.loop.triggers.measured import Measured
from tidemill.loop.triggers.unconditional import unconditional
from tidemill.measures import Accuracy, LogLoss, Metric


@rule
class Below:
    """Fire when a metric of the champion is below a floor.

    Parameters
    ----------
    metric
        What is measured.
    floor
        The lowest value that is good enough.
    windows
        Over how many of the latest windows with labels the mean is taken, each weighted by
        its labels.

    Examples
    --------
    >>> from tidemill.testing.data import awkward_facts
    >>> Below(Accuracy(), 0.8, windows=7)(awkward_facts()["plain"]).why
    'accuracy 0.6720 over 7 windows (700 labels, 2 not settled), the floor is 0.8'
    """

    metric: Annotated[Metric, Has("higher_is_better", "a metric, such as Accuracy()")]
    floor: Annotated[float, Between()]
    _: KW_ONLY
    windows: Annotated[int, Whole(1)] = 1

    @property
    def wants(self) -> tuple[Any, ...]:
        return (self.metric,)

    def __call__(self, facts: Facts, /) -> Decision:
        seen = Measured.of(facts, self.metric)[-self.windows :]
        if (due := unconditional(facts) or seen.too_few(self.windows)) is not None:
            return due
        why = f"{self.metric.name} {seen.mean:.4f} over {seen}, the floor is {self.floor:g}"
        return Decision(fire=seen.mean < self.floor, why=why)

    @classmethod
    def examples(cls) -> Iterator[Below]:
        yield cls(Accuracy(), 0.8)
        yield cls(Accuracy(), 0.8, windows=7)


@rule
class Above:
    """Fire when a metric of the champion is above a ceiling.

    Parameters
    ----------
    metric
        What is measured.
    ceiling
        The highest value that is good enough.
    windows
        Over how many of the latest windows with labels the mean is taken, each weighted by
        its labels.

    Examples
    --------
    >>> from tidemill.testing.data import awkward_facts
    >>> Above(LogLoss(), 0.7)(awkward_facts()["plain"]).fire
    False
    """

    metric: Annotated[Metric, Has("higher_is_better", "a metric, such as LogLoss()")]
    ceiling: Annotated[float, Between()]
    _: KW_ONLY
    windows: Annotated[int, Whole(1)] = 1

    @property
    def wants(self) -> tuple[Any, ...]:
        return (self.metric,)

    def __call__(self, facts: Facts, /) -> Decision:
        seen = Measured.of(facts, self.metric)[-self.windows :]
        if (due := unconditional(facts) or seen.too_few(self.windows)) is not None:
            return due
        why = f"{self.metric.name} {seen.mean:.4f} over {seen}, the ceiling is {self.ceiling:g}"
        return Decision(fire=seen.mean > self.ceiling, why=why)

    @classmethod
    def examples(cls) -> Iterator[Above]:
        yield cls(LogLoss(), 0.7)
        yield cls(LogLoss(), 0.7, windows=3)

"""Retrain when the champion is worse than it was at first."""

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
class DroppedBy:
    """Fire when a metric is worse by an amount than in the champion's first windows.

    Means are weighted by labels; the first windows and the latest ones never overlap. What
    is worse follows from the metric.

    Parameters
    ----------
    metric
        What is measured.
    by
        How much worse, in the metric's own unit.
    reference
        How many of the first windows with labels are the reference.
    windows
        How many of the latest windows with labels are compared with it.

    Examples
    --------
    >>> from tidemill.testing.data import awkward_facts
    >>> decision = DroppedBy(Accuracy(), 0.05)(awkward_facts()["plain"])
    >>> decision.fire, decision.why.split(",")[0]
    (True, 'accuracy 0.8814 over the first 7 windows (700 labels)')
    """

    metric: Annotated[Metric, Has("higher_is_better", "a metric, such as Accuracy()")]
    by: Annotated[float, Between(0, open_low=True)]
    _: KW_ONLY
    reference: Annotated[int, Whole(1)] = 7
    windows: Annotated[int, Whole(1)] = 7

    @property
    def wants(self) -> tuple[Any, ...]:
        return (self.metric,)

    def __call__(self, facts: Facts, /) -> Decision:
        seen = Measured.of(facts, self.metric)
        needed = seen.too_few(self.reference + self.windows)
        if (due := unconditional(facts) or needed) is not None:
            return due
        first, latest = seen[: self.reference], seen[-self.windows :]
        worse = latest.loss - first.loss
        why = (
            f"{self.metric.name} {first.mean:.4f} over the first {first}, "
            f"{latest.mean:.4f} over the latest {latest}: "
            f"worse by {worse:.4f}, {self.by:g} is too much"
        )
        return Decision(fire=worse >= self.by, why=why)

    @classmethod
    def examples(cls) -> Iterator[DroppedBy]:
        yield cls(Accuracy(), 0.05)
        yield cls(LogLoss(), 0.1, reference=3, windows=2)

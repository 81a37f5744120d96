"""Retrain when what the model has lost since it was new adds up to too much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated, Any

import numpy as np

from tidemill.core.limits import Between, Has, Whole
from tidemill.core.rule import rule
from tidemill.core.rules import Facts
from tidemill.core.verdict import Decision
from tidemill.loop.triggers.measured import Measured
from tidemill.loop.triggers.unconditional import unconditional
from tidemill.measures import Accuracy, LogLoss, Metric


@rule
class Staleness:
    """Fire when the loss in excess of the first windows, added up since then, is above a value.

    The sum runs over all windows with labels since the champion went live, ``max(0, loss -
    reference loss)`` in each, times its labels over their mean. So noise adds up too, by about
    0.4 of its standard deviation a window.

    Parameters
    ----------
    metric
        What is measured; for a metric where higher is better, the loss is its fall.
    above
        The sum that is too much, in the metric's unit times windows.
    reference
        How many of the first windows with labels are the reference.

    References
    ----------
    Mahadevan, A. and Mathioudakis, M. (2024). Cost-aware retraining for machine learning.
    Knowledge-Based Systems 293, 111610: the rule CARA-CT, with the measured loss as staleness.

    Examples
    --------
    >>> from tidemill.testing.data import awkward_facts
    >>> Staleness(Accuracy(), 5.0)(awkward_facts()["plain"]).fire
    False
    """

    metric: Annotated[Metric, Has("higher_is_better", "a metric, such as LogLoss()")]
    above: Annotated[float, Between(0)]
    _: KW_ONLY
    reference: Annotated[int, Whole(1)] = 7

    @property
    def wants(self) -> tuple[Any, ...]:
        return (self.metric,)

    def __call__(self, facts: Facts, /) -> Decision:
        seen = Measured.of(facts, self.metric)
        if (due := unconditional(facts) or seen.too_few(self.reference)) is not None:
            return due
        first = seen[: self.reference]
        share = seen.labelled / seen.labelled.mean()
        total = float(np.sum(np.maximum(0.0, seen.losses - first.loss) * share))
        why = (
            f"staleness {total:.4f} in {self.metric.name} over {seen}, "
            f"against {first.mean:.4f} in the first {len(first)}; above {self.above:g} is too much"
        )
        return Decision(fire=total > self.above, why=why)

    @classmethod
    def examples(cls) -> Iterator[Staleness]:
        yield cls(LogLoss(), 1.0)
        yield cls(Accuracy(), 0.5, reference=3)

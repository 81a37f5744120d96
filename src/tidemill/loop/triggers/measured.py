"""The windows of the champion on which a metric could be measured, and how much they say."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidemill.core.rules import Facts, Seen
from tidemill.core.verdict import Decision
from tidemill.measures import Metric


@dataclass(frozen=True)
class Measured:
    """Windows with labels and a finite value of one metric, the oldest first."""

    metric: Metric
    windows: tuple[Seen, ...]

    @classmethod
    def of(cls, facts: Facts, metric: Metric) -> Measured:
        """Return the windows that can be used; the others have no labels, or no value."""
        name = metric.name
        return cls(metric, tuple(w for w in facts.windows if w.labelled > 0 and _known(w, name)))

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, part: slice) -> Measured:
        return Measured(self.metric, self.windows[part])

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """The metric in each window."""
        return np.array([w.values[self.metric.name] for w in self.windows], dtype=np.float64)

    @property
    def losses(self) -> npt.NDArray[np.float64]:
        """The metric with the sign that makes more of it worse; only differences mean anything."""
        return -self.values if self.metric.higher_is_better else self.values

    @property
    def labelled(self) -> npt.NDArray[np.float64]:
        """The number of labels in each window."""
        return np.array([w.labelled for w in self.windows], dtype=np.float64)

    @property
    def mean(self) -> float:
        """The mean of the metric, windows weighted by their labels."""
        return float(np.average(self.values, weights=self.labelled))

    @property
    def loss(self) -> float:
        """The mean of the losses, windows weighted by their labels."""
        return float(np.average(self.losses, weights=self.labelled))

    def __str__(self) -> str:
        n, waiting = len(self), sum(not w.settled for w in self.windows)
        labels = f"{int(self.labelled.sum()):,} labels"
        more = f", {waiting} not settled" if waiting else ""
        return f"{n} window{'s' * (n != 1)} ({labels}{more})"

    def too_few(self, needed: int, what: str = "") -> Decision | None:
        """Return the decision not to fire when there are fewer windows than needed."""
        if len(self) >= needed:
            return None
        why = f"{self.metric.name} is known for {self}, {needed} needed{what}"
        return Decision(fire=False, why=why)


def _known(window: Seen, name: str) -> bool:
    return math.isfinite(window.values.get(name, math.nan))

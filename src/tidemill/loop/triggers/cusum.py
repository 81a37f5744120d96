"""Retrain when small losses, each within noise, add up to a change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from tidemill.core.limits import Between, Has, Whole
from tidemill.core.rule import rule
from tidemill.core.rules import Facts
from tidemill.core.verdict import Decision
from tidemill.loop.triggers.measured import Measured
from tidemill.loop.triggers.unconditional import unconditional
from tidemill.measures import Accuracy, LogLoss, Metric

_NOTHING = 1e-12
"""A spread this small beside the values is rounding."""


@rule
class Cusum:
    """Fire when the one-sided cumulative sum of a metric's excess loss is above a threshold.

    Every window with labels after the reference adds ``z - slack`` to a sum that never falls
    below 0, where z is how much worse it is than the reference windows, in their standard
    deviations; one with fewer labels than they had counts by the root of its share of them.
    Where all reference windows are alike, the deviation of all windows stands in. While the
    sum is above the threshold it fires at each turn: wrap it in a ``Cooldown`` where a
    candidate may be refused. The change it tells is the start of the run that led there.

    With the defaults, normal windows without a change and a reference known exactly, a false
    alarm comes every 930 windows on average, and a shift by one standard deviation is found
    after 10. Seven windows are a rough reference: three champions in ten see a false alarm
    within 60 windows (two with 14, one and a half with 28; one in twenty with one known
    exactly). Take more of them, or a higher threshold, where a retrain is dear.

    Parameters
    ----------
    metric
        What is measured.
    reference
        How many of the first windows with labels are the reference.
    slack
        How much worse is let pass in each window, in standard deviations of the reference.
    threshold
        The sum that is too much, in standard deviations of the reference.

    References
    ----------
    Page, E. S. (1954). Continuous inspection schemes. Biometrika 41, 100-115.
    Jones, L. A., Champ, C. W. and Rigdon, S. E. (2004). The run length distribution of the
    CUSUM with estimated parameters. Journal of Quality Technology 36, 95-108.

    Examples
    --------
    >>> from tidemill.testing.data import awkward_facts
    >>> decision = Cusum(Accuracy())(awkward_facts()["plain"])
    >>> decision.fire, decision.change.isoformat()
    (True, '2024-02-11T00:00:00+00:00')
    """

    metric: Annotated[Metric, Has("higher_is_better", "a metric, such as Accuracy()")]
    _: KW_ONLY
    reference: Annotated[int, Whole(2)] = 7
    slack: Annotated[float, Between(0)] = 0.5
    threshold: Annotated[float, Between(0, open_low=True)] = 5.0

    @property
    def wants(self) -> tuple[Any, ...]:
        return (self.metric,)

    def __call__(self, facts: Facts, /) -> Decision:
        seen = Measured.of(facts, self.metric)
        if (due := unconditional(facts) or seen.too_few(self.reference + 1)) is not None:
            return due
        z = standardised(seen.losses, seen.labelled, self.reference)
        sums = cusum(z, self.slack)
        first, rest = seen[: self.reference], seen[self.reference :]
        why = (
            f"cumulative sum {sums[-1]:.2f} sd of {self.metric.name} over {rest}, against "
            f"{first.mean:.4f} in the first {len(first)}; above {self.threshold:g} is too much"
        )
        if sums[-1] <= self.threshold:
            return Decision(fire=False, why=why)
        still = np.flatnonzero(sums == 0)
        start = rest.windows[int(still[-1]) + 1 if still.size else 0].start
        return Decision(fire=True, why=f"{why}; worse since {start:%Y-%m-%d %H:%M}", change=start)

    @classmethod
    def examples(cls) -> Iterator[Cusum]:
        yield cls(Accuracy())
        yield cls(LogLoss(), reference=14, slack=0.25, threshold=8.0)


def cusum(z: npt.NDArray[np.float64], slack: float) -> npt.NDArray[np.float64]:
    """Return ``S[t] = max(0, S[t-1] + z[t] - slack)``, from ``S[-1] = 0``.

    Examples
    --------
    >>> cusum(np.array([1.0, -3.0, 2.0]), 0.5).tolist()
    [0.5, 0.0, 1.5]
    """
    total = np.cumsum(z - slack)
    return total - np.minimum(np.minimum.accumulate(total), 0.0)


def standardised(
    losses: npt.NDArray[np.float64], labelled: npt.NDArray[np.float64], reference: int
) -> npt.NDArray[np.float64]:
    """Return how far the windows after the first ones are from them, in their deviations.

    Parameters
    ----------
    losses, labelled
        Loss and number of labels of each window, shape (n,).
    reference
        How many of the first ones are the reference.

    Examples
    --------
    >>> losses = np.array([0.1, 0.2, 0.3, 0.4])
    >>> standardised(losses, np.array([50.0, 50.0, 50.0, 50.0]), 3).round(6).tolist()
    [2.0]
    """
    first, labels = losses[:reference], labelled[:reference]
    middle = float(np.average(first, weights=labels))
    sd = _deviation(first, labels)
    if sd <= _NOTHING * abs(middle):
        sd = _deviation(losses, labelled)
    rest = losses[reference:]
    if sd <= _NOTHING * abs(middle):
        return np.zeros_like(rest)
    share = np.minimum(1.0, labelled[reference:] / labels.mean())
    return (rest - middle) / sd * np.sqrt(share)


def _deviation(losses: npt.NDArray[np.float64], labelled: npt.NDArray[np.float64]) -> float:
    """Return the standard deviation of a window with the mean number of labels."""
    weight = labelled / labelled.mean()
    middle = float(np.average(losses, weights=weight))
    return float(np.sqrt(np.sum(weight * (losses - middle) ** 2) / (losses.size - 1)))

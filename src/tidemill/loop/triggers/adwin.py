"""Retrain when no single mean fits all windows of the champion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from tidemill.core.limits import Between, Has
from tidemill.core.rule import rule
from tidemill.core.rules import Facts
from tidemill.core.verdict import Decision
from tidemill.loop.triggers.measured import Measured
from tidemill.loop.triggers.unconditional import unconditional
from tidemill.measures import AUC, Accuracy, Metric


@rule
class Adwin:
    """Fire when some cut of the windows leaves two means that differ by more than chance allows.

    The exact cut test of adaptive windowing, over every cut of the windows with labels, each
    one value in [0, 1]; values outside are moved to its border. It fires when the later part
    is worse; the change it tells is the start of that part.

    It needs many windows in exchange for its guarantee, which supposes nothing but that they
    are independent. With the default, fewer than 69 can never fire; with the change in the
    middle and no noise at all, 90 show a gap of 0.68, 180 of 0.28, 364 of 0.13 and 1500 of
    0.03. So take it with short base windows, or ``Cusum``.

    Parameters
    ----------
    metric
        What is measured, from 0 to 1.
    delta
        The chance of a false alarm each time it is asked, at most.

    References
    ----------
    Bifet, A. and Gavalda, R. (2007). Learning from time-changing data with adaptive
    windowing. SIAM International Conference on Data Mining, 443-448: epsilon_cut with the
    variance, delta divided by the number of windows since all cuts are tried.

    Examples
    --------
    >>> from tidemill.testing.data import awkward_facts
    >>> Adwin(Accuracy())(awkward_facts()["plain"]).fire
    False
    """

    metric: Annotated[Metric, Has("higher_is_better", "a metric, such as Accuracy()")]
    _: KW_ONLY
    delta: Annotated[float, Between(0, 1, open_low=True)] = 0.002

    @property
    def wants(self) -> tuple[Any, ...]:
        return (self.metric,)

    def __call__(self, facts: Facts, /) -> Decision:
        seen = Measured.of(facts, self.metric)
        if (due := unconditional(facts) or seen.too_few(2)) is not None:
            return due
        values = np.clip(seen.values, 0.0, 1.0)
        gaps, least = cuts(-values if self.metric.higher_is_better else values, self.delta)
        best = int(np.argmax(gaps / least))
        at = seen.windows[best + 1].start
        why = (
            f"{self.metric.name} over {seen}: {values[: best + 1].mean():.4f} before "
            f"{at:%Y-%m-%d %H:%M} and {values[best + 1 :].mean():.4f} from then on, worse by "
            f"{gaps[best]:.4f}; above {least[best]:.4f} is no chance"
        )
        fire = bool(gaps[best] > least[best])
        return Decision(fire=fire, why=why, change=at if fire else None)

    @classmethod
    def examples(cls) -> Iterator[Adwin]:
        yield cls(Accuracy())
        yield cls(AUC(), delta=0.05)


def cuts(
    losses: npt.NDArray[np.float64], delta: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return, for each cut, by how much the later mean is higher, and what chance allows.

    Parameters
    ----------
    losses
        One value a window, all within a range of 1; shape (n,), the oldest first.
    delta
        The chance of a false alarm over all cuts.

    Examples
    --------
    >>> gaps, least = cuts(np.repeat([0.0, 1.0], 40), 0.002)
    >>> int(np.argmax(gaps / least)), bool(gaps[39] > least[39])
    (39, True)
    """
    n = losses.size
    before = np.arange(1, n, dtype=np.float64)
    after = n - before
    total = np.cumsum(losses)
    gaps = (total[-1] - total[:-1]) / after - total[:-1] / before
    m = 1 / (1 / before + 1 / after)
    log = np.log(2 * n / delta)
    least = np.sqrt(2 / m * losses.var() * log) + 2 / (3 * m) * log
    return gaps, least

"""The baseline that every estimate without labels must beat: nothing has changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated

from tidemill.core.limits import Whole
from tidemill.core.rule import rule
from tidemill.monitoring.estimates.answered import Answered
from tidemill.monitoring.estimates.protocol import Estimated, Found, estimate
from tidemill.monitoring.estimates.realised import measured
from tidemill.monitoring.estimates.uncertainty import in_window, interval, noise


@rule
class Constant:
    """Say of every window that the model does as it did on the reference.

    The interval allows for the reference and the window being draws; it knows of no change.

    Parameters
    ----------
    least
        Fewest rows of the reference.

    Examples
    --------
    >>> import numpy as np
    >>> right = np.arange(100) % 10 > 0
    >>> old = Answered(output=np.ones(100), label=right.astype(float))
    >>> print(Constant()(old, Answered(output=np.ones(400)), "accuracy"))
    accuracy by constant: 0.9000 [0.8339, 0.9661]
    """

    _: KW_ONLY
    least: Annotated[int, Whole(2)] = 100

    @property
    def name(self) -> str:
        return "constant"

    def __call__(self, reference: Answered, current: Answered, metric: str, /) -> Estimated:
        return estimate(self.name, reference, current, metric, self._work)

    def _work(self, reference: Answered, current: Answered, metric: str) -> Found:
        reference.enough(self.least)
        value, moves = measured(reference, metric, "reference")
        found = noise(moves, reference.weights, reference.day)
        variance = found.variance + in_window(found, current.weights, current.day)
        low, high = interval(value, variance, found.days)
        why = "the reference's own; it looks at nothing in the window"
        return Found(value=value, low=low, high=high, why=why, n_effective=reference.n_effective)

    @classmethod
    def examples(cls) -> Iterator[Constant]:
        """Yield instances for tests and docs."""
        yield cls()
        yield cls(least=1000)

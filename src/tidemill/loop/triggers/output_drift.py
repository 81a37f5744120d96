"""Retrain when the champion answers otherwise than at first; needs no labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any

from tidemill.core.limits import Between, Whole
from tidemill.core.rule import rule
from tidemill.core.rules import Facts, Seen
from tidemill.core.verdict import Decision
from tidemill.loop.triggers.unconditional import unconditional


@rule
class OutputDrift:
    """Fire when the shares of the outputs have been far from the first ones for a while.

    The distance is the largest difference in the share of any one output (L-infinity)
    between a window and the champion's first windows together. One window does not fire:
    ``patience`` in a row must be too far, and the change it tells is the first of them.

    Parameters
    ----------
    distance
        How far is too far, a difference of shares.
    patience
        How many windows in a row must be too far.
    reference
        How many of the first windows with records are the reference.

    References
    ----------
    Lipton, Z. C., Wang, Y.-X. and Smola, A. (2018). Detecting and correcting for label shift
    with black box predictors. International Conference on Machine Learning, 3122-3130.
    Breck, E., Polyzotis, N., Roy, S., Whang, S. E. and Zinkevich, M. (2019). Data validation
    for machine learning. Conference on Machine Learning and Systems: the distance.

    Examples
    --------
    >>> from tidemill.testing.data import awkward_facts
    >>> OutputDrift(distance=0.25)(awkward_facts()["plain"]).fire
    False
    """

    _: KW_ONLY
    distance: Annotated[float, Between(0, 1)] = 0.1
    patience: Annotated[int, Whole(1)] = 2
    reference: Annotated[int, Whole(1)] = 7

    @property
    def wants(self) -> tuple[Any, ...]:
        return ("outputs",)

    def __call__(self, facts: Facts, /) -> Decision:
        if (due := unconditional(facts)) is not None:
            return due
        seen = [w for w in facts.windows if _answered(w)]
        needed = self.reference + self.patience
        if len(seen) < needed:
            why = f"outputs are known for {len(seen)} windows, {needed} needed"
            return Decision(fire=False, why=why)
        first = _together(seen[: self.reference])
        far = [_distance(w.shares, first) for w in seen[self.reference :]]
        latest, output = far[-1]
        run = next((k for k, (d, _) in enumerate(reversed(far)) if d <= self.distance), len(far))
        now = seen[-1].shares.get(output, 0.0)
        why = (
            f"the share of {output!r} is {now:.4f}, {first.get(output, 0.0):.4f} in the first "
            f"{self.reference} windows: {latest:.4f} apart, above {self.distance:g} is too far; "
            f"so for {run} in a row, {self.patience} needed"
        )
        if run < self.patience:
            return Decision(fire=False, why=why)
        return Decision(fire=True, why=why, change=seen[-run].start)

    @classmethod
    def examples(cls) -> Iterator[OutputDrift]:
        yield cls()
        yield cls(distance=0.3, patience=1, reference=3)


def _answered(window: Seen) -> bool:
    shares = window.shares.values()
    return window.records > 0 and bool(shares) and all(map(math.isfinite, shares))


def _together(windows: Sequence[Seen]) -> dict[str, float]:
    """Return the shares over all records of several windows."""
    records = sum(w.records for w in windows)
    outputs = dict.fromkeys(output for w in windows for output in w.shares)
    return {o: sum(w.records * w.shares.get(o, 0.0) for w in windows) / records for o in outputs}


def _distance(shares: Mapping[str, float], first: Mapping[str, float]) -> tuple[float, str]:
    """Return the largest difference of shares and the output it is of; ties go by name."""
    apart = [(abs(shares.get(o, 0.0) - first.get(o, 0.0)), o) for o in {*shares, *first}]
    return max(apart, key=lambda one: (round(one[0], 9), one[1]))

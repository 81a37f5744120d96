"""The candidate must reach a floor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, replace
from typing import Annotated

from tidemill.core.limits import Between, Has
from tidemill.core.rule import rule
from tidemill.core.rules import TestSet
from tidemill.core.verdict import Estimate, Finding, Verdict, at_look
from tidemill.measures import Accuracy, Metric, measure
from tidemill.measures.grouped import truth_for
from tidemill.statistics.share import share_bounds

_ALIKE = 1e-12
"""The width, against the value, below which an interval is zero but for rounding."""


@rule
class AtLeast:
    """Pass when the metric is surely on the good side of a floor.

    OK when the whole interval is on the good side, ALERT when the whole interval is on the
    bad side, NO_VERDICT in between, with too little data, or when all days are exactly alike,
    since then nothing says how far another day may be off. For a metric where lower is better
    the floor is a ceiling.

    The interval leaves out one day at a time. With few errors it is too short, so for a share
    such as accuracy it is widened to the exact one for as many independent rows; a metric of
    your own gets that by saying ``is_share = True``.

    Parameters
    ----------
    metric
        One of :mod:`tidemill.measures`, or your own.
    floor
        The line, in the metric's unit.
    confidence
        Of each one-sided bound.

    Examples
    --------
    >>> AtLeast(Accuracy(), 0.7).floor
    0.7

    References
    ----------
    .. [1] Clopper, Pearson, "The use of confidence or fiducial limits", Biometrika 26, 1934.
    """

    metric: Annotated[Metric, Has("higher_is_better", "a metric, such as Accuracy()")]
    floor: Annotated[float, Between()]
    _: KW_ONLY
    confidence: Annotated[float, Between(0.5, 0.999)] = 0.95

    def __call__(self, test: TestSet, /) -> Finding:
        name = f"{self.metric.name} {'at least' if self.metric.higher_is_better else 'at most'} {self.floor:g}"
        answers = test.answers["candidate"][self.metric.needs]
        found = measure(
            self.metric,
            truth_for(self.metric, test.label, test.groups),
            answers,
            test.weight,
            test.day,
            confidence=at_look(self.confidence, test.look),
            sides=1,
        )
        why = ""
        if not found.known:
            why = f"{found.n} rows on {found.groups} days are too few to tell"
        elif found.high - found.low <= _ALIKE * max(1.0, abs(found.value)):
            why = f"{found.value:.4f} whichever day is left out: no variation to judge by"
        elif getattr(self.metric, "is_share", False):
            found = self._exact(found, test.look)
        numbers = (("candidate", found),)
        if why:
            return Finding(gate=name, verdict=Verdict.NO_VERDICT, why=why, estimates=numbers)
        up = self.metric.higher_is_better
        good = found.low >= self.floor if up else found.high <= self.floor
        bad = found.high < self.floor if up else found.low > self.floor
        verdict = Verdict.OK if good else Verdict.ALERT if bad else Verdict.NO_VERDICT
        words = {
            Verdict.OK: "on the good side of",
            Verdict.ALERT: "on the bad side of",
            Verdict.NO_VERDICT: "on both sides of",
        }
        why = f"{found} lies {words[verdict]} {self.floor:g}"
        return Finding(gate=name, verdict=verdict, why=why, estimates=numbers)

    def _exact(self, found: Estimate, look: int) -> Estimate:
        confidence = at_look(self.confidence, look)
        low, high = share_bounds(found.value, found.n_effective, confidence=confidence)
        return replace(found, low=min(found.low, low), high=max(found.high, high))

    @classmethod
    def examples(cls) -> Iterator[AtLeast]:
        yield cls(Accuracy(), 0.5)

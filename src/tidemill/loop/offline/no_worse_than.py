"""The candidate must not be worse than the model in front of users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated

from tidemill.core.limits import Between, Has, OneOf
from tidemill.core.rule import rule
from tidemill.core.rules import TestSet
from tidemill.core.verdict import Finding, Verdict, at_look
from tidemill.measures import Accuracy, Metric, measure, measure_difference
from tidemill.measures.grouped import truth_for


@rule
class NoWorseThan:
    """Pass when the candidate is surely not worse than the champion by more than a margin.

    Both answer the same rows, so the difference is paired; its interval comes from leaving
    out one day at a time. OK when the lower bound is above minus the margin, ALERT when the
    upper bound is below it, else NO_VERDICT: the champion stays.

    Parameters
    ----------
    other
        ``"champion"``.
    metric
        One of :mod:`tidemill.measures`, or your own.
    margin
        The loss you would accept, in the metric's unit, at least 0.
    confidence
        Of each one-sided bound.

    Examples
    --------
    >>> NoWorseThan("champion", Accuracy(), margin=0.01).margin
    0.01
    """

    other: Annotated[str, OneOf(("champion",))]
    metric: Annotated[Metric, Has("higher_is_better", "a metric, such as Accuracy()")]
    _: KW_ONLY
    margin: Annotated[float, Between(0)] = 0.0
    confidence: Annotated[float, Between(0.5, 0.999)] = 0.95

    def __call__(self, test: TestSet, /) -> Finding:
        name = f"{self.metric.name} no worse than the {self.other}, margin {self.margin:g}"
        if self.other not in test.answers:
            return Finding(gate=name, verdict=Verdict.OK, why="there is no champion yet")
        needs = self.metric.needs
        sides = {k: test.answers[k][needs] for k in ("candidate", self.other)}
        truth = truth_for(self.metric, test.label, test.groups)
        found = measure_difference(
            self.metric,
            truth,
            sides["candidate"],
            sides[self.other],
            test.weight,
            test.day,
            confidence=at_look(self.confidence, test.look),
            sides=1,
        )
        each = [
            (k, measure(self.metric, truth, a, test.weight, test.day)) for k, a in sides.items()
        ]
        numbers = (("difference", found), *each)
        if not found.known:
            why = f"{found.n} rows on {found.groups} days are too few to tell"
            return Finding(gate=name, verdict=Verdict.NO_VERDICT, why=why, estimates=numbers)
        if found.low > -self.margin or found.low == found.high == 0 == self.margin:
            verdict, words = Verdict.OK, "is above"
        elif found.high < -self.margin:
            verdict, words = Verdict.ALERT, "is below"
        else:
            verdict, words = Verdict.NO_VERDICT, "may or may not be above"
        why = f"the difference {found} {words} {0 - self.margin:g}"
        return Finding(gate=name, verdict=verdict, why=why, estimates=numbers)

    @classmethod
    def examples(cls) -> Iterator[NoWorseThan]:
        yield cls("champion", Accuracy(), margin=0.02)

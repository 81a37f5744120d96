"""Retrain when it is expected to earn what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated, Any

from tidemill.core.durations import duration
from tidemill.core.limits import Between, Has, Span, Whole
from tidemill.core.rule import rule
from tidemill.core.rules import Facts
from tidemill.core.verdict import Decision
from tidemill.loop.triggers.forecast import next_fit
from tidemill.loop.triggers.measured import Measured
from tidemill.loop.triggers.unconditional import unconditional
from tidemill.measures import MAE, Accuracy, Metric


@rule
class Return:
    """Fire when the expected gain of a retrain, over its cost, is above a required return.

    The gain supposes that a new model is as good as the champion was at first: the loss now,
    over the latest windows with labels, less that of the first ones, for each record that is
    expected over the horizon, at the price of an error. The cost is that of the fit, of the
    labels that came since the last one and of the review.

    Parameters
    ----------
    metric
        What is measured, in errors a record: ``Accuracy()`` where the price sheet has the
        price of a wrong answer, ``MAE()`` where it has that of a unit of error.
    above
        The required return; 1 means it pays for itself.
    horizon
        How long a retrain is supposed to help.
    reference
        How many of the first windows with labels, and of the latest, are compared.

    References
    ----------
    Zliobaite, I., Budka, M. and Stahl, F. (2015). Towards cost-sensitive adaptation: when is
    it worth updating your predictive model? Neurocomputing 150, 240-249.

    Examples
    --------
    >>> from tidemill.testing.data import awkward_facts
    >>> Return(Accuracy(), 2.0)(awkward_facts()["plain"]).fire
    True
    """

    metric: Annotated[Metric, Has("higher_is_better", "a metric, such as Accuracy()")]
    above: Annotated[float, Between(0)] = 1.0
    _: KW_ONLY
    horizon: Annotated[str, Span()] = "28d"
    reference: Annotated[int, Whole(1)] = 7

    @property
    def wants(self) -> tuple[Any, ...]:
        return (self.metric, "counts")

    def __call__(self, facts: Facts, /) -> Decision:
        seen = Measured.of(facts, self.metric)
        needed = seen.too_few(2 * self.reference)
        if (due := unconditional(facts) or needed) is not None:
            return due
        fit, costs = next_fit(facts), facts.costs
        if isinstance(fit, str) or costs is None:
            return Decision(fire=False, why=str(fit))
        labels = facts.labels * costs.label
        cost = fit.price + labels + costs.review
        if cost <= 0 or costs.error <= 0:
            what = "an error" if cost > 0 else f"a retrain ({fit})"
            why = f"cannot tell: {what} costs nothing by the price sheet"
            return Decision(fire=False, why=why)
        first, latest = seen[: self.reference], seen[-self.reference :]
        records = expected_records(latest, self.horizon)
        gain = (latest.loss - first.loss) * records * costs.error
        why = (
            f"{self.metric.name} {first.mean:.4f} over the first {first}, {latest.mean:.4f} over "
            f"the latest {latest}; {records:,.0f} records in {self.horizon} gain {gain:.4g} "
            f"{costs.currency}, a retrain costs {cost:.4g} ({fit.price:.4g} for {fit}, {labels:.4g} "
            f"for {facts.labels:,} labels, {costs.review:.4g} for the review): "
            f"return {gain / cost:.4g}, above {self.above:g} is wanted"
        )
        return Decision(fire=gain / cost > self.above, why=why)

    @classmethod
    def examples(cls) -> Iterator[Return]:
        yield cls(Accuracy())
        yield cls(MAE(), 2.0, horizon="90d", reference=14)


def expected_records(seen: Measured, horizon: str) -> float:
    """Return how many records come in a time, at the rate of these windows."""
    seconds = sum((w.end - w.start).total_seconds() for w in seen.windows)
    records = sum(w.records for w in seen.windows)
    return records / seconds * duration(horizon).total_seconds() if seconds > 0 else 0.0

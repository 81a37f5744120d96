"""Retrain when data that waits has cost as much as a fit would; needs no labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from datetime import datetime, timedelta
from typing import Annotated, Any

from tidemill.core.durations import duration
from tidemill.core.limits import Between, Span
from tidemill.core.rule import rule
from tidemill.core.rules import Facts, Seen
from tidemill.core.verdict import Decision
from tidemill.loop.triggers.forecast import next_fit
from tidemill.loop.triggers.unconditional import FIRST, unconditional

_FAR = timedelta(days=3650)


@rule
class LatencyCost:
    """Fire when the regret of not having learnt from what came is the price of a fit.

    Each record that came since the last retrain costs ``price`` for every ``per`` it waits,
    as an even stream within its window. That is money, and so is the forecast of the fit:
    its seconds, by a line through the fits so far, times the price of a second. As in renting
    skis, waiting and fits together then cost at most twice what the best moments would have,
    as far as the forecast is right.

    Parameters
    ----------
    price
        What one waiting record costs for each ``per``, in the currency of the price sheet.
    per
        The time that price is for.

    References
    ----------
    Tian, H., Yu, M. and Wang, W. (2018). Continuum: a platform for cost-aware, low-latency
    continual learning. ACM Symposium on Cloud Computing, 26-40: the cost-aware policy.

    Examples
    --------
    >>> from tidemill.testing.data import awkward_facts
    >>> LatencyCost(0.001, per="1d")(awkward_facts()["plain"]).fire
    True
    """

    price: Annotated[float, Between(0, open_low=True)]
    _: KW_ONLY
    per: Annotated[str, Span()] = "1h"

    @property
    def wants(self) -> tuple[Any, ...]:
        return ("counts",)

    def __call__(self, facts: Facts, /) -> Decision:
        due = unconditional(facts)
        if due is not None or facts.last_triggered is None:
            return due or FIRST
        fit = next_fit(facts)
        if isinstance(fit, str):
            return Decision(fire=False, why=fit)
        if fit.price <= 0:
            why = f"cannot tell: a fit costs nothing ({fit}), at the price of a second of training"
            return Decision(fire=False, why=why)
        records = sum(w.records for w in facts.arrived)
        waited = record_seconds(facts.arrived, facts.last_triggered, facts.now)
        unit = duration(self.per).total_seconds()
        regret = waited / unit * self.price
        why = (
            f"{records:,} records waited {waited / unit:.4g} times {self.per} together, "
            f"regret {_money(facts, regret)} at {self.price:g} each; "
            f"a fit costs {_money(facts, fit.price)} ({fit})"
        )
        if regret >= fit.price:
            return Decision(fire=True, why=why)
        if not records:
            return Decision(fire=False, why=why)
        left = (fit.price - regret) / (records * self.price) * unit
        later = facts.now + timedelta(seconds=left + 1) if left < _FAR.total_seconds() else None
        return Decision(fire=False, why=why, next_due=later)

    @classmethod
    def examples(cls) -> Iterator[LatencyCost]:
        yield cls(0.001)
        yield cls(0.01, per="1d")


def record_seconds(arrived: tuple[Seen, ...], since: datetime, now: datetime) -> float:
    """Return how many seconds all records that came since then have waited, added up.

    Examples
    --------
    >>> from tidemill.core.clock import instant
    >>> day = Seen(start=instant("2013-01-07"), end=instant("2013-01-08"), records=2,
    ...            labelled=0, settled=False)
    >>> record_seconds((day,), instant("2013-01-07"), instant("2013-01-08")) / 3600
    24.0
    """
    total = 0.0
    for window in arrived:
        start, end = max(window.start, since), min(window.end, now)
        middle = start + (end - start) / 2
        total += window.records * max(0.0, (now - middle).total_seconds())
    return total


def _money(facts: Facts, amount: float) -> str:
    return f"{amount:.4g} {facts.costs.currency if facts.costs else ''}".strip()

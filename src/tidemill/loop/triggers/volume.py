"""Retrain when enough has come in: records, or labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from tidemill.core.limits import Whole
from tidemill.core.rule import rule
from tidemill.core.rules import Facts
from tidemill.core.verdict import Decision
from tidemill.loop.triggers.unconditional import unconditional


@rule
class Records:
    """Fire when so many records have come since the last retrain.

    Parameters
    ----------
    n
        How many, at least.

    Examples
    --------
    >>> from tidemill.core.clock import instant
    >>> facts = Facts(now=instant("2013-01-14"), last_triggered=instant("2013-01-07"),
    ...               asked=None, records=1200)
    >>> Records(5000)(facts).why
    '1,200 records since the last retrain, 5,000 needed'
    """

    n: Annotated[int, Whole(1)]

    @property
    def wants(self) -> tuple[Any, ...]:
        return ("counts",)

    def __call__(self, facts: Facts, /) -> Decision:
        return unconditional(facts) or _enough(facts.records, self.n, "records")

    @classmethod
    def examples(cls) -> Iterator[Records]:
        yield cls(10_000)


@rule
class Labels:
    """Fire when so many labels have become final since the last retrain.

    Parameters
    ----------
    n
        How many, at least.

    Examples
    --------
    >>> from tidemill.core.clock import instant
    >>> facts = Facts(now=instant("2013-01-14"), last_triggered=instant("2013-01-07"),
    ...               asked=None, labels=600)
    >>> Labels(500)(facts).why
    '600 labels since the last retrain, 500 needed'
    """

    n: Annotated[int, Whole(1)]

    @property
    def wants(self) -> tuple[Any, ...]:
        return ("counts",)

    def __call__(self, facts: Facts, /) -> Decision:
        return unconditional(facts) or _enough(facts.labels, self.n, "labels")

    @classmethod
    def examples(cls) -> Iterator[Labels]:
        yield cls(500)


def _enough(have: int, need: int, what: str) -> Decision:
    why = f"{have:,} {what} since the last retrain, {need:,} needed"
    return Decision(fire=have >= need, why=why)

"""Retrain only so often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, replace
from typing import Annotated, Any

from tidemill.core.durations import duration
from tidemill.core.limits import Has, Span, Whole
from tidemill.core.rule import rule
from tidemill.core.rules import Facts, Trigger
from tidemill.core.verdict import Decision
from tidemill.loop.triggers.composition import named
from tidemill.loop.triggers.cusum import Cusum
from tidemill.measures import Accuracy


@rule
class Budget:
    """Hold a trigger back when so many retrains were triggered within some time.

    Every retrain counts, whoever asked for it and whatever became of it. A first model is not
    held back, nor is a person who asks.

    Parameters
    ----------
    trigger
        What is held back.
    n
        How many retrains, at most.
    per
        In how much time, up to now.

    Examples
    --------
    >>> from tidemill.core.clock import instant
    >>> from tidemill.loop.triggers.every import Every
    >>> facts = Facts(now=instant("2013-01-14"), last_triggered=instant("2013-01-07"), asked=None,
    ...               triggered=(instant("2013-01-01"), instant("2013-01-07")))
    >>> decision = Budget(Every("7d"), 2, per="30d")(facts)
    >>> decision.fire, decision.next_due.isoformat()
    (False, '2013-01-31T00:00:00+00:00')
    """

    trigger: Annotated[Trigger, Has("wants", "a trigger, such as Every('7d')")]
    n: Annotated[int, Whole(1)]
    _: KW_ONLY
    per: Annotated[str, Span()] = "365d"

    @property
    def wants(self) -> tuple[Any, ...]:
        return self.trigger.wants

    def __call__(self, facts: Facts, /) -> Decision:
        said = self.trigger(facts)
        if facts.asked or facts.last_triggered is None:
            return said
        span = duration(self.per)
        spent = sorted(at for at in facts.triggered if at + span > facts.now)
        if len(spent) < self.n:
            return said
        free = spent[-self.n] + span
        if not said.fire:
            return replace(said, next_due=said.next_due and max(said.next_due, free))
        why = (
            f"held back: {len(spent)} retrains in {self.per}, at most {self.n} "
            f"({named(self.trigger, said)})"
        )
        return replace(said, fire=False, why=why, next_due=free)

    @classmethod
    def examples(cls) -> Iterator[Budget]:
        yield cls(Cusum(Accuracy()), 12)
        yield cls(Cusum(Accuracy()), 2, per="30d")

"""Retrain in the end, whatever another trigger says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

from tidemill.core.durations import duration, words
from tidemill.core.limits import Has, Span
from tidemill.core.rule import rule
from tidemill.core.rules import Facts, Trigger
from tidemill.core.verdict import Decision
from tidemill.loop.triggers.composition import named
from tidemill.loop.triggers.cusum import Cusum
from tidemill.measures import Accuracy


@rule
class MaximumAge:
    """Fire with another trigger, and when the last retrain is so long ago.

    Parameters
    ----------
    trigger
        The other one.
    span
        The time between retrains, at most.

    Examples
    --------
    >>> from tidemill.core.clock import instant
    >>> from tidemill.loop.triggers.volume import Labels
    >>> facts = Facts(now=instant("2013-04-14"), labels=80,
    ...               last_triggered=instant("2013-01-07"), asked=None)
    >>> MaximumAge(Labels(500), "90d")(facts).why
    '97d since the last retrain, at most 90d (Labels: 80 labels since the last retrain, 500 needed)'
    """

    trigger: Annotated[Trigger, Has("wants", "a trigger, such as Cusum(Accuracy())")]
    span: Annotated[str, Span()]

    @property
    def wants(self) -> tuple[Any, ...]:
        return self.trigger.wants

    def __call__(self, facts: Facts, /) -> Decision:
        said = self.trigger(facts)
        if said.fire or facts.last_triggered is None:
            return said
        over = facts.last_triggered + duration(self.span)
        if facts.now < over:
            return replace(said, next_due=min(over, said.next_due or over))
        passed = words(facts.now - facts.last_triggered)
        why = f"{passed} since the last retrain, at most {self.span} ({named(self.trigger, said)})"
        return replace(said, fire=True, why=why, next_due=None)

    @classmethod
    def examples(cls) -> Iterator[MaximumAge]:
        yield cls(Cusum(Accuracy()), "90d")

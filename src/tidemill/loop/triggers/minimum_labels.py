"""Retrain only when there is something new to learn from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

from tidemill.core.limits import Has, Whole
from tidemill.core.rule import rule
from tidemill.core.rules import Facts, Trigger
from tidemill.core.verdict import Decision
from tidemill.loop.triggers.composition import named
from tidemill.loop.triggers.every import Every


@rule
class MinimumLabels:
    """Hold a trigger back until so many labels have become final since the last retrain.

    A first model is not held back, nor is a person who asks.

    Parameters
    ----------
    trigger
        What is held back.
    n
        How many labels, at least.

    Examples
    --------
    >>> from tidemill.core.clock import instant
    >>> facts = Facts(now=instant("2013-01-14"), labels=80,
    ...               last_triggered=instant("2013-01-07"), asked=None)
    >>> MinimumLabels(Every("7d"), 100)(facts).why
    'held back: 80 new labels, 100 needed (Every: 7d since the last retrain, every 7d)'
    """

    trigger: Annotated[Trigger, Has("wants", "a trigger, such as Every('7d')")]
    n: Annotated[int, Whole(1)]

    @property
    def wants(self) -> tuple[Any, ...]:
        return tuple(dict.fromkeys((*self.trigger.wants, "counts")))

    def __call__(self, facts: Facts, /) -> Decision:
        said = self.trigger(facts)
        first = facts.asked or facts.last_triggered is None
        if first or not said.fire or facts.labels >= self.n:
            return said
        why = (
            f"held back: {facts.labels:,} new labels, {self.n:,} needed "
            f"({named(self.trigger, said)})"
        )
        return replace(said, fire=False, why=why, next_due=None)

    @classmethod
    def examples(cls) -> Iterator[MinimumLabels]:
        yield cls(Every("7d"), 500)

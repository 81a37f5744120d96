"""Leave time between retrains."""

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
class Cooldown:
    """Hold a trigger back until so much time has passed since the last retrain.

    A first model is not held back, nor is a person who asks.

    Parameters
    ----------
    trigger
        What is held back.
    span
        The time between retrains, at least.

    Examples
    --------
    >>> from tidemill.core.clock import instant
    >>> from tidemill.loop.triggers.volume import Labels
    >>> facts = Facts(now=instant("2013-01-09"), labels=600,
    ...               last_triggered=instant("2013-01-07"), asked=None)
    >>> Cooldown(Labels(500), "7d")(facts).why
    'held back: 2d since the last retrain, 7d must pass (Labels: 600 labels since the last retrain, 500 needed)'
    """

    trigger: Annotated[Trigger, Has("wants", "a trigger, such as Every('7d')")]
    span: Annotated[str, Span()]

    @property
    def wants(self) -> tuple[Any, ...]:
        return self.trigger.wants

    def __call__(self, facts: Facts, /) -> Decision:
        said = self.trigger(facts)
        if facts.asked or facts.last_triggered is None:
            return said
        over = facts.last_triggered + duration(self.span)
        if facts.now >= over:
            return said
        if not said.fire:
            return replace(said, next_due=said.next_due and max(said.next_due, over))
        passed = words(facts.now - facts.last_triggered)
        why = (
            f"held back: {passed} since the last retrain, {self.span} must pass "
            f"({named(self.trigger, said)})"
        )
        return replace(said, fire=False, why=why, next_due=over)

    @classmethod
    def examples(cls) -> Iterator[Cooldown]:
        yield cls(Cusum(Accuracy()), "7d")

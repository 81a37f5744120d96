"""Retrain on a fixed schedule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from tidemill.core.durations import duration, words
from tidemill.core.limits import Span
from tidemill.core.rule import rule
from tidemill.core.rules import Facts
from tidemill.core.verdict import Decision


@rule
class Every:
    """Fire when so much time has passed since the last retrain.

    The first time it fires as soon as there is anything to learn from.

    Parameters
    ----------
    period
        Time between retrains.

    Examples
    --------
    >>> from tidemill.core.clock import instant
    >>> facts = Facts(now=instant("2013-01-14"),
    ...               last_triggered=instant("2013-01-07"), asked=None)
    >>> Every("7d")(facts).why
    '7d since the last retrain, every 7d'
    """

    period: Annotated[str, Span()]

    @property
    def wants(self) -> tuple[Any, ...]:
        return ()

    def __call__(self, facts: Facts, /) -> Decision:
        if facts.asked:
            return Decision(fire=True, why=f"asked for by {facts.asked}")
        if facts.last_triggered is None:
            return Decision(fire=True, why="no model was trained yet")
        due = facts.last_triggered + duration(self.period)
        passed = words(facts.now - facts.last_triggered)
        if facts.now >= due:
            why = f"{passed} since the last retrain, every {self.period}"
            return Decision(fire=True, why=why)
        why = f"only {passed} since the last retrain, every {self.period}"
        return Decision(fire=False, why=why, next_due=due)

    @classmethod
    def examples(cls) -> Iterator[Every]:
        yield cls("7d")

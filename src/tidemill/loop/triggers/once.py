"""Train a first model and keep it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tidemill.core.rule import rule
from tidemill.core.rules import Facts
from tidemill.core.verdict import Decision
from tidemill.loop.triggers.unconditional import unconditional


@rule
class Once:
    """Fire for the first model only: what never retraining would have cost.

    A person may still ask.

    Examples
    --------
    >>> from tidemill.core.clock import instant
    >>> facts = Facts(now=instant("2013-01-14"),
    ...               last_triggered=instant("2013-01-07"), asked=None)
    >>> Once()(facts).why
    'a model was trained at 2013-01-07, once is enough'
    """

    @property
    def wants(self) -> tuple[Any, ...]:
        return ()

    def __call__(self, facts: Facts, /) -> Decision:
        if (due := unconditional(facts)) is not None:
            return due
        why = f"a model was trained at {facts.last_triggered:%Y-%m-%d}, once is enough"
        return Decision(fire=False, why=why)

    @classmethod
    def examples(cls) -> Iterator[Once]:
        yield cls()

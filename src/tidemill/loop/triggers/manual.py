"""Retrain when a person asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tidemill.core.rule import rule
from tidemill.core.rules import Facts
from tidemill.core.verdict import Decision


@rule
class Manual:
    """Fire only when somebody asks, with ``tidemill run --retrain``.

    Examples
    --------
    >>> from tidemill.core.clock import instant
    >>> facts = Facts(now=instant("2013-01-14"), last_triggered=None, asked="ana")
    >>> Manual()(facts)
    Decision(fire=True, why='asked for by ana', next_due=None, change=None)
    """

    @property
    def wants(self) -> tuple[Any, ...]:
        return ()

    def __call__(self, facts: Facts, /) -> Decision:
        if facts.asked:
            return Decision(fire=True, why=f"asked for by {facts.asked}")
        return Decision(fire=False, why="nobody asked for a retrain")

    @classmethod
    def examples(cls) -> Iterator[Manual]:
        yield cls()

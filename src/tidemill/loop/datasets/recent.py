"""Learn from the last days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

import ibis
from ibis.expr import types as ir

from tidemill.core.durations import duration
from tidemill.core.limits import Span
from tidemill.core.rule import rule
from tidemill.core.rules import Past


@rule
class Recent:
    """Learn from the labelled records whose prediction is no older than ``past``.

    Parameters
    ----------
    past
        How far to look back from now.

    Examples
    --------
    >>> Recent("30d").window.days
    30
    """

    past: Annotated[str, Span()]

    @property
    def window(self) -> timedelta:
        return duration(self.past)

    @property
    def remembers(self) -> bool:
        return False

    def __call__(self, reservoir: ir.Table, past: Past, /) -> ir.Table:
        start = ibis.literal(past.now - self.window, type="timestamp('UTC', 6)")
        return reservoir.filter(reservoir.predicted_at >= start)

    @classmethod
    def examples(cls) -> Iterator[Recent]:
        yield cls("30d")

"""Learn from everything, the older the less."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from datetime import UTC, timedelta
from typing import Annotated, Any

import ibis
from ibis.expr import types as ir

from tidemill.core.as_of import moment
from tidemill.core.durations import duration
from tidemill.core.limits import Span
from tidemill.core.rule import rule
from tidemill.core.rules import Past

_FAINTEST = 1000.0
"""Half lives after which a record fades no more: no engine may take it for zero."""


@rule
class Fading:
    """Learn from labelled records that count half as much with each half life.

    In training a record's weight is multiplied by 2^(-age / half_life), its ``emphasis``. Engines agree on the power to
    about 15 digits but not to the last bit, and on the age to a second, so a dataset formed
    again on another engine may have another digest; all other dataset rules have not.

    That says what to learn from, not how often things are: rows held out for a test keep their
    own weights, so that a gate measures the whole time that was held out alike.

    Parameters
    ----------
    half_life
        The age at which a record counts half.
    past
        How far to look back from now.

    Examples
    --------
    >>> Fading("30d").window.days
    365

    References
    ----------
    .. [1] Koychev, "Gradual forgetting for adaptation to concept drift", ECAI workshop, 2000.
    """

    half_life: Annotated[str, Span()]
    _: KW_ONLY
    past: Annotated[str, Span()] = "365d"

    @property
    def window(self) -> timedelta:
        return duration(self.past)

    @property
    def remembers(self) -> bool:
        return False

    def __call__(self, reservoir: ir.Table, past: Past, /) -> ir.Table:
        rows = reservoir.filter(reservoir.predicted_at >= moment(past.now - self.window))
        now = past.now.astimezone(UTC).timestamp()
        predicted: Any = rows.predicted_at
        lives: Any = (now - predicted.epoch_seconds()) / duration(self.half_life).total_seconds()
        lives = ibis.greatest(ibis.least(lives, _FAINTEST), 0.0)
        return rows.mutate(emphasis=ibis.literal(2.0) ** (0.0 - lives))

    @classmethod
    def examples(cls) -> Iterator[Fading]:
        yield cls("30d")
        yield cls("12h", past="20d")

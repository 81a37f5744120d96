"""Learn from what the champion could not know when it was trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated

from ibis.expr import types as ir

from tidemill.core.as_of import moment
from tidemill.core.durations import duration
from tidemill.core.limits import Span
from tidemill.core.rule import rule
from tidemill.core.rules import Past


@rule
class New:
    """Learn from the labelled records that are new since the champion's retrain was triggered.

    For models that are continued rather than trained from scratch. New is what was predicted
    less than ``delay`` before that retrain, or later, or arrived later; so what a candidate
    learnt that was refused, or taken back, comes again. A ``delay`` that is too long shows some
    rows twice; one that is too short loses rows. Rows held out for the champion's test are not
    new either: ``at_least`` brings them back. Without a champion all rows are new.

    Parameters
    ----------
    delay
        How long it takes after its prediction until a record is chosen and its label final:
        a window of curation, and the label rule's ``final_after``.
    at_least
        How far to look back from now in any case; None is no further than what is new.

    Examples
    --------
    >>> New(delay="14d", at_least="30d")
    New(delay='14d', at_least='30d')
    """

    _: KW_ONLY
    delay: Annotated[str, Span(zero=True)] = "0s"
    at_least: Annotated[str, Span()] | None = None

    @property
    def window(self) -> None:
        return None

    @property
    def remembers(self) -> bool:
        return True

    def __call__(self, reservoir: ir.Table, past: Past, /) -> ir.Table:
        last = past.champion_triggered
        if last is None:
            return reservoir
        since = last - duration(self.delay)
        new = (reservoir.predicted_at > moment(since)) | (reservoir.available_at > moment(last))
        if self.at_least is not None:
            start = moment(past.now - duration(self.at_least))
            new |= reservoir.predicted_at >= start
        return reservoir.filter(new)

    @classmethod
    def examples(cls) -> Iterator[New]:
        yield cls()
        yield cls(delay="7d", at_least="14d")

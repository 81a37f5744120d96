"""Learn from what came after the last change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from datetime import timedelta
from typing import Annotated

from ibis.expr import types as ir

from tidemill.core.as_of import moment
from tidemill.core.durations import duration
from tidemill.core.errors import BadValue
from tidemill.core.limits import Span
from tidemill.core.rule import rule
from tidemill.core.rules import Past


@rule
class SinceChange:
    """Learn from the labelled records predicted since data last changed.

    When it changed is what the last trigger to see a change said. As long as none did,
    everything within ``at_most`` counts.

    Parameters
    ----------
    at_least
        How far to look back even when the change is younger: a model needs some rows.
    at_most
        How far to look back at most; None is for ever.

    Examples
    --------
    >>> SinceChange(at_most="180d").window.days
    180

    References
    ----------
    .. [1] Gama et al., "Learning with drift detection", SBIA, 2004.
    """

    _: KW_ONLY
    at_least: Annotated[str, Span()] = "14d"
    at_most: Annotated[str, Span()] | None = None

    def __post_init__(self) -> None:
        if self.at_most is not None and duration(self.at_most) < duration(self.at_least):
            raise BadValue(
                f"SinceChange(at_least={self.at_least!r}, at_most={self.at_most!r}): at_least "
                "is longer than at_most.",
                fix="pass at_most as the longer of the two.",
            )

    @property
    def window(self) -> timedelta | None:
        return None if self.at_most is None else duration(self.at_most)

    @property
    def remembers(self) -> bool:
        return True

    def __call__(self, reservoir: ir.Table, past: Past, /) -> ir.Table:
        starts = [] if self.window is None else [past.now - self.window]
        if past.last_change is not None:
            starts.append(min(past.last_change, past.now - duration(self.at_least)))
        if not starts:
            return reservoir
        return reservoir.filter(reservoir.predicted_at >= moment(max(starts)))

    @classmethod
    def examples(cls) -> Iterator[SinceChange]:
        yield cls()
        yield cls(at_least="3d", at_most="20d")

"""A limit that was agreed, such as "at most 2 % errors"."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Annotated

from tidemill.core.errors import BadValue
from tidemill.core.limits import Between, Whole
from tidemill.core.rule import rule
from tidemill.core.signals import Judgement, Point
from tidemill.monitoring.verdicts.beyond import beyond
from tidemill.monitoring.verdicts.series import Series, no_verdict, unmeasured


@rule
class Limit:
    """Is the signal beyond a limit, and by more than chance?

    ALERT when the value is beyond and its interval, stretched to ``alpha``, is too; WARN when
    only the value is. A value without an interval is taken as it is, given enough rows. Of two
    limits, each may err with half of ``alpha``.

    Parameters
    ----------
    at_most
        The highest value that is allowed; None for no such limit.
    at_least
        The lowest value that is allowed; None for no such limit.
    band
        How near to the limit a value that is allowed is a WARN, in the unit of the signal.
    least
        Fewer rows without an interval give no verdict, and so do fewer rows whose interval
        reaches across the limit.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> day = datetime(2024, 1, 1, tzinfo=UTC)
    >>> point = Point(start=day, end=day + timedelta(days=1), value=0.031, low=0.027, high=0.036, n=6000)
    >>> said = Limit(at_most=0.02)([point], alpha=0.01)
    >>> said.verdict.value, said.why
    ('ALERT', '0.031 of 6,000 rows; at most 0.02 is allowed; by chance with p = 3.5e-08')
    """

    _: KW_ONLY
    at_most: Annotated[float, Between()] | None = None
    at_least: Annotated[float, Between()] | None = None
    band: Annotated[float, Between(0)] = 0.0
    least: Annotated[int, Whole(1)] = 30

    def __post_init__(self) -> None:
        if self.at_most is None and self.at_least is None:
            raise BadValue("Limit() has no limit.", fix="pass at_most or at_least.")
        if self.at_most is not None and self.at_least is not None and self.at_least > self.at_most:
            raise BadValue(
                f"Limit(at_most={self.at_most!r}, at_least={self.at_least!r}) allows no value.",
                fix="pass at_least no larger than at_most.",
            )

    def __call__(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        series = Series.of(points)
        if series is None:
            return no_verdict("no windows yet")
        low = -math.inf if self.at_least is None else float(self.at_least)
        high = math.inf if self.at_most is None else float(self.at_most)
        return unmeasured(series.last) or beyond(
            series.last, low, high, alpha=alpha, band=self.band, least=self.least
        )

    @classmethod
    def examples(cls) -> Iterator[Limit]:
        yield cls(at_most=0.02)
        yield cls(at_least=0.8, band=0.05, least=100)

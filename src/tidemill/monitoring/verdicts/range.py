"""A range that was specified, such as "between 900 and 1,100"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Annotated

from tidemill.core.errors import BadValue
from tidemill.core.limits import Between, Whole
from tidemill.core.rule import rule
from tidemill.core.signals import Judgement, Point
from tidemill.monitoring.verdicts.limit import Limit


@rule
class Range:
    """Is the signal outside a range, and by more than chance?

    A :class:`Limit` on either side.

    Parameters
    ----------
    low, high
        The lowest and the highest value that are allowed.
    band
        How near to an end a value that is allowed is a WARN, in the unit of the signal.
    least
        Fewer rows without an interval give no verdict, and so do fewer rows whose interval
        reaches across an end.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> day = datetime(2024, 1, 1, tzinfo=UTC)
    >>> point = Point(start=day, end=day + timedelta(days=1), value=0.49, low=0.46, high=0.52, n=1000)
    >>> said = Range(0.5, 0.6)([point], alpha=0.01)
    >>> said.verdict.value, said.why
    ('WARN', '0.49 of 1,000 rows; 0.5 to 0.6 is allowed; it may be chance: 0.4506 to 0.5294 at alpha 0.005')
    """

    low: Annotated[float, Between()]
    high: Annotated[float, Between()]
    _: KW_ONLY
    band: Annotated[float, Between(0)] = 0.0
    least: Annotated[int, Whole(1)] = 30

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise BadValue(
                f"Range(low={self.low!r}, high={self.high!r}) allows no value.",
                fix="pass low no larger than high.",
            )

    def __call__(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        limit = Limit(at_least=self.low, at_most=self.high, band=self.band, least=self.least)
        return limit(points, alpha=alpha)

    @classmethod
    def examples(cls) -> Iterator[Range]:
        yield cls(0.5, 0.6)
        yield cls(900.0, 1100.0, band=20.0, least=1)

"""The range a value should be in, given weekday, hour, trend and holidays."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import date
from typing import Annotated, Any

import numpy as np

from tidemill.core.durations import duration
from tidemill.core.limits import Between, OneOf, Span, Whole
from tidemill.core.rule import rule
from tidemill.core.signals import Judgement, Point
from tidemill.monitoring.verdicts.expected import Expected
from tidemill.monitoring.verdicts.series import Series, no_verdict, unmeasured
from tidemill.statistics.on_scales import range_on_scales
from tidemill.statistics.seasons import SEASONS, seasons

_A_DAY = 1.01
"""Windows longer than a day belong to no one weekday or holiday alone."""


@dataclass(frozen=True)
class Zone:
    """The name of a time zone."""

    def broken(self, value: object) -> str | None:
        must = "the name of a time zone, such as 'Europe/Berlin'"
        if not isinstance(value, str):
            return must
        try:
            zoneinfo.ZoneInfo(value)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            return must
        return None

    def bad(self) -> Iterator[object]:
        yield from ("Europe/Nowhere", "", "../etc", None, 1)


@dataclass(frozen=True)
class Holidays:
    """Pairs of a day such as "2024-12-25" and the name of the holiday."""

    def broken(self, value: object) -> str | None:
        must = "pairs of a day and a name, such as [('2024-12-25', 'Christmas')]"
        if not isinstance(value, list | tuple):
            return must
        for pair in value:
            if not isinstance(pair, list | tuple) or len(pair) != 2:  # noqa: PLR2004 - day, name
                return must
            if not all(isinstance(part, str) and part for part in pair):
                return must
            try:
                date.fromisoformat(pair[0])
            except ValueError:
                return must
        return None

    def bad(self) -> Iterator[object]:
        yield from (None, "2024-12-25", ["2024-12-25"], [("soon", "Christmas")], [("2024-12-25",)])
        yield from ([("2024-12-25", "")], [(1, 2)])


@rule
class Predicted:
    """Is the signal outside the range that its own past predicts?

    The past tells the effect of each weekday, or hour, and how far values stray from it; the
    range is that of one new value. ALERT when the value is outside at ``alpha`` and off by at
    least the floor. WARN when it is off as much and p is at most five times ``alpha``. With a
    floor, OK becomes NO_VERDICT where a change of twice the floor would mostly be missed.

    Rare shares, counts and times vary by factors. Values that are never below 0, or not outside 0
    to 1, are read on the scale of their root and of their logarithm (log odds) too, and the range
    is the widest of those that the past makes plausible.

    Values of the past that are of another kind, such as a short incident, do not count; a level
    that stays becomes usual with time. A past without any spread makes every change beyond the
    floor an ALERT. A holiday seen fewer than twice within ``history`` gives no verdict.

    Parameters
    ----------
    season
        ``"auto"`` (by the spacing of windows and how much was seen), ``"none"``, ``"weekday"``,
        ``"hour"``, ``"weekday and hour"``, or ``"hour of week"``.
    trend
        Whether a straight line through the past is expected to go on.
    holidays
        Pairs of a day such as ``"2024-12-25"`` and a name; days of one name have one effect.
    floor
        The smallest change worth an alert, in the unit of the signal.
    least
        Fewer usual windows give no verdict.
    history
        How far back the past counts; None for all of it.
    zone
        The time zone whose weekdays, hours and days are meant.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> day = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=k) for k in range(57)]
    >>> noise = np.random.default_rng(0).normal(size=57)
    >>> values = [20.0 - 8.0 * (d.weekday() > 4) + e for d, e in zip(day, noise, strict=True)]
    >>> values[-2:] = [8.1, 14.1]
    >>> points = [Point(start=d, end=d + timedelta(days=1), value=v, n=1000)
    ...           for d, v in zip(day, values, strict=True)]
    >>> said = Predicted()(points, alpha=0.01)
    >>> said.verdict.value, said.onset.isoformat()
    ('ALERT', '2024-02-25T00:00:00+00:00')
    """

    _: KW_ONLY
    season: Annotated[str, OneOf(("auto", "none", *SEASONS, "weekday and hour"))] = "auto"
    trend: bool = False
    holidays: Annotated[Any, Holidays()] = ()
    floor: Annotated[float, Between(0)] = 0.0
    least: Annotated[int, Whole(5)] = 14
    history: Annotated[str, Span()] | None = None
    zone: Annotated[str, Zone()] = "UTC"

    def __post_init__(self) -> None:
        object.__setattr__(self, "holidays", tuple((day, name) for day, name in self.holidays))

    def __call__(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        series = Series.of(points)
        if series is None:
            return no_verdict("no windows yet")
        series = self._recent(series)
        if (nothing := unmeasured(series.last)) is not None:
            return nothing
        values = series.values
        usual = int(np.isfinite(values).sum())
        if usual < self.least:
            return no_verdict(f"needs {self.least} usual windows, has {usual}")
        days, short = series.days(zoneinfo.ZoneInfo(self.zone)), series.spacing <= _A_DAY
        rows = series.rows
        found = range_on_scales(
            values,
            days[:-1],
            float(days[-1]),
            alpha=alpha,
            kind=series.kind,
            n=rows,
            n_at=None if rows is None else series.rows_at,
            season=self._seasons(series.spacing, float(np.ptp(days[:-1][np.isfinite(values)]))),
            trend=self.trend,
            holidays={date.fromisoformat(d): name for d, name in self.holidays} if short else None,
        )
        expected = Expected(found=found, past=series.past)
        return expected.judge(series.last, alpha=alpha, floor=self.floor)

    def _recent(self, series: Series) -> Series:
        if self.history is None:
            return series
        first = series.last.start - duration(self.history)
        return Series(last=series.last, past=tuple(p for p in series.past if p.start >= first))

    def _seasons(self, spacing: float, span: float) -> tuple[str, ...]:
        if self.season == "auto":
            return seasons(spacing, span)
        return () if self.season == "none" else tuple(self.season.split(" and "))

    @classmethod
    def examples(cls) -> Iterator[Predicted]:
        yield cls()
        yield cls(season="hour of week", zone="America/New_York", history="12w")
        yield cls(trend=True, floor=0.5, holidays=(("2024-12-25", "Christmas"),))

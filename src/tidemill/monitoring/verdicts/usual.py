"""Whether a value is as usual, by a stretch of windows it is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Annotated
from zoneinfo import ZoneInfo

import numpy as np

from tidemill.core.limits import Between, Whole
from tidemill.core.rule import rule
from tidemill.core.signals import Judgement, Point
from tidemill.monitoring.verdicts.expected import Expected
from tidemill.monitoring.verdicts.series import Series, measured, no_verdict, unmeasured
from tidemill.statistics.on_scales import range_on_scales


@rule
class Usual:
    """Is the signal off the mean of reference windows by more than they stray from it?

    The limit is Student's t for one new value, ``mean +/- t sd sqrt(1 + 1/k)`` for k reference
    windows, where "mean +/- 3 sd" raises ten times too many false alarms at k = 10. The part of
    the spread that comes from sampling is rescaled to the rows of the window. Scales
    are as in :class:`Predicted`. There is no season in it: use :class:`Predicted` where there is one.

    A fixed reference is one draw, shared by all later windows: an odd one is odd for all. A
    sliding one learns a new level soon; with fewer than 21 windows the first one of an incident
    hides the next, with more a few such windows are left out.

    Parameters
    ----------
    reference
        How many windows with a value the reference has.
    sliding
        Whether the reference is the windows just before; otherwise the first ones there are.
    floor
        The smallest change worth an alert, in the unit of the signal.

    References
    ----------
    Hahn, G. J. and Meeker, W. Q. (1991). Statistical Intervals. Wiley, section 4.7.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> start = datetime(2024, 1, 1, tzinfo=UTC)
    >>> values = [0.90, 0.91, 0.89, 0.90, 0.92, 0.90, 0.88, 0.91, 0.90, 0.89, 0.84]
    >>> points = [Point(start=start + timedelta(days=k), end=start + timedelta(days=k + 1),
    ...                 value=v, n=1000) for k, v in enumerate(values)]
    >>> said = Usual(reference=10)(points, alpha=0.01)
    >>> said.verdict.value, round(said.low, 3), round(said.high, 3)
    ('ALERT', 0.853, 0.939)
    """

    _: KW_ONLY
    reference: Annotated[int, Whole(5)] = 28
    sliding: bool = False
    floor: Annotated[float, Between(0)] = 0.0

    def __call__(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        series = Series.of(points)
        if series is None:
            return no_verdict("no windows yet")
        if (nothing := unmeasured(series.last)) is not None:
            return nothing
        known = [p for p in series.past if measured(p)]
        if len(known) < self.reference:
            return no_verdict(f"needs {self.reference} usual windows, has {len(known)}")
        chosen = {
            p.start for p in (known[-self.reference :] if self.sliding else known[: self.reference])
        }
        days, rows = series.days(ZoneInfo("UTC")), series.rows
        found = range_on_scales(
            series.values,
            days[:-1],
            float(days[-1]),
            alpha=alpha,
            kind=series.kind,
            n=rows,
            n_at=None if rows is None else series.rows_at,
            normal=np.array([p.start in chosen for p in series.past]),
        )
        return Expected(found=found, past=series.past).judge(
            series.last, alpha=alpha, floor=self.floor
        )

    @classmethod
    def examples(cls) -> Iterator[Usual]:
        yield cls()
        yield cls(reference=10, sliding=True, floor=0.01)

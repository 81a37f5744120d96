"""The points of a signal in order of time, as the rules read them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from tidemill.core.signals import Judgement, Point
from tidemill.core.verdict import Verdict

Floats = NDArray[np.float64]
_DAY = 86_400.0
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the clock on the wall has no zone


@dataclass(frozen=True, kw_only=True)
class Series:
    """The last point of a signal and those before it, the oldest first, each window once."""

    last: Point
    past: tuple[Point, ...]

    @classmethod
    def of(cls, points: Sequence[Point]) -> Series | None:
        """Sort points by time; of two of the same window the later given counts.

        None where there is no point.
        """
        by_start = {p.start: p for p in points}
        if not by_start:
            return None
        *past, last = (by_start[start] for start in sorted(by_start))
        return cls(last=last, past=tuple(past))

    @property
    def values(self) -> Floats:
        """The past values, NaN where there was none or it had no rows."""
        return np.array([p.value if measured(p) else math.nan for p in self.past], dtype=np.float64)

    @property
    def rows(self) -> Floats | None:
        """Rows behind past values, as independent ones where known; None where they tell nothing.

        They tell nothing of the spread of a count of rows, which is as large as they are.
        """
        n = np.array([_rows(p) for p in (*self.past, self.last)])
        values = np.append(self.values, self.last.value)
        seen = np.isfinite(values) & (values != 0)
        if not seen.any() or not n[seen].all():
            return None
        ratio = n[seen] / values[seen]
        return None if np.ptp(ratio) <= 1e-6 * np.abs(ratio).max() else n[:-1]

    @property
    def rows_at(self) -> float:
        return _rows(self.last)

    @property
    def kind(self) -> Literal["", "positive", "share"]:
        """What values are, as far as is seen: from 0 to 1, at least 0, or anything."""
        values = np.append(self.values, self.last.value)
        seen = values[np.isfinite(values)]
        if not seen.size or seen.min() < 0:
            return ""
        return "share" if seen.max() <= 1 else "positive"

    def days(self, zone: ZoneInfo) -> Floats:
        """Return the middle of each window, the last one's too, in days by the zone's clock."""
        return np.array([_middle(p, zone) for p in (*self.past, self.last)])

    @property
    def spacing(self) -> float:
        """From the start of one window to the start of the next, usually; in days."""
        starts = [p.start.timestamp() / _DAY for p in (*self.past, self.last)]
        gaps = np.diff(starts)
        length = (self.last.end - self.last.start).total_seconds() / _DAY
        return float(np.median(gaps)) if gaps.size else length


def measured(point: Point) -> bool:
    """Tell whether a point has a value: finite, and of at least one row."""
    return math.isfinite(point.value) and point.n > 0


def no_verdict(why: str) -> Judgement:
    """Return that nothing can be said, and why."""
    return Judgement(verdict=Verdict.NO_VERDICT, why=why)


def unmeasured(point: Point) -> Judgement | None:
    """Return the judgement of a point that has no value, or None if it has one."""
    if measured(point):
        return None
    rows = "no rows" if point.n <= 0 else f"the value is {point.value}"
    return no_verdict(point.why or rows)


def _rows(point: Point) -> float:
    known = point.n_effective
    return float(known if math.isfinite(known) and known > 0 else point.n)


def _middle(point: Point, zone: ZoneInfo) -> float:
    wall = (point.start + (point.end - point.start) / 2).astimezone(zone).replace(tzinfo=None)
    return (wall - _EPOCH).total_seconds() / _DAY

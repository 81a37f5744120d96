"""Whether a point is outside the range that its past predicts, by how much, and since when."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from tidemill.core.signals import Judgement, Point
from tidemill.core.verdict import Verdict
from tidemill.monitoring.verdicts.series import no_verdict
from tidemill.statistics.onsets import since
from tidemill.statistics.predicted import PredictedRange

NEAR = 5.0
"""A change is a WARN when its p-value is at most so many times the alpha of an ALERT."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The range that was predicted, and the past points it was predicted from."""

    found: PredictedRange
    past: tuple[Point, ...]

    def judge(self, last: Point, *, alpha: float, floor: float) -> Judgement:
        """Judge a measured point: ALERT takes evidence at ``alpha`` and a change of ``floor``."""
        found = self.found
        if not found.known:
            return no_verdict(found.why)
        change, p = last.value - found.expected, found.p(last.value)
        alone = found.sd == 0
        said = f"{last.value:.4g}; expected {found.expected:.4g}"
        said += "" if alone else f" ({found.low:.4g} to {found.high:.4g})"
        said += f", from {len(self.past)} windows" + (" without any spread" if alone else "")
        large = abs(change) >= floor
        # A past without any spread gives no probability: what differs from it is told as such.
        strong, near = p <= alpha, p <= min(1.0, NEAR * alpha)
        verdict = (
            Verdict.ALERT if strong and large else Verdict.WARN if near and large else Verdict.OK
        )
        if strong and not large:
            said += f"; a change of {abs(change):.3g}, less than the {floor:g} that matter"
        elif verdict is Verdict.OK and self._blind(floor):
            verdict, said = Verdict.NO_VERDICT, f"{said}; too wide to see a change of {2 * floor:g}"
        return Judgement(
            verdict=verdict,
            why=said,
            p=math.nan if alone else p,
            effect=change,
            low=found.low,
            high=found.high,
            onset=self._onset(last, change) if verdict is Verdict.ALERT else None,
        )

    def _blind(self, floor: float) -> bool:
        """Tell whether a change of twice the floor would be missed more often than not."""
        return 0 < 2 * floor < (self.found.high - self.found.low) / 2

    def _onset(self, last: Point, change: float) -> datetime:
        apart = np.append(np.asarray(self.found.apart, dtype=np.float64), change)
        return (*self.past, last)[since(apart, apart.size - 1)].start

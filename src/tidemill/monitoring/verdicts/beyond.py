"""Whether a value is beyond a limit that was agreed, and whether that is more than chance."""

from __future__ import annotations

import math
from dataclasses import replace

from scipy.special import ndtr, ndtri

from tidemill.core.signals import Judgement, Point
from tidemill.core.verdict import Verdict
from tidemill.monitoring.verdicts.series import no_verdict

_OF_95 = 1.959964
"""Standard errors from a value to the end of its 95 % interval."""


def beyond(
    point: Point, low: float, high: float, *, alpha: float, band: float, least: int
) -> Judgement:
    """Judge a measured point against limits, either of which may be infinite.

    Its 95 % interval is stretched to a one-sided one at ``alpha`` by the normal's quantiles, so
    that a limit which is exactly met is reported beyond with probability ``alpha``; of two
    limits, each may err with half of it.
    """
    alpha = alpha / 2 if math.isfinite(low) and math.isfinite(high) else alpha
    under, over = low - point.value, point.value - high
    if over >= under:
        excess, limit, reach = over, high, point.value - point.low
    else:
        excess, limit, reach = under, low, point.high - point.value
    # An interval that does not hold its own value is none.
    interval = math.isfinite(reach) and reach >= 0 and point.low <= point.value <= point.high
    error = reach / _OF_95 if interval else math.nan
    allowed = _words(low, high)
    if not interval and point.n < least:
        return no_verdict(f"{point.n} rows and no interval; needs {least}")
    p = _p(excess, error)
    said = Judgement(
        verdict=Verdict.OK,
        why=f"{point.value:.4g} of {point.n:,} rows; {allowed}",
        p=p,
        effect=max(excess, 0.0),
        low=_finite(low),
        high=_finite(high),
    )
    if excess <= 0:
        return _inside(point, said, limit, band=band, least=least)
    if not interval:
        why = f"{said.why}; without an interval it is taken as it is"
        return replace(said, verdict=Verdict.ALERT, why=why)
    if p <= alpha:
        why = f"{said.why}; by chance with p = {p:.2g}"
        return replace(said, verdict=Verdict.ALERT, why=why)
    stretch = -float(ndtri(alpha)) * error
    ends = f"{point.value - stretch:.4g} to {point.value + stretch:.4g} at alpha {alpha:.2g}"
    return replace(said, verdict=Verdict.WARN, why=f"{said.why}; it may be chance: {ends}")


def _inside(point: Point, said: Judgement, limit: float, *, band: float, least: int) -> Judgement:
    if point.n < least and point.low < limit < point.high:
        return no_verdict(f"{said.why}; so few rows do not rule out that it is beyond")
    if band > 0 and abs(limit - point.value) < band:
        why = f"{said.why}; within {band:g} of {limit:g}"
        return replace(said, verdict=Verdict.WARN, why=why)
    return said


def _p(excess: float, error: float) -> float:
    """Return the probability of as much excess when the truth is at the limit."""
    if not math.isfinite(error):
        return math.nan
    if error == 0:
        return 0.0 if excess > 0 else 1.0
    return float(ndtr(-excess / error))


def _words(low: float, high: float) -> str:
    if math.isinf(low):
        return f"at most {high:g} is allowed"
    return f"at least {low:g} is asked" if math.isinf(high) else f"{low:g} to {high:g} is allowed"


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan

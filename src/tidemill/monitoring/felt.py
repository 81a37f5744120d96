"""Is a better model felt: does a metric go up and down with what users do?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from tidemill.core.limits import Between
from tidemill.core.rule import check
from tidemill.core.signals import Point
from tidemill.statistics.periods import group_t
from tidemill.statistics.seasons import design, seasons

Floats = NDArray[np.float64]

STRETCHES = 6
"""Stretches of time that are the units of evidence."""
LEAST = 36
"""Windows in which both were measured, at least: six for each stretch."""
SMALL = 0.3
"""A correlation of changes below this leaves nine tenths of them to something else."""
NOISY = 0.5
"""Where more of a signal's changes than this are chance of few rows, none can be felt."""
_ROUNDING = 1e-9
_SIGMAS = 2 * 1.96
_DAY = timedelta(days=1)
_FELT, _REVERSE, _NOT, _UNKNOWN = "felt", "the other way", "not felt", "cannot be said"


@dataclass(frozen=True, kw_only=True)
class Felt:
    """What is said of a metric and an outcome.

    Parameters
    ----------
    said
        ``"felt"``, ``"the other way"``, ``"not felt"`` or ``"cannot be said"``.
    why
        In words, with the numbers.
    windows
        In how many both were measured.
    value, low, high
        Correlation of their changes from window to window, better with better, and its
        interval; NaN where it cannot be told.
    """

    said: str
    why: str
    windows: int
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan


def felt(
    metric: Sequence[Point],
    outcome: Sequence[Point],
    *,
    names: tuple[str, str] = ("the metric", "the outcome"),
    higher_is_better: tuple[bool, bool] = (True, True),
    confidence: float = 0.95,
) -> Felt:
    """Say whether an outcome gets better when a metric does.

    Levels of two series that drift go together by chance, and so do their weekends. So the
    season is taken from both, and changes from one window to the next are compared; the units
    of evidence are six stretches of time, as neighbouring windows resemble one another. It is
    an association: what moves both at once looks the same.

    Parameters
    ----------
    metric, outcome
        Points of each; windows in which both are known count.
    names
        What they are called.
    higher_is_better
        Of each; the correlation is of better with better.
    confidence
        Of the interval, from 0.5 to 0.999999; raise it when many pairs are asked about.

    References
    ----------
    Ibragimov, R. and Mueller, U. K. (2010). t-statistic based correlation and heterogeneity
    robust inference. Journal of Business and Economic Statistics 28, 453-468.
    Granger, C. W. J. and Newbold, P. (1974). Spurious regressions in econometrics. Journal of
    Econometrics 2, 111-120.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> rng, start = np.random.default_rng(0), datetime(2024, 1, 1, tzinfo=UTC)
    >>> def points(values):
    ...     return [Point(start=start + k * _DAY, end=start + (k + 1) * _DAY, value=float(v), n=500)
    ...             for k, v in enumerate(values)]
    >>> auc = rng.normal(0.7, 0.02, 90)
    >>> clicks = 0.1 + 0.5 * auc + rng.normal(0, 0.01, 90)
    >>> felt(points(auc), points(clicks), names=("auc", "clicks")).said
    'felt'
    >>> felt(points(auc[:9]), points(clicks[:9]), names=("auc", "clicks")).why
    'cannot be said: auc and clicks were both measured in 9 windows, 36 are needed'
    """
    check("felt", "confidence", confidence, Between(0.5, 0.999999))
    one, two = _together(metric, outcome)
    n, both = len(one), f"{names[0]} and {names[1]}"
    if n < LEAST:
        return _unknown(f"{both} were both measured in {n} windows, {LEAST} are needed", n)
    changes = _changes(one), _changes(two)
    known = np.isfinite(changes[0]) & np.isfinite(changes[1])
    if int(known.sum()) < LEAST - STRETCHES:
        return _unknown(f"too few of {n} windows with {both} follow one another", n)
    moves = [c[known] for c in changes]
    for name, series, move in zip(names, (one, two), moves, strict=True):
        size = max(abs(p.value) for p in series) or 1.0
        if float(np.ptp(move)) <= _ROUNDING * size:
            return _unknown(f"{name} does not change", n)
    scaled = [move / math.sqrt(float(np.mean(np.square(move)))) for move in moves]
    sign = 1.0 if higher_is_better[0] == higher_is_better[1] else -1.0
    stretches = np.array_split(sign * scaled[0] * scaled[1], STRETCHES)
    # Two changes share a window; without the first of each, stretches share none.
    means = np.array([float(part[k > 0 :].mean()) for k, part in enumerate(stretches)])
    # The season is taken out of the same windows, so stretches are a little alike: measured on
    # series that have nothing to do with one another, the plain interval errs a tenth too often.
    found = group_t(means, groups=STRETCHES, confidence=1 - 0.8 * (1 - confidence))
    value, low, high = (float(np.clip(v, -1, 1)) for v in (found.value, found.low, found.high))
    noise = [_noise(series, move) for series, move in zip((one, two), moves, strict=True)]
    said, why = _words(names, (value, low, high), noise)
    return Felt(said=said, why=f"{why} ({n} windows)", windows=n, value=value, low=low, high=high)


def _unknown(why: str, windows: int) -> Felt:
    return Felt(said=_UNKNOWN, why=f"{_UNKNOWN}: {why}", windows=windows)


def _together(one: Sequence[Point], two: Sequence[Point]) -> tuple[list[Point], list[Point]]:
    """Keep the windows in which both are known, the oldest first."""
    known = [{p.start: p for p in side if math.isfinite(p.value)} for side in (one, two)]
    starts = sorted(known[0].keys() & known[1].keys())
    return [known[0][s] for s in starts], [known[1][s] for s in starts]


def _changes(points: Sequence[Point]) -> Floats:
    """Take the season away, then each from the next; NaN across a gap."""
    values = np.array([p.value for p in points])
    days = np.array([p.start.timestamp() / 86_400 for p in points])
    length = (points[0].end - points[0].start) / _DAY
    laid = design(days, float(days[-1]), season=seasons(length, float(np.ptp(days))))
    fitted = laid.columns @ np.linalg.lstsq(laid.columns, values, rcond=None)[0]
    moves = np.diff(values - fitted)
    return np.where(np.isclose(np.diff(days), length), moves, np.nan)


def _noise(points: Sequence[Point], moves: Floats) -> float:
    """Return what share of the changes is chance of the rows, by the intervals of the points."""
    widths = np.array([p.high - p.low for p in points])
    widths = widths[np.isfinite(widths)]
    if not widths.size:
        return math.nan
    error = float(np.mean(np.square(widths / _SIGMAS)))
    return min(1.0, 2 * error / float(np.mean(np.square(moves))))


def _words(
    names: tuple[str, str], found: tuple[float, float, float], noise: Sequence[float]
) -> tuple[str, str]:
    (metric, outcome), (value, low, high) = names, found
    numbers = f"the correlation of their changes is {value:.2f} [{low:.2f}, {high:.2f}]"
    if low > 0:
        return _FELT, f"a better {metric} is felt: {outcome} gets better with it; {numbers}"
    if high < 0:
        text = f"a better {metric} goes with a worse {outcome}; {numbers}"
        return _REVERSE, text
    for name, share in zip(names, noise, strict=True):
        if share > NOISY:
            text = f"{share:.0%} of the changes of {name} are chance of few rows; {numbers}"
            return _UNKNOWN, f"{_UNKNOWN}: {text}"
    if max(-low, high) < SMALL:
        return _NOT, f"a better {metric} is not felt in {outcome}; {numbers}"
    return _UNKNOWN, f"{_UNKNOWN}: {numbers}"

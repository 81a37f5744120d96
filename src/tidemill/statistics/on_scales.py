"""What range a share, or a value that is never negative, should be in: its noise may be skewed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tidemill.core.limits import OneOf
from tidemill.core.rule import check
from tidemill.statistics.predicted import PredictedRange, predicted_range
from tidemill.statistics.scales import SCALES, Scale, log_likelihood

Floats = NDArray[np.float64]
Kind = Literal["", "positive", "share"]
_STRAIGHT = 0.2
"""Values that stray from their level by no more than so much of the way to a bound."""


@dataclass(frozen=True, kw_only=True)
class RangeOnScales(PredictedRange):
    """A range that holds on every scale the past makes plausible.

    ``on`` has those scales with the range on each, ``slack`` what keeps 0 from being infinite.
    """

    on: tuple[tuple[Scale, PredictedRange], ...] = field(default=(), repr=False)
    slack: float = 0.0

    def p(self, value: float) -> float:
        """Return how likely a value as far away is when nothing changed, at the most."""
        if not (self.known and math.isfinite(value)):
            return math.nan
        each = [found.p(float(scale.of(np.array(value), self.slack))) for scale, found in self.on]
        known = [p for p in each if math.isfinite(p)]
        return max(known) if known else 0.0


def range_on_scales(
    values: NDArray[Any],
    times: NDArray[Any],
    at: float,
    *,
    alpha: float,
    kind: Kind,
    n: NDArray[Any] | None = None,
    n_at: float | None = None,
    season: Sequence[str] = (),
    trend: bool = False,
    holidays: Mapping[date, str] | None = None,
    normal: NDArray[np.bool_] | None = None,
) -> PredictedRange:
    """Predict the range of one new value whose noise may be skewed.

    Rare shares, counts and times vary by factors: a day with three times the usual share is no
    odder than one with a third of it. So the range is predicted on the plain scale, that of the
    square root and that of the logarithm (log odds of shares), and holds on all of those that
    are about as likely as the best, given the past: by no
    more than ``log10(1 / alpha)`` in log-likelihood, for the rarer the value, the more its scale
    decides. Where values stray little beside their
    distance from 0 (and 1), all scales come to the same, and the plain one is taken.

    Shares of 500 rows whose days differ by 0.5 to 1 in log odds about .01 to .3: at alpha .01 at
    most 1.3 % of unchanged days are outside, at .002 at most .3 %; on the plain scale alone up to
    3.8 % and 3.2 % (``benchmarks/ranges.py``).

    Parameters
    ----------
    kind
        ``"share"`` where values are from 0 to 1, ``"positive"`` where they are at least 0,
        ``""`` where they can be anything.
    values, times, at, alpha, n, n_at, season, trend, holidays, normal
        As for :func:`tidemill.statistics.predicted.predicted_range`.

    References
    ----------
    Box, G. E. P. and Cox, D. R. (1964). An analysis of transformations. Journal of the Royal
    Statistical Society B 26, 211-243.

    Examples
    --------
    >>> days, rng = np.arange(19_725.0, 19_725.0 + 84), np.random.default_rng(0)
    >>> late = 0.02 * np.exp(rng.normal(size=84))
    >>> found = range_on_scales(late, days, 19_809.0, alpha=0.01, kind="share")
    >>> round(found.low, 4), round(found.high, 2)
    (0.001, 0.23)
    >>> plain = range_on_scales(late, days, 19_809.0, alpha=0.01, kind="")
    >>> round(plain.low, 2), round(plain.high, 2)
    (-0.09, 0.16)
    """
    check("range_on_scales", "kind", kind, OneOf(tuple(SCALES)))
    x = np.asarray(values, dtype=np.float64)

    def on(scale: Scale, slack: float) -> PredictedRange:
        return predicted_range(
            scale.of(x, slack), times, at, alpha=alpha, n=n, n_at=n_at, season=season,
            trend=trend, holidays=holidays, normal=normal,
        )  # fmt: skip

    plain = on(SCALES[""][0], 0.0)
    scales = SCALES[kind]
    if len(scales) == 1 or not plain.known or plain.sd == 0 or _straight(x, kind):
        return plain
    slack = _slack(x, n)
    found = [(scale, plain if scale.name == "plain" else on(scale, slack)) for scale in scales]
    return _together([(s, f) for s, f in found if f.known], x, slack, alpha)


def _straight(x: Floats, kind: str) -> bool:
    """Tell whether values are too far from their bounds for a scale to matter."""
    seen = x[np.isfinite(x)]
    level = float(np.median(seen))
    room = min(level, 1 - level) if kind == "share" else level
    return float(np.abs(seen - level).max()) <= _STRAIGHT * room


def _slack(x: Floats, n: NDArray[Any] | None) -> float:
    """Return half a row as a share of a usual window's; without rows, half the least value."""
    seen = x[np.isfinite(x) & (x > 0)]
    least = float(seen.min()) / 2 if seen.size else 0.5
    if n is None:
        return least
    rows = np.asarray(n, dtype=np.float64)[np.isfinite(x)]
    return min(0.5 / max(float(np.median(rows)), 1.0), least)


def _together(
    found: list[tuple[Scale, PredictedRange]], x: Floats, slack: float, alpha: float
) -> PredictedRange:
    """Take the widest of the ranges on plausible scales; the best says what is expected."""
    apart = np.array([one.apart for _, one in found])
    seen = np.isfinite(apart).all(axis=0)
    likely = [
        log_likelihood(one[seen]) + float(scale.stretch(x[seen], slack).sum())
        for (scale, _), one in zip(found, apart, strict=True)
    ]
    best = int(np.argmax(likely))
    least = likely[best] - math.log10(1 / alpha)
    on = tuple(pair for pair, like in zip(found, likely, strict=True) if like >= least)
    scale, one = found[best]
    ends = [(s.back(f.low, slack), s.back(f.high, slack)) for s, f in on]
    words = "" if scale.name == "plain" else f", on the scale of their {_words(scale)}"
    return RangeOnScales(
        low=min(low for low, _ in ends),
        high=max(high for _, high in ends),
        expected=scale.back(one.expected, slack),
        sd=found[0][1].sd,
        df=one.df,
        residuals=one.residuals,
        supported=one.supported,
        gross=one.gross,
        apart=found[0][1].apart,
        why=one.why + words,
        on=on,
        slack=slack,
    )


def _words(scale: Scale) -> str:
    root = "arcsine" if scale.share else "square root"
    return root if scale.name == "root" else "log odds" if scale.share else "logarithm"

"""What range a new value of a series should be in, given its season, trend and holidays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from tidemill.core.errors import BadInput
from tidemill.core.limits import Between
from tidemill.core.rule import check
from tidemill.statistics.lag_one import Spread
from tidemill.statistics.least_squares import NOTHING, Fit
from tidemill.statistics.seasons import as_days, design
from tidemill.statistics.tails import gross, heavy_tails_p

Floats = NDArray[np.float64]
LEAST_DF = 3.0
"""Degrees of freedom below which there is no range."""

_HEAVY = 0.01
_SHARES = np.linspace(0.0, 1.0, 6)
_ROUNDING = 1e-9
_LARGEST = 1e150
"""Values beyond are as good as infinite: their squares are."""
_ALIKE = 1e-12
_AS_LIKELY = 1.0
"""Twice the log-likelihood by which a share may be worse than the best and still count."""


@dataclass(frozen=True, kw_only=True)
class PredictedRange:
    """Where a new value should be with probability ``1 - alpha``, or why that cannot be said.

    Parameters
    ----------
    low, high, expected
        The range and its middle, in the unit of the values; NaN where there is none.
    sd, df
        Standard deviation of the prediction's error, and its degrees of freedom.
    residuals
        How many past values it rests on.
    supported
        Whether past values are many enough, ``1 / alpha``, to know such rare ones. Where they
        are not, the range is right as long as the tails are the normal's.
    deviations
        How far past values were from what the others predict, in standard deviations, sorted.
        Empty unless their tails are too heavy for a normal.
    gross
        How many past values were left out, being of another kind.
    apart
        Each value that was given less what season, trend and holidays make of it, in the order
        given; NaN where it cannot be read.
    why
        What the range rests on, or why there is none.
    """

    low: float = math.nan
    high: float = math.nan
    expected: float = math.nan
    sd: float = math.nan
    df: float = math.nan
    residuals: int = 0
    supported: bool = False
    deviations: tuple[float, ...] = ()
    gross: int = 0
    apart: tuple[float, ...] = field(default=(), repr=False)
    why: str

    @property
    def known(self) -> bool:
        """Whether there is a range at all."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def p(self, value: float) -> float:
        """Return how likely a value as far away is when nothing changed; NaN without a range.

        It is at most ``alpha`` exactly when the value is outside the range.
        """
        if not (self.known and math.isfinite(value)):
            return math.nan
        apart = abs(value - self.expected)
        if self.sd == 0:
            return 1.0 if apart <= self.high - self.expected else 0.0
        z = apart / self.sd
        as_far = int((np.asarray(self.deviations) >= z).sum())
        ranked = (1 + as_far) / (len(self.deviations) + 1) if as_far else 0.0
        return max(2 * float(stdtr(self.df, -z)), ranked)


def predicted_range(
    values: NDArray[Any],
    times: NDArray[Any],
    at: float,
    *,
    alpha: float,
    n: NDArray[Any] | None = None,
    n_at: float | None = None,
    season: Sequence[str] = (),
    trend: bool = False,
    holidays: Mapping[date, str] | None = None,
    normal: NDArray[np.bool_] | None = None,
) -> PredictedRange:
    """Predict the range of one new value from those before it.

    Least squares on the effects of the season, a line and holidays. All residuals share one
    variance, so eight weeks tell as much about the spread of a Sunday as 56 days do, where
    eight Sundays alone would be blind. The range is Student's t for a new value: how well its
    own effects are known counts, and so does that neighbours resemble each other (AR(1)). Past
    values of another kind are left out. Tails heavier than the normal's widen the range to the
    largest past deviations.

    95 % ranges cover 94 to 96 % and 99 % ranges 98.5 to 99.5 %, from 2 to 52 weeks, for a
    correlation of neighbouring days of 0 to 0.5 and any weekly season; with t3 noise 93 to
    96 % and 97 to 99 % (``benchmarks/ranges.py``).

    Parameters
    ----------
    values
        Past values, oldest first; shape (T,). Those not finite are left out.
    times
        When they were, by the clock on the wall: ``datetime64`` or days since 1970; (T,).
    at
        When the new value is, in days since 1970.
    alpha
        How likely a value outside the range may be when nothing changed.
    n
        Rows behind each value; shape (T,). The part of the variance that comes from sampling
        shrinks with them; how large that part is, the past tells. Where it cannot, the range
        is the widest of those the past allows.
    n_at
        Rows behind the new value; as many as usual by default.
    season, trend, holidays
        As in :func:`tidemill.statistics.seasons.design`.
    normal
        False for past values known to be of another kind, such as incidents; shape (T,).

    Raises
    ------
    BadInput
        If shapes differ.
    BadValue
        If alpha is not between 0 and 1.

    References
    ----------
    Seber, G. A. F. and Lee, A. J. (2003). Linear Regression Analysis. Wiley, section 5.3.
    Vovk, V., Gammerman, A. and Shafer, G. (2005). Algorithmic Learning in a Random World.
    Springer, chapter 2 (ranks of deviations).

    Examples
    --------
    >>> days = np.arange(19_725.0, 19_725.0 + 56)
    >>> wave = np.where(days % 7 < 2, 5.0, 9.0)
    >>> values = wave + np.random.default_rng(0).normal(size=56)
    >>> found = predicted_range(values, days, 19_781.0, alpha=0.05, season=["weekday"])
    >>> round(found.low, 1), round(found.expected, 1), round(found.high, 1), found.residuals
    (7.6, 9.5, 11.4, 56)
    >>> found.p(4.0) < 0.001
    True
    """
    check("predicted_range", "alpha", alpha, Between(0, 1, open_low=True))
    past = _Past.of(values, times, n, normal)
    if past.usual.sum() < 2:  # noqa: PLR2004 - no spread below
        return PredictedRange(residuals=int(past.usual.sum()), why="fewer than 2 past values")
    made = design(past.days, at, season=season, trend=trend, holidays=holidays)
    typical = float(np.median(past.n[past.usual]))
    rows = typical if n_at is None else float(n_at)
    full = np.sqrt(np.minimum(1.0, past.n / typical))  # few rows may be far off by chance
    use = past.usual.copy()
    odd = gross((past.scaled * full)[use], (made.columns * full[:, None])[use])
    use[use] = ~odd
    kept = past.days[use]
    missing = (
        made.missing
        or design(kept, at, season=season, trend=trend, holidays=holidays).missing
        or ("" if rows > 0 else "no rows behind the new value")
    )
    if missing:
        return PredictedRange(residuals=kept.size, why=missing)
    shares = _SHARES if _vary(past.n[use], rows) else _SHARES[:1]
    fewer, fewer_at = typical / past.n[use], typical / rows
    y, columns = past.scaled[use], made.columns[use]
    fits = [
        Fit.of(y, columns, made.new, fewer=fewer, fewer_at=fewer_at, share=share)
        for share in shares
    ]
    if not fits[0].estimable or fits[0].df < LEAST_DF:
        why = f"{kept.size} past values are too few to tell the effects of {len(made.new)} things"
        return PredictedRange(residuals=kept.size, why=why)
    likely = min(f.deviance for f in fits) + _AS_LIKELY
    fit = max((f for f in fits if f.deviance <= likely), key=lambda f: f.width)
    wide = fit.spread(_steps(kept, at))
    apart = np.full(np.asarray(values).shape, math.nan)
    apart[past.order] = (past.scaled - made.columns @ fit.effects) * past.scale
    return replace(_range(fit, wide, past, alpha, int(odd.sum())), apart=tuple(apart.tolist()))


def _range(fit: Fit, wide: Spread, past: _Past, alpha: float, odd: int) -> PredictedRange:
    """Turn a fit and the spread of its prediction into a range."""
    many, expected = fit.residuals.size, past.level + fit.expected * past.scale
    why = f"{many} past values" + (f", {odd} left out as of another kind" if odd else "")
    if fit.root_mean_square <= NOTHING:
        reach = NOTHING * max(past.scale, abs(past.level))
        return PredictedRange(
            low=expected - reach, high=expected + reach, expected=expected, sd=0.0, df=fit.df,
            residuals=many, supported=False, gross=odd, why=f"{why}, which fit without any spread",
        )  # fmt: skip
    deviations = fit.deviations()
    heavy = heavy_tails_p(deviations) < _HEAVY
    limit = float(stdtrit(wide.df, 1 - alpha / 2))
    sizes = np.sort(np.abs(deviations)) if heavy else np.zeros(0)
    if heavy:
        # The k-th largest of m is passed with probability k / (m + 1).
        place = max(1, math.floor(alpha * (sizes.size + 1) + _ROUNDING))
        limit = max(limit, float(sizes[-place]))
        why += ", with heavy tails"
    supported = many * alpha >= 1 - _ROUNDING
    if not supported:
        needed = math.ceil(1 / alpha - _ROUNDING)
        why += f"; {needed} are needed to know the tails at alpha {alpha:.2g}"
    sd = wide.sd * past.scale
    return PredictedRange(
        low=expected - limit * sd,
        high=expected + limit * sd,
        expected=expected,
        sd=sd,
        df=wide.df,
        residuals=many,
        supported=supported,
        deviations=tuple(sizes.tolist()),
        gross=odd,
        why=why,
    )


@dataclass(frozen=True, kw_only=True)
class _Past:
    """The past values that can be read, in order of time, as ``level + scale * scaled``.

    ``order`` is where each was among those given, ``usual`` which are normal.
    """

    days: Floats
    n: Floats
    order: NDArray[np.intp]
    usual: NDArray[np.bool_]
    level: float
    scale: float
    scaled: Floats

    @classmethod
    def of(
        cls,
        values: NDArray[Any],
        times: NDArray[Any],
        n: NDArray[Any] | None,
        normal: NDArray[np.bool_] | None,
    ) -> _Past:
        known, days = np.asarray(values, dtype=np.float64), as_days(times)
        rows = np.ones(known.shape) if n is None else np.asarray(n, dtype=np.float64)
        usual = np.ones(known.shape, dtype=np.bool_) if normal is None else np.asarray(normal)
        if known.ndim != 1 or not known.shape == days.shape == rows.shape == usual.shape:
            raise BadInput(
                f"values, times, n and normal have shapes {known.shape}, {days.shape}, "
                f"{rows.shape} and {usual.shape}.",
                fix="pass one of each per window.",
            )
        keep = np.isfinite(known) & (np.abs(known) <= _LARGEST) & np.isfinite(days)
        keep &= (rows > 0) & np.isfinite(rows)
        order = np.flatnonzero(keep)[np.argsort(days[keep], kind="stable")]
        x, usual = known[order], usual[order]
        level = float(np.median(x[usual])) if usual.any() else 0.0
        scale = float(np.abs(x[usual] - level).max(initial=0.0))
        alike = scale <= _ALIKE * abs(level) or scale == 0
        scaled = (x - level) / (1.0 if alike else scale)
        scaled[usual] = 0.0 if alike else scaled[usual]
        return cls(
            days=days[order], n=rows[order], order=order, usual=usual,
            level=level, scale=1.0 if alike else scale, scaled=scaled,
        )  # fmt: skip


def _vary(n: Floats, n_at: float) -> bool:
    """Tell whether row counts differ enough for sampling to matter."""
    return max(float(n.max()), n_at) > 1.2 * min(float(n.min()), n_at)


def _steps(days: Floats, at: float) -> NDArray[np.int64]:
    """Return the place of each window and of the new one, in steps of their usual spacing."""
    gaps = np.diff(np.append(days, at))
    rising = gaps[gaps > 0]
    usual = float(np.median(rising)) if rising.size else 1.0
    return np.concatenate([[0], np.cumsum(np.maximum(np.rint(gaps / usual), 1))]).astype(np.int64)

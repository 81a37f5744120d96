"""The interval of a difference in periods like those seen, or why none can be given."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.limits import Between, Whole
from tidemill.core.rule import check
from tidemill.core.verdict import Estimate
from tidemill.statistics.periods import group_t
from tidemill.statistics.trend import LEAST, trend_p

_LENGTH = Between(0)
_TREND_LEVEL = 0.05


def like_these(
    differences: NDArray[Any],
    *,
    step: float = 1.0,
    label_delay: float,
    model_life: float,
    season: float,
    confidence: float = 0.95,
    groups: int = 6,
    unit: str = "days",
) -> tuple[Estimate, str]:
    """Estimate the mean difference per period in a future made of periods like these.

    A claim about more than this history needs stretches of it that could have come in any
    order: long enough to forget each other, and going nowhere.

    Parameters
    ----------
    differences
        The paired difference of each period, in order of time. Missing or infinite ones are
        left out.
    step
        Length of a period. All lengths are in one unit of time, such as days; with the
        default they are in periods.
    label_delay
        How long labels take.
    model_life
        How long the longest-lived model of either strategy was in front; the whole history
        for "never", which then makes no claim.
    season
        How long it takes until things repeat; 0 when they do not.
    confidence
        Chance that the interval covers the truth, from 0.5 to 0.999999.
    groups
        Number of stretches, at least 2.
    unit
        What lengths are in, to say so.

    Returns
    -------
    Estimate
        The mean with its interval; ``low`` and ``high`` are NaN when no claim is made.
    str
        What the interval rests on, or why there is none.

    References
    ----------
    Ibragimov, R. and Mueller, U. K. (2010). t-statistic based correlation and heterogeneity
    robust inference. Journal of Business and Economic Statistics 28, 453-468.

    Examples
    --------
    >>> weeks = np.tile([0.02, 0.01, 0.03, 0.0, 0.02], 6)
    >>> got, why = like_these(weeks, step=7, label_delay=14, model_life=28, season=7)
    >>> print(why)
    6 stretches of at least 5 periods
    >>> _, why = like_these(weeks, step=7, label_delay=45, model_life=28, season=7)
    >>> print(why)
    too few independent periods: 6 stretches of 35 days are shorter than the label delay, 45 days
    """
    check("like_these", "step", step, Between(0, open_low=True))
    needs = {"label delay": label_delay, "model's life": model_life, "season": season}
    for name, length in needs.items():
        check("like_these", name, length, _LENGTH)
    check("like_these", "groups", groups, Whole(2))
    estimate = group_t(differences, groups=groups, confidence=confidence)
    series = np.asarray(differences, dtype=np.float64)
    series = series[np.isfinite(series)]
    why = _why_not(series, step, needs, groups, unit)
    if why is not None:
        return replace(estimate, low=math.nan, high=math.nan), why
    return estimate, f"{groups} stretches of at least {series.size // groups} periods"


def _figure(length: float) -> str:
    return f"{length:,.0f}" if length >= 100 else f"{length:.3g}"  # noqa: PLR2004 - three digits


def _why_not(
    series: NDArray[np.float64], step: float, needs: dict[str, float], groups: int, unit: str
) -> str | None:
    """Say why the periods seen tell nothing about others, or None when they do."""
    least = max(groups, LEAST)
    if series.size < least:
        return f"too few independent periods: {series.size}, at least {least} are needed"
    length = step * (series.size // groups)
    name = max(needs, key=lambda need: needs[need])
    if length < needs[name] * (1 - 1e-9):  # lengths are sums of floats
        return (
            f"too few independent periods: {groups} stretches of {_figure(length)} {unit} are "
            f"shorter than the {name}, {_figure(needs[name])} {unit}"
        )
    p = trend_p(series)
    if p <= _TREND_LEVEL:
        return f"the difference has a trend (p = {p:.2g}): these periods are not like one another"
    return None

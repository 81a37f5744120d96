"""Intervals that leave out one day at a time, because rows of a day are not independent."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from tidemill.core.errors import BadInput
from tidemill.core.limits import Between, OneOf, Whole
from tidemill.core.rule import check
from tidemill.core.verdict import Estimate
from tidemill.statistics.weighted import checked_weights, n_effective

CONFIDENCE = Between(0.5, 0.999999)


def t_quantile(confidence: float, df: int, *, sides: Literal[1, 2] = 2) -> float:
    """Say how many standard errors an interval reaches from its middle.

    Examples
    --------
    >>> round(t_quantile(0.95, 5), 3)
    2.571
    >>> round(t_quantile(0.95, 5, sides=1), 3)
    2.015
    """
    return float(stdtrit(df, 1 - (1 - confidence) / sides))


def jackknife(
    statistic: Callable[[NDArray[np.bool_]], float],
    groups: NDArray[Any],
    weights: NDArray[Any],
    *,
    confidence: float = 0.95,
    sides: Literal[1, 2] = 2,
    least: int = 5,
) -> Estimate:
    """Estimate a statistic with an interval from leaving out one group at a time.

    The groups are the units of evidence: rows of one day share its weather, its users and
    its bugs, so a thousand rows of one day are one piece of evidence, not a thousand.

    Parameters
    ----------
    statistic
        Takes a mask of the rows to keep and returns the estimate on them, NaN if it cannot.
    groups
        The group of each row, usually its day; any values that can be sorted, none missing.
    weights
        One weight per row, at least 0. Rows of weight 0 are never kept and count nowhere.
    confidence
        Chance that the interval covers the truth, from 0.5 to 0.999999.
    sides
        2 for an interval; 1 for two bounds that each hold alone with ``confidence``.
    least
        Fewest groups that give an interval at all.

    Returns
    -------
    Estimate
        ``low`` and ``high`` are NaN below ``least`` groups or when the statistic is not
        finite with some group left out. A statistic that does not move at all between groups
        gives an interval of width 0, which is evidence of nothing but that.

    References
    ----------
    Tukey, J. W. (1958). Bias and confidence in not-quite large samples. Annals of
    Mathematical Statistics 29, 614.
    Shao, J. and Tu, D. (1995). The Jackknife and Bootstrap. Springer, chapter 6.

    Examples
    --------
    >>> x = np.array([1.0, 3.0, 2.0, 2.0, 4.0, 6.0])
    >>> day = np.array([1, 2, 3, 4, 5, 6])
    >>> print(jackknife(lambda keep: float(x[keep].mean()), day, np.ones(6)))
    3.0000 [1.1227, 4.8773]
    """
    check("jackknife", "confidence", confidence, CONFIDENCE)
    check("jackknife", "sides", str(sides), OneOf(("1", "2")))
    check("jackknife", "least", least, Whole(2))
    known = checked_weights(weights)
    rows = known > 0
    labels = _labels(groups, rows)
    count = int(labels.max(initial=-1)) + 1
    value = statistic(rows) if count else math.nan
    half = math.nan
    if count >= least and math.isfinite(value):
        left_out = np.array([statistic(rows & (labels != g)) for g in range(count)])
        half = t_quantile(confidence, count - 1, sides=sides) * _standard_error(left_out)
    return Estimate(
        value=float(value),
        low=float(value) - half,
        high=float(value) + half,
        n=int(rows.sum()),
        n_effective=n_effective(known),
        groups=count,
    )


def _labels(groups: NDArray[Any], rows: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number the groups that have a row with weight from 0; all other rows get -1."""
    known = np.asarray(groups)
    if known.shape != rows.shape:
        raise BadInput(
            f"groups have shape {known.shape}, weights {rows.shape}.", fix="pass one per row."
        )
    with_weight = known[rows]
    if _any_missing(with_weight):
        raise BadInput("a row has no group.", fix="give every row a day, or weight 0.")
    labels = np.full(rows.shape, -1, dtype=np.int64)
    labels[rows] = np.unique(with_weight, return_inverse=True)[1]
    return labels


def _any_missing(values: NDArray[Any]) -> bool:
    if values.dtype.kind == "O":
        return any(v is None or v != v for v in values.flat)  # noqa: PLR0124 - NaN is not itself
    return values.dtype.kind in "fMm" and bool((values != values).any())  # noqa: PLR0124 - as above


def _standard_error(left_out: NDArray[np.float64]) -> float:
    """Turn the leave-one-out values into a standard error, NaN if one is not finite."""
    if not np.isfinite(left_out).all():
        return math.nan
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(np.square(left_out - left_out.mean()).sum())
    error = math.sqrt(spread * (left_out.size - 1) / left_out.size)
    return error if math.isfinite(error) else math.nan

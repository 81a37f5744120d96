"""Since when a series is different, once somebody has noticed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.core.limits import Whole
from tidemill.core.rule import check

Floats = NDArray[np.float64]


def onset(values: NDArray[Any], alarm: int, *, least: int = 1) -> int:
    """Say since when a series is different, given where that was noticed.

    The values up to the alarm are split in two where least squares says; the second part, which
    holds the alarm, differs from the first in the direction of the alarm.

    Parameters
    ----------
    values
        One number per window, in order of time, without season; NaN where there is none.
    alarm
        The place where it was noticed; values after it are not looked at.
    least
        How many values there must be before the onset.

    Returns
    -------
    int
        The place of the first different value; the alarm itself where nothing can be told.

    Raises
    ------
    BadInput
        If the values are no series or the alarm is not in it.

    References
    ----------
    Hinkley, D. V. (1970). Inference about the change-point in a sequence of random variables.
    Biometrika 57, 1-17.

    Examples
    --------
    >>> onset(np.array([0.1, -0.1, 0.0, 0.1, 2.0, 2.2, 3.0]), 6)
    4
    """
    series = series_of(values)
    check("onset", "least", least, Whole(1))
    _within(alarm, series)
    known = series[: alarm + 1]
    places = np.flatnonzero(np.isfinite(known))
    x = known[places]
    if x.size < least + 1 or places[-1] != alarm:
        return alarm
    x = x / (float(np.abs(x).max()) or 1.0)
    first = np.arange(least, x.size)
    before = np.cumsum(x)[first - 1] / first
    after = np.cumsum(x[::-1])[::-1][first] / (x.size - first)
    direction = 1.0 if x[-1] >= float(np.median(x)) else -1.0
    apart = np.maximum(direction * (after - before), 0.0)
    gain = np.square(apart) * first * (x.size - first)
    return int(places[first[int(gain.argmax())]]) if gain.any() else alarm


def since(deviations: NDArray[Any], alarm: int) -> int:
    """Say since when a series is away from what was expected of it, given where it is now.

    The most likely start of a shift as large as that at the alarm, when the deviations before
    it are around 0: earlier incidents that are over do not count.

    Parameters
    ----------
    deviations
        Value less what was expected, one per window, in order of time; NaN where unknown.
    alarm
        The place where it was noticed; what comes after is not looked at.

    Raises
    ------
    BadInput
        If the deviations are no series or the alarm is not in it.

    References
    ----------
    Page, E. S. (1954). Continuous inspection schemes. Biometrika 41, 100-115.

    Examples
    --------
    >>> since(np.array([0.1, -4.0, -4.2, 0.2, -0.1, 0.0, -3.5, -4.0]), 7)
    6
    """
    series = series_of(deviations)
    _within(alarm, series)
    shift = float(series[alarm])
    if not math.isfinite(shift) or shift == 0:
        return alarm
    with np.errstate(over="ignore", invalid="ignore"):
        towards = np.nan_to_num(series[: alarm + 1] / shift - 0.5, posinf=1e9, neginf=-1e9)
    towards[~np.isfinite(series[: alarm + 1])] = 0.0
    sums = np.cumsum(towards[::-1])
    return alarm - int(sums.argmax())  # the latest of those as likely, so one with a value


def _within(alarm: int, series: Floats) -> None:
    if not 0 <= alarm < series.size:
        raise BadInput(f"alarm {alarm} is not in {series.size} values.", fix="pass its place.")


def series_of(values: NDArray[Any]) -> Floats:
    """Return a copy of one number per window, NaN where it is not finite.

    Examples
    --------
    >>> series_of(np.array([1.0, np.inf])).tolist()
    [1.0, nan]
    """
    series = np.array(values, dtype=np.float64)
    if series.ndim != 1:
        raise BadInput(f"values have shape {series.shape}.", fix="pass one number per window.")
    series[~np.isfinite(series)] = np.nan
    return series

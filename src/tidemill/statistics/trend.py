"""Whether a series goes somewhere, judged by its slow movements alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from tidemill.core.errors import BadInput

WAVES = 4
LEAST = WAVES + 2


def trend_p(values: NDArray[Any]) -> float:
    """Return the p-value of a straight trend, two-sided, when neighbours resemble each other.

    The size of the trend is held against the four slowest waves that are neither level nor
    trend. Short memory lifts all of them alike, so it does not pass for a trend: at 5 % false
    alarms are 4 to 6 % for an AR(1) correlation up to 0.3 at 26 periods and up to 0.6 at 52,
    8 % for 0.6 at 26. Exact for independent normal values.

    Parameters
    ----------
    values
        One number per period, in order of time; at least 6, all finite.

    Returns
    -------
    float
        The p-value; NaN below 6 values or when one is not finite. 1 when the series is flat.

    References
    ----------
    Mueller, U. K. and Watson, M. W. (2008). Testing models of low-frequency variability.
    Econometrica 76, 979-1016.
    Lazarus, E., Lewis, D. J., Stock, J. H. and Watson, M. W. (2018). HAR inference:
    recommendations for practice. Journal of Business and Economic Statistics 36, 541-559.

    Examples
    --------
    >>> up_and_down = np.tile([1.0, 2.0, 0.0], 9)
    >>> round(trend_p(up_and_down), 2)
    0.15
    >>> round(trend_p(up_and_down + np.arange(27.0)), 4)
    0.0
    """
    series = np.asarray(values, dtype=np.float64)
    if series.ndim != 1:
        raise BadInput(f"values have shape {series.shape}.", fix="pass one number per period.")
    if series.size < LEAST or not np.isfinite(series).all():
        return math.nan
    at = (np.arange(series.size) + 0.5) / series.size
    waves = [np.cos(math.pi * j * at) for j in range(2, WAVES + 2)]
    basis: NDArray[np.float64] = np.linalg.qr(np.stack([np.ones_like(at), at, *waves], axis=1))[0]
    apart = series - series.mean()
    scale = float(np.abs(apart).max())
    if scale <= np.finfo(np.float64).eps * float(np.abs(series).max()):
        return 1.0
    parts = basis.T @ (apart / scale)
    noise = math.sqrt(float(np.square(parts[2:]).mean()))
    size = abs(float(parts[1]))
    return 2 * float(stdtr(WAVES, -size / noise)) if noise else float(size == 0)

"""How the allowed false alarms are shared: over tests, over windows, over looks at a window."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri

from tidemill.core.errors import BadInput
from tidemill.core.limits import Between, Whole
from tidemill.core.rule import check
from tidemill.statistics.roots import root

Floats = NDArray[np.float64]

_ALPHA = Between(0, 1, open_low=True)
_SOME = Between(0, math.inf, open_low=True)
_MOST = 0.5
_GRID = 8  # points of the integration per sd of one step between looks


def holm(p: NDArray[Any]) -> Floats:
    """Return Holm's adjusted p-values: those at most alpha are significant together.

    The chance of any false one among them is at most alpha, however the tests depend on one
    another.

    Parameters
    ----------
    p
        One p per test. NaN says that a test could not say anything: it stays NaN and takes
        nothing from the others.

    Raises
    ------
    BadInput
        When a p is outside 0 to 1.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian
    Journal of Statistics 6, 65-70.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, np.nan, 0.03])).round(3)
    array([0.03, 0.06,  nan, 0.06])
    """
    known = np.asarray(p, dtype=np.float64)
    if known.ndim != 1 or ((known < 0) | (known > 1)).any():
        raise BadInput("p-values are from 0 to 1.", fix="pass one p per test, NaN where none.")
    adjusted = np.full(known.shape, math.nan)
    spoke = np.flatnonzero(~np.isnan(known))
    order = spoke[np.argsort(known[spoke], kind="stable")]
    stepped = known[order] * np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(stepped))
    return adjusted


def corrected_alpha(alpha: float, tests: int) -> float:
    """Return the level each of many tests gets so that any of them errs with alpha at most.

    Parameters
    ----------
    alpha
        For all tests together.
    tests
        How many can give a verdict, 0 or more.

    Examples
    --------
    >>> corrected_alpha(0.05, 20), corrected_alpha(0.05, 0)
    (0.0025, 0.05)
    """
    check("corrected_alpha", "alpha", alpha, _ALPHA)
    check("corrected_alpha", "tests", tests, Whole(0))
    return alpha / max(tests, 1)


def false_alarm_alpha(pages: float, per_days: float, window_days: float) -> float:
    """Return the level of one base window that a budget of false pages allows.

    A false alarm of a window is one page, whatever number of its tests took part.

    Parameters
    ----------
    pages, per_days
        So many pages are accepted in so many days when nothing changes.
    window_days
        Length of a base window, in days.

    Returns
    -------
    float
        Above 0, at most 0.5: where the budget allows more than a page every other window,
        more false alarms would be no service.

    Examples
    --------
    >>> round(false_alarm_alpha(2, 30, 1), 4)
    0.0667
    >>> false_alarm_alpha(10, 7, 1)
    0.5
    """
    check("false_alarm_alpha", "pages", pages, _SOME)
    check("false_alarm_alpha", "per_days", per_days, _SOME)
    check("false_alarm_alpha", "window_days", window_days, _SOME)
    return min(_MOST, pages * window_days / per_days)


def within_window(looks: int, *, alpha: float = 0.05) -> Floats:
    """Return the share of a window's alpha that each look at it may be tested at.

    O'Brien and Fleming's boundaries for evenly spaced looks at a growing window: early looks
    need overwhelming evidence, the last is tested at nearly the whole level, and all of them
    together err with alpha. A look that finds ``p <= alpha * share`` may alarm.

    Parameters
    ----------
    looks
        How many looks, the last one at the end of the window.
    alpha
        The level of the window, the same that the shares are then multiplied by.

    Returns
    -------
    ndarray
        One share per look, rising, the last at most 1.

    References
    ----------
    O'Brien, P. C. and Fleming, T. R. (1979). A multiple testing procedure for clinical
    trials. Biometrics 35, 549-556.
    Armitage, P., McPherson, C. K. and Rowe, B. C. (1969). Repeated significance tests on
    accumulating data. JRSS A 132, 235-244.

    Examples
    --------
    >>> within_window(1)
    array([1.])
    >>> [float(share) for share in within_window(4).round(4)]
    [0.001, 0.084, 0.3883, 0.8588]
    """
    check("within_window", "looks", looks, Whole(1))
    check("within_window", "alpha", alpha, _ALPHA)
    if looks == 1 or alpha >= 1:
        return np.ones(looks)
    low = float(-ndtri(alpha / 2))

    def missed(boundary: float) -> float:
        return math.log(_crossing(boundary, looks) / alpha)

    # Four: looking all the time at most doubles the chance of ending beyond the boundary.
    high = float(-ndtri(alpha / 4)) + 1e-6
    boundary = root(missed, low, high, absolute=1e-7)
    times = np.arange(1, looks + 1) / looks
    shares = 2 * np.exp(log_ndtr(-boundary / np.sqrt(times))) / alpha
    return np.minimum(shares, 1.0)


def _crossing(boundary: float, looks: int) -> float:
    """Return the chance that a Brownian motion on [0, 1] is beyond the boundary at some look."""
    sd = 1 / math.sqrt(looks)
    points = 2 * math.ceil(boundary / sd * _GRID) + 1
    nodes, weights = np.polynomial.legendre.leggauss(points)
    at, weights = boundary * nodes, boundary * weights
    step = np.exp(-0.5 * ((at[:, None] - at[None, :]) / sd) ** 2) / (sd * math.sqrt(2 * math.pi))
    inside = np.exp(-0.5 * (at / sd) ** 2) / (sd * math.sqrt(2 * math.pi))
    beyond = 2 * float(ndtr(-boundary / sd))
    leaves = ndtr(-(boundary - at) / sd) + ndtr(-(boundary + at) / sd)
    for _ in range(looks - 1):
        beyond += float((weights * inside) @ leaves)
        inside = step @ (weights * inside)
    return beyond

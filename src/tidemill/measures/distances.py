"""How far two distributions are apart: every distance people ask for, and which to use.

The defaults are :func:`earth_mover` for numbers and :func:`l1` for categories, debiased and
with an interval by :func:`effect`, because both say how much has moved in words people use:
by how many standard deviations, and what share of the rows. Every one of these distances is above
0 for two samples of the same distribution; ``CHANCE`` says how large it is then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.measures.aligned import Aligned, Counted, aligned, binned, lumped, robust_sd
from tidemill.measures.chance import CHANCE, expected_l1, expected_under_no_change
from tidemill.measures.effects import Effect, day_effect, effect

__all__ = [
    "CHANCE",
    "DISTANCES",
    "Aligned",
    "Effect",
    "aligned",
    "binned",
    "chi_square",
    "day_effect",
    "earth_mover",
    "effect",
    "expected_l1",
    "expected_under_no_change",
    "hellinger",
    "jensen_shannon",
    "kl",
    "ks",
    "l1",
    "l_infinity",
    "lumped",
    "psi",
    "robust_sd",
]


def earth_mover(reference: Counted, current: Counted) -> float:
    """How far values have moved on average, in their own units; the default for numbers.

    The area between the two distribution functions (Wasserstein-1). It grows with the
    distance values moved, where all others only see that they left their bin. On a grid it
    is within 1e-3 of a robust sd of the exact value. Not for categories: they have no order.
    One wild value among few rows moves it a lot: take :func:`effect` as the size of a change
    and a rank test as its evidence.

    Parameters
    ----------
    reference, current
        Numbers on one grid, or arrays.

    Returns
    -------
    float
        NaN when one of them has no value.

    Examples
    --------
    >>> reference = np.arange(1000.0)
    >>> round(earth_mover(reference, reference + 50), 1)
    50.0
    """
    pair, at = _ordered(reference, current, "the earth mover's distance")
    if pair.empty:
        return math.nan
    apart = np.abs(_distribution_gap(pair))
    return float(apart @ np.diff(at))


def ks(reference: Counted, current: Counted) -> float:
    """The largest gap between the two distribution functions (Kolmogorov and Smirnov).

    Blind to how far values moved and weak in the tails; with many rows its test calls any
    difference significant. For continuity with other tools. On a grid it is too small by at
    most what the fullest cell holds, .005 for a bell curve.

    Examples
    --------
    >>> ks(np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 4.0, 5.0, 6.0]))
    0.5
    """
    pair, _ = _ordered(reference, current, "KS")
    return math.nan if pair.empty else float(np.abs(_distribution_gap(pair)).max(initial=0.0))


def l1(reference: Counted, current: Counted) -> float:
    """Sum of the differences of shares, 0 to 2; half of it is the share of rows that moved.

    The default for categories, there as debiased total variation on the most frequent values
    (:func:`effect`): over thousands of rare values it is sampling noise. Numbers are put in 32
    bins with equal shares of the reference.

    Examples
    --------
    >>> l1(np.array(["a", "b"]), np.array(["a", "a"]))
    1.0
    """
    return _of_shares(reference, current, lambda p, q: float(np.abs(p - q).sum()))


def l_infinity(reference: Counted, current: Counted) -> float:
    """The largest change of a single share: names the value that moved most.

    Good beside :func:`l1` when one value takes over; blind to many small moves. Numbers are
    put in 32 bins with equal shares of the reference.

    Examples
    --------
    >>> l_infinity(np.array(["a", "b"]), np.array(["a", "a"]))
    0.5
    """
    return _of_shares(reference, current, lambda p, q: float(np.abs(p - q).max()))


def jensen_shannon(reference: Counted, current: Counted) -> float:
    """The root of the Jensen-Shannon divergence to base 2, from 0 to 1.

    Needs no rule for empty cells. Not the default: a value of .1 has no meaning in rows or
    units, and it grows with the number of values and shrinks with the rows when nothing
    changed, so that no fixed threshold fits. Numbers are put in 32 bins.

    Examples
    --------
    >>> jensen_shannon(np.array(["a", "a"]), np.array(["b", "b"]))
    1.0
    """

    def root(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
        middle = (p + q) / 2
        divergence = (_divergence(p, middle) + _divergence(q, middle)) / 2 / math.log(2)
        return math.sqrt(max(divergence, 0.0))

    return _of_shares(reference, current, root)


def hellinger(reference: Counted, current: Counted) -> float:
    """The Hellinger distance, from 0 to 1.

    Like :func:`jensen_shannon` in use and in why it is not the default. Sensitive to rare
    values, and so to the noise in them. Numbers are put in 32 bins.

    Examples
    --------
    >>> hellinger(np.array(["a", "a"]), np.array(["b", "b"]))
    1.0
    """
    return _of_shares(
        reference, current, lambda p, q: math.sqrt(max(0.0, 1.0 - float(np.sqrt(p * q).sum())))
    )


def psi(reference: Counted, current: Counted) -> float:
    """The population stability index: KL in both directions, added up.

    For banks that must report it. Not the default: it is infinite when a cell is empty on
    one side, so half a row is added to each cell on both sides, and that choice moves it;
    the usual limits (.1, .25) ignore the rows: with 200 of them and 20 cells it averages .2
    when nothing changed. Numbers are put in 32 bins.

    Examples
    --------
    >>> psi(np.array(["a", "b"]), np.array(["a", "b"]))
    0.0
    """
    return _of_smoothed(reference, current, lambda p, q: float(((p - q) * np.log(p / q)).sum()))


def kl(reference: Counted, current: Counted) -> float:
    """The Kullback-Leibler divergence of the current rows from the reference, in nats.

    For comparison with the literature. Not the default: no distance (it has a direction),
    unbounded, and it needs half a row in each cell as :func:`psi` does. Numbers are put in
    32 bins.

    Examples
    --------
    >>> kl(np.array(["a", "b"]), np.array(["a", "b"]))
    0.0
    """
    return _of_smoothed(reference, current, lambda p, q: _divergence(q, p))


def chi_square(reference: Counted, current: Counted) -> float:
    """The chi-square statistic of two samples: both are counts, neither is the truth.

    Not a size: it grows with the rows, so it says whether, never how much. Its chi-square
    law fails with cells of few rows. Many tools test the current rows against the reference
    as if that were exactly known, which alarms too often; this one does not. Numbers are put
    in 32 bins.

    Examples
    --------
    >>> round(chi_square(np.array(["a"] * 30 + ["b"] * 20), np.array(["a"] * 20 + ["b"] * 30)), 6)
    4.0
    """
    pair = binned(aligned(reference, current))
    if pair.empty:
        return math.nan
    n, m = int(pair.reference.sum()), int(pair.current.sum())
    total = pair.reference + pair.current
    moved = math.sqrt(m / n) * pair.reference - math.sqrt(n / m) * pair.current
    known = total > 0
    return float((np.square(moved[known]) / total[known]).sum())


DISTANCES: Mapping[str, Callable[[Counted, Counted], float]] = MappingProxyType(
    {
        "earth_mover": earth_mover,
        "l1": l1,
        "l_infinity": l_infinity,
        "ks": ks,
        "jensen_shannon": jensen_shannon,
        "hellinger": hellinger,
        "psi": psi,
        "kl": kl,
        "chi_square": chi_square,
    }
)
"""Each distance by its name, the ones to use first."""


def _ordered(
    reference: Counted, current: Counted, what: str
) -> tuple[Aligned, NDArray[np.float64]]:
    pair = aligned(reference, current)
    if pair.at is None:
        raise BadInput(f"{what} needs an order; categories have none.", fix="use l1.")
    return pair, pair.at


def _distribution_gap(pair: Aligned) -> NDArray[np.float64]:
    """Return the difference of the distribution functions after each cell but the last."""
    p, q = (np.cumsum(side)[:-1] / side.sum() for side in (pair.reference, pair.current))
    return p - q


def _of_shares(
    reference: Counted,
    current: Counted,
    formula: Callable[[NDArray[np.float64], NDArray[np.float64]], float],
) -> float:
    pair = binned(aligned(reference, current))
    return math.nan if pair.empty else formula(*pair.shares)


def _of_smoothed(
    reference: Counted,
    current: Counted,
    formula: Callable[[NDArray[np.float64], NDArray[np.float64]], float],
) -> float:
    """Use shares with half a row added to every cell of both sides."""
    pair = binned(aligned(reference, current))
    if pair.empty:
        return math.nan
    one, other = pair.reference + 0.5, pair.current + 0.5
    return formula(one / one.sum(), other / other.sum())


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    known = p > 0
    return float((p[known] * np.log(p[known] / q[known])).sum())

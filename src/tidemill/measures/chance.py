"""How large a distance is expected to be by chance, when nothing changed at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from tidemill.core.errors import unknown
from tidemill.measures.aligned import Aligned, Counted, aligned, binned

_MEAN_OF_NORMAL = math.sqrt(2 / math.pi)  # the mean of |Z|
_FEW = 30  # rows of a cell in both samples, up to which its chance is added up exactly
_DRAWS = 400


def expected_l1(reference: Counted, current: Counted) -> float:
    """Say how large :func:`l1` is on average if both are samples of one distribution.

    Parameters
    ----------
    reference, current
        As for the distance itself.

    Returns
    -------
    float
        NaN when one of them has no row.

    Examples
    --------
    >>> rows = np.array(["a", "b"] * 500)
    >>> round(expected_l1(rows, rows), 4)
    0.0357
    """
    return expected_under_no_change("l1", reference, current)


def expected_under_no_change(name: str, reference: Counted, current: Counted) -> float:
    """Say how large a distance is on average if both are samples of one distribution.

    That distribution is taken to be both samples together. L1 and the earth mover's
    distance are added up cell by cell, L-infinity is drawn 400 times with a fixed seed; the
    others are large-sample approximations, too large when most cells hold less than 5 rows.

    Raises
    ------
    NotFound
        If there is no distance of this name.

    Examples
    --------
    >>> rows = np.array(["a", "b"] * 500)
    >>> round(expected_under_no_change("chi_square", rows, rows), 2)
    1.0
    """
    if name not in CHANCE:
        raise unknown("distance", name, CHANCE)
    pair = aligned(reference, current)
    if name not in {"earth_mover", "ks"}:
        pair = binned(pair)
    return math.nan if pair.empty else CHANCE[name](pair)


def _l1(pair: Aligned) -> float:
    n, m, total = _sizes(pair)
    few = total[total <= _FEW]
    many = total[total > _FEW] / (n + m)
    each = np.bincount(few, minlength=_FEW + 1)[1:]
    exact = float(each @ _mean_gaps(n, m)) if few.size else 0.0
    return exact + _MEAN_OF_NORMAL * float(np.sqrt(many * (1 - many) * (1 / n + 1 / m)).sum())


def _mean_gaps(n: int, m: int) -> NDArray[np.float64]:
    """Return E |X/n - (t-X)/m| for t = 1 to 30 rows of a cell, X of them in the first sample."""
    t = np.arange(1, _FEW + 1)[:, None]
    x = np.arange(_FEW + 1)[None, :]
    with np.errstate(invalid="ignore"):
        log_chance = (
            gammaln(t + 1)
            - gammaln(x + 1)
            - gammaln(np.maximum(t - x, 0) + 1)
            + x * math.log(n / (n + m))
            + (t - x) * math.log(m / (n + m))
        )
    chance = np.where(x <= t, np.exp(log_chance), 0.0)
    return (chance * np.abs(x / n - (t - x) / m)).sum(axis=1)


def _earth_mover(pair: Aligned) -> float:
    n, m, total = _sizes(pair)
    if pair.at is None:
        return math.nan
    upto = np.cumsum(total)[:-1] / (n + m)
    spread = np.sqrt(upto * (1 - upto) * (1 / n + 1 / m))
    return _MEAN_OF_NORMAL * float(spread @ np.diff(pair.at))


def _l_infinity(pair: Aligned) -> float:
    n, m, total = _sizes(pair)
    # The largest gap is among the fullest cells, where chance moves most rows.
    share = np.sort(total)[::-1][:200] / (n + m)
    rng = np.random.default_rng(0)
    one, other = (rng.poisson(share * size, (_DRAWS, share.size)) / size for size in (n, m))
    # Shares of a fixed number of rows vary less than counts do, by the share itself.
    gap = np.abs(one - other) * np.sqrt(1 - share)
    return float(gap.max(axis=1).mean())


def _ks(pair: Aligned) -> float:
    n, m, _ = _sizes(pair)
    return math.sqrt(math.pi / 2) * math.log(2) * math.sqrt(1 / n + 1 / m)


def _chi_square(pair: Aligned) -> float:
    return float(np.count_nonzero(pair.reference + pair.current) - 1)


def _per_row(pair: Aligned) -> float:
    n, m, _ = _sizes(pair)
    return _chi_square(pair) * (1 / n + 1 / m)


def _sizes(pair: Aligned) -> tuple[int, int, NDArray[np.int64]]:
    return (
        int(pair.reference.sum()),
        int(pair.current.sum()),
        pair.reference + pair.current,
    )


CHANCE: Mapping[str, Callable[[Aligned], float]] = MappingProxyType(
    {
        "earth_mover": _earth_mover,
        "l1": _l1,
        "l_infinity": _l_infinity,
        "ks": _ks,
        "jensen_shannon": lambda pair: math.sqrt(_per_row(pair) / 8 / math.log(2)),
        "hellinger": lambda pair: math.sqrt(_per_row(pair) / 8),
        "psi": _per_row,
        "kl": lambda pair: _per_row(pair) / 2,
        "chi_square": _chi_square,
    }
)
"""For each distance, what it is on average under no change, from the counts side by side."""

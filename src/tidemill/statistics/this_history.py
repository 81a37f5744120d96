"""The interval of a difference between two strategies on the very history that was replayed."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from tidemill.core.errors import BadInput
from tidemill.core.rule import check
from tidemill.core.verdict import Estimate
from tidemill.statistics.jackknife import CONFIDENCE


class _Part(NamedTuple):
    """A variance and the degrees of freedom it was estimated with."""

    variance: float
    df: int


def this_history(
    unit_effects: NDArray[Any],
    seed_values: NDArray[Any],
    *,
    confidence: float = 0.95,
    deterministic: bool = False,
) -> Estimate:
    """Estimate a paired difference of two strategies, had other units come and other seeds fallen.

    Two things could have been otherwise on the same history: who came, and how training fell
    out. Their variances add up. With the effects of each seed pair apart, what units and
    seeds do only together, which both parts hold, is counted once.

    Parameters
    ----------
    unit_effects
        What each independent unit moves the difference by (see ``influence.py``), summing to
        about 0. Shape (units,) for the difference averaged over seed pairs; or (seed pairs,
        units). The first is too wide when units answer differently to each seed, up to
        1.4 times for a strategy against itself.
    seed_values
        The difference over all scored steps for each seed pair, shape (seed pairs,).
    confidence
        Chance that the interval covers the truth, from 0.5 to 0.999999.
    deterministic
        Whether training has no randomness at all; then one seed pair is enough.

    Returns
    -------
    Estimate
        ``n`` counts units, ``groups`` seed pairs. ``low`` and ``high`` are NaN with one seed
        pair (unless deterministic), with one unit, or when a number is not finite. When all
        numbers are exactly 0 the interval is [0, 0]: the two did the same.

    References
    ----------
    Cornfield, J. and Tukey, J. W. (1956). Average values of mean squares in factorials.
    Annals of Mathematical Statistics 27, 907-949.
    Owen, A. B. (2007). The pigeonhole bootstrap. Annals of Applied Statistics 1, 386-411.
    Welch, B. L. (1947). The generalization of "Student's" problem when several different
    population variances are involved. Biometrika 34, 28-35.

    Examples
    --------
    >>> units = np.array([0.02, -0.01, 0.03, -0.04])
    >>> print(this_history(units, np.array([0.21, 0.25, 0.23])))
    0.2300 [0.0324, 0.4276]
    >>> print(this_history(units, np.array([0.23])))
    0.2300 [no interval, 1 days]
    """
    check("this_history", "confidence", confidence, CONFIDENCE)
    effects, seeds = _checked(unit_effects, seed_values)
    value = float(seeds.mean())
    half = math.nan
    if np.isfinite(effects).all() and np.isfinite(seeds).all() and effects.shape[1]:
        if not effects.any() and not seeds.any():
            half = 0.0
        else:
            half = _half_width(_of_seeds(seeds, deterministic), _of_units(effects), confidence)
    return Estimate(
        value=value,
        low=value - half,
        high=value + half,
        n=effects.shape[1],
        n_effective=float(effects.shape[1]),
        groups=seeds.size,
    )


def _checked(
    unit_effects: NDArray[Any], seed_values: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the effects as (1 or seed pairs, units) and the values of the seed pairs."""
    effects = np.atleast_2d(np.asarray(unit_effects, dtype=np.float64))
    seeds = np.asarray(seed_values, dtype=np.float64)
    if seeds.ndim != 1 or not seeds.size:
        raise BadInput(f"seed values have shape {seeds.shape}.", fix="pass one per seed pair.")
    if np.ndim(unit_effects) not in {1, 2} or effects.shape[0] not in {1, seeds.size}:
        raise BadInput(
            f"unit effects have shape {np.shape(unit_effects)} with {seeds.size} seed pairs.",
            fix="pass shape (units,) or (seed pairs, units).",
        )
    return effects, seeds


def _of_seeds(seeds: NDArray[np.float64], deterministic: bool) -> _Part:  # noqa: FBT001 - inside
    """Return the variance of the mean over seed pairs, units held."""
    if seeds.size == 1:
        return _Part(0.0 if deterministic else math.nan, 1)
    return _Part(float(seeds.var(ddof=1)) / seeds.size, seeds.size - 1)


def _of_units(effects: NDArray[np.float64]) -> _Part:
    """Return the variance over units of the seed average, less what seeds put into it."""
    pairs, count = effects.shape
    if count == 1:
        return _Part(math.nan, 1)
    own = effects - effects.mean(axis=1, keepdims=True)
    spread = float(np.square(own.mean(axis=0)).sum())
    if pairs > 1:
        together = float(np.square(own - own.mean(axis=0)).sum()) / (pairs * (pairs - 1))
        spread = max(0.0, spread - together)
    return _Part(spread * count / (count - 1), count - 1)


def _half_width(seeds: _Part, units: _Part, confidence: float) -> float:
    """Return the half width of the t interval, its degrees of freedom by Welch-Satterthwaite."""
    variance = seeds.variance + units.variance
    if not variance > 0:
        return variance  # 0, or NaN when a part is not known
    shares = [part.variance / variance for part in (seeds, units)]
    df = 1 / sum(share**2 / part.df for share, part in zip(shares, (seeds, units), strict=True))
    return float(stdtrit(df, (1 + confidence) / 2)) * math.sqrt(variance)

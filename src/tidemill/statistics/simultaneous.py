"""Lower limits for the gains of many strategies, which hold all at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.core.limits import Whole
from tidemill.core.rule import check
from tidemill.statistics.jackknife import CONFIDENCE


def lower_limits(
    unit_effects: NDArray[Any],
    seed_values: NDArray[Any],
    *,
    confidence: float = 0.95,
    deterministic: bool = False,
    training_resampled: bool = False,
    draws: int = 20_000,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return a lower limit for each strategy's gain over one reference, all at once.

    The best of twenty strategies is above the reference by luck alone. Here the largest of
    all errors is what is allowed for: units correlate as they do in the data; seeds, of which
    there are too few to say, count as independent between strategies, which is the safe side.

    Parameters
    ----------
    unit_effects
        What each unit moves each gain by, averaged over seed pairs; shape (units, strategies),
        each column summing to about 0.
    seed_values
        The gains for each seed pair; shape (seed pairs, strategies).
    confidence
        Chance that all limits hold, from 0.5 to 0.999999.
    deterministic
        Whether training has no randomness at all; then one seed pair is enough.
    training_resampled
        Whether each seed also drew its training rows anew, with replacement, from those it
        had. Then the limits allow for the luck of the training rows too. Without it a gain
        over a model that was trained once may be nothing but that model's bad luck.
    draws
        Number of simulated largest errors, at least 1000.
    seed
        Of the simulation.

    Returns
    -------
    numpy.ndarray
        One limit per strategy; NaN with one seed pair (unless deterministic), with one unit,
        or when one of its numbers is not finite. A strategy that never differs from the reference has 0.

    References
    ----------
    Hothorn, T., Bretz, F. and Westfall, P. (2008). Simultaneous inference in general
    parametric models. Biometrical Journal 50, 346-363.
    Romano, J. P. and Wolf, M. (2005). Stepwise multiple testing as formalized data snooping.
    Econometrica 73, 1237-1282.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> units = rng.normal(size=(400, 2)) / 400
    >>> seeds = np.array([0.0, 0.5]) + 0.01 * rng.normal(size=(5, 2))
    >>> lower_limits(units - units.mean(axis=0), seeds).round(1)
    array([-0.1,  0.4])
    """
    check("lower_limits", "confidence", confidence, CONFIDENCE)
    check("lower_limits", "draws", draws, Whole(1000))
    effects, values = _checked(unit_effects, seed_values)
    pairs, units = len(values), len(effects)
    gains = values.mean(axis=0)
    limits = np.full(values.shape[1:], np.nan)
    if units == 1 or (pairs == 1 and not deterministic):
        return limits
    known = np.isfinite(values).all(axis=0) & np.isfinite(effects).all(axis=0)
    own = effects[:, known] - effects[:, known].mean(axis=0)
    of_units = own.T @ own * units / (units - 1)
    of_seeds = np.zeros(int(known.sum()))
    if pairs > 1:
        of_seeds = values[:, known].var(axis=0, ddof=1) / pairs
        of_seeds *= pairs + 1 if training_resampled else 1
    moves = np.diagonal(of_units) + of_seeds > 0
    part = of_units[np.ix_(moves, moves)]
    reach = np.zeros(moves.size)
    if moves.any():
        error = np.sqrt(np.diagonal(part) + of_seeds[moves])
        largest = _largest(part, of_seeds[moves], (units - 1, max(1, pairs - 1)), draws, seed)
        reach[moves] = np.quantile(largest, confidence) * error
    limits[known] = gains[known] - reach
    return limits


def _checked(
    unit_effects: NDArray[Any], seed_values: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    effects = np.asarray(unit_effects, dtype=np.float64)
    values = np.asarray(seed_values, dtype=np.float64)
    flat = effects.ndim == values.ndim == 2  # noqa: PLR2004 - rows and columns
    if not flat or effects.shape[1] != values.shape[1] or not (effects.size and values.size):
        raise BadInput(
            f"unit effects have shape {effects.shape}, seed values {values.shape}.",
            fix="pass (units, strategies) and (seed pairs, strategies).",
        )
    return effects, values


def _largest(
    of_units: NDArray[np.float64],
    of_seeds: NDArray[np.float64],
    df: tuple[int, int],
    draws: int,
    seed: int,
) -> NDArray[np.float64]:
    """Simulate the largest of all gains over their standard errors when there is no gain."""
    rng = np.random.default_rng(seed)
    count = of_seeds.size
    values, vectors = np.linalg.eigh(of_units)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    noise = rng.normal(size=(draws, count)) @ root.T
    noise += rng.normal(size=(draws, count)) * np.sqrt(of_seeds)
    spread = np.diagonal(of_units) * rng.chisquare(df[0], size=(draws, 1)) / df[0]
    spread = spread + of_seeds * rng.chisquare(df[1], size=(draws, count)) / df[1]
    return np.asarray((noise / np.sqrt(spread)).max(axis=1), dtype=np.float64)

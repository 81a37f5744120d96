"""Differences of two distributions, place by place, and the noise in each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidemill.measures.aligned import Aligned

DRAWS = 400
_PLACES = 64  # where the noise of a distribution function is looked at
MEAN_OF_NORMAL = math.sqrt(2 / math.pi)
"""The mean of the absolute value of a standard normal."""
_BUMP = MEAN_OF_NORMAL * math.sqrt(3)


@dataclass(frozen=True, eq=False)
class Gap:
    """The differences whose absolute values, weighted, add up to a distance.

    Parameters
    ----------
    gap
        One difference a place, shape (m,), or draws of it, shape (draws, m).
    noise
        The standard error of each, shape (m,).
    weight
        What each counts for, shape (m,).
    """

    gap: NDArray[np.float64]
    noise: NDArray[np.float64]
    weight: NDArray[np.float64]

    def at(self, places: NDArray[np.int64], weight: NDArray[np.float64]) -> Gap:
        """Look at some places only, each standing for its surroundings."""
        return Gap(self.gap[..., places], self.noise[places], weight)

    def shrunk(self) -> NDArray[np.float64]:
        """Add up what is left of each absolute difference without its chance, shape () or (draws,).

        E|d + e| exceeds |d| by .798 standard errors at d = 0 and by nothing far from it. What
        is taken off, 1.382 exp(-z**2) of them, is .798 on average at d = 0 and as local.
        """
        size = np.abs(self.gap)
        z = np.divide(size, self.noise, out=np.full(size.shape, 9.0), where=self.noise > 0)
        return (size - _BUMP * self.noise * np.exp(-np.square(z))) @ self.weight


def upto(shares: NDArray[np.float64], *, ordered: bool) -> NDArray[np.float64]:
    """Return the distribution function after every cell but the last; shares as they are."""
    return np.cumsum(shares, axis=-1)[..., :-1] if ordered else shares


def gaps_of(pair: Aligned) -> NDArray[np.float64]:
    """Return the difference of each share, or of the distribution functions after each cell."""
    p, q = pair.shares
    return upto(p - q, ordered=pair.at is not None)


def weights_of(pair: Aligned) -> NDArray[np.float64]:
    """Return what each difference counts for: half, or how far it is to the next cell."""
    return np.full(pair.reference.size, 0.5) if pair.at is None else np.diff(pair.at)


def noise_of(counts: NDArray[np.int64], *, ordered: bool) -> NDArray[np.float64]:
    """Return the standard error of each share, or of the distribution function after each cell."""
    share = upto(counts / counts.sum(), ordered=ordered)
    return np.sqrt(np.maximum(share * (1 - share), 0.0) / counts.sum())


def places_of(
    whole: Gap, noise: NDArray[np.float64], *, ordered: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose at most 64 places, each standing for an equal part of the noise."""
    if not ordered or whole.gap.size <= _PLACES:
        return np.arange(whole.gap.size), whole.weight
    part = noise * whole.weight
    total = np.cumsum(part)
    if not total[-1]:
        return np.arange(0), np.zeros(0)
    label = np.minimum((total - part / 2) / total[-1] * _PLACES, _PLACES - 1).astype(np.int64)
    first = np.flatnonzero(np.diff(label, prepend=-1))
    last = np.append(first[1:], label.size) - 1
    middle = np.searchsorted(total, (total[last] + total[first] - part[first]) / 2)
    return np.clip(middle, first, last), np.add.reduceat(whole.weight, first)


def drawn_shares(
    counts: NDArray[np.int64],
    places: NDArray[np.int64],
    rng: np.random.Generator,
    *,
    ordered: bool,
) -> NDArray[np.float64]:
    """Draw the rows anew, and return the shares or the distribution function at the places."""
    if ordered:
        whole = np.cumsum(counts)
        counts = np.diff(np.concatenate([[0], whole[places], whole[-1:]]))
    again = rng.poisson(counts, size=(DRAWS, counts.size))
    return upto(again / np.maximum(again.sum(axis=1, keepdims=True), 1), ordered=ordered)

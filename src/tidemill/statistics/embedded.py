"""Windows of points as one vector each, so that distances of windows are those of vectors."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.statistics.discrepancy import Clouds, clouds
from tidemill.statistics.mmd import kernel_width

Floats = NDArray[np.float64]

BLOCK = 2048
"""Rows whose features are in memory at a time."""
SUBSAMPLE = 300
"""Rows whose distances give the width of the kernel."""
CELLS = 32
"""Cells of equal counts that a direction is cut into."""
FAR = 10.0
"""What is farther out than so many interquartile ranges counts as that far."""


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """Windows, one vector each, shape (windows, d).

    Parameters
    ----------
    windows
        The squared distance of two vectors is that of their windows.
    rows
        Rows of each window that have all their numbers.
    dropped
        Rows that were left out because a number was missing or infinite.
    lengths
        What turns the sum of the absolute differences of two vectors into a distance in the
        unit of the points; empty where there is no such distance.
    why
        Why there are no vectors; empty where there are.
    """

    windows: Floats
    rows: NDArray[np.int64]
    dropped: int
    lengths: Floats
    why: str = ""


def kernel_means(
    windows: Sequence[NDArray[Any]], *, features: int, standardise: bool, seed: int
) -> Embedded:
    """Embed windows by the mean of their random Fourier features: distances are the MMD.

    Parameters
    ----------
    windows
        The points of each, shapes (rows, d).
    features
        Random features, an even number.
    standardise
        Divide each dimension by its robust sd over all windows first.
    seed
        Of the features.

    References
    ----------
    Muandet, K., Fukumizu, K., Sriperumbudur, B. and Scholkopf, B. (2017). Kernel mean
    embedding of distributions. Foundations and Trends in Machine Learning 10, 1-141.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> days = [rng.normal(size=(500, 2)) + shift for shift in (0, 0, 2)]
    >>> made = kernel_means(days, features=64, standardise=True, seed=0).windows
    >>> near, far = (float(np.square(made[0] - other).sum()) for other in made[1:])
    >>> near < 0.01 < 0.1 < far
    True
    """
    found, unit = _together(windows)
    if isinstance(found, Embedded):
        return found
    points = (found.scaled() if standardise else found).together()
    rng = np.random.default_rng(seed)
    points = points / kernel_width(points, rng, most=SUBSAMPLE)
    frequencies = rng.normal(size=(points.shape[1], max(1, features // 2))).astype(np.float32)
    sums = np.zeros((len(windows), 2 * frequencies.shape[1]))
    ends = np.searchsorted(unit, np.arange(len(windows) + 1))
    for k, (first, last) in enumerate(itertools.pairwise(ends.tolist())):
        for at in range(first, last, BLOCK):
            angle = points[at : min(at + BLOCK, last)].astype(np.float32) @ frequencies
            sums[k] += np.concatenate([np.cos(angle).sum(axis=0), np.sin(angle).sum(axis=0)])
    rows = np.bincount(unit, minlength=len(windows)).astype(np.int64)
    means = sums / np.maximum(rows, 1)[:, None] / np.sqrt(frequencies.shape[1])
    return Embedded(windows=means, rows=rows, dropped=found.dropped, lengths=np.zeros(0))


def sliced_shares(
    windows: Sequence[NDArray[Any]], *, directions: int, standardise: bool, seed: int
) -> Embedded:
    """Embed windows by their shares of rows below cuts of random directions.

    Absolute differences make the sliced earth mover's distance, squared ones the sliced
    Cramer distance, which is what evidence is taken from.

    Parameters
    ----------
    windows
        The points of each, shapes (rows, d).
    directions
        Random directions.
    standardise
        Divide each dimension by its robust sd over all windows first.
    seed
        Of the directions.

    References
    ----------
    Bonneel, N., Rabin, J., Peyre, G. and Pfister, H. (2015). Sliced and Radon Wasserstein
    barycenters of measures. Journal of Mathematical Imaging and Vision 51, 22-45.
    Szekely, G. J. and Rizzo, M. L. (2013). Energy statistics: a class of statistics based on
    distances. Journal of Statistical Planning and Inference 143, 1249-1272.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> days = [rng.normal(size=(500, 1)) + shift for shift in (0, 2)]
    >>> made = sliced_shares(days, directions=1, standardise=False, seed=0)
    >>> round(float(np.abs(made.windows[0] - made.windows[1]) @ made.lengths), 1)
    2.0
    """
    found, unit = _together(windows)
    if isinstance(found, Embedded):
        return found
    found = found.scaled() if standardise else found
    points = np.concatenate([found.reference, found.current]).astype(np.float64)
    ways = np.random.default_rng(seed).normal(size=(points.shape[1], directions))
    ways /= np.sqrt(np.square(ways).sum(axis=0))
    largest = max(float(np.abs(points).max()), 1e-300)
    shares: list[Floats] = []
    lengths: list[Floats] = []
    rows = np.bincount(unit, minlength=len(windows)).astype(np.int64)
    for way in ways.T:
        along = (points / largest) @ way
        edges = _edges(along)
        place = np.asarray(np.searchsorted(edges[1:-1], along), dtype=np.int64)
        counts = np.bincount(unit * CELLS + place, minlength=len(windows) * CELLS)
        below = np.cumsum(counts.reshape(-1, CELLS), axis=1)[:, :-1]
        length = (edges[2:] - edges[:-2]) / 2 * largest / directions
        # A vector holds the share times the root of its length; squared, that is Cramer's.
        shares.append(below / np.maximum(rows, 1)[:, None] * np.sqrt(length))
        lengths.append(np.sqrt(length))
    made = np.concatenate(shares, axis=1)
    return Embedded(windows=made, rows=rows, dropped=found.dropped, lengths=np.concatenate(lengths))


def _edges(along: Floats) -> Floats:
    """Cut a direction into cells; one row far out is not given all of the way to it."""
    edges = np.quantile(along, np.arange(CELLS + 1) / CELLS)
    low, high = edges[CELLS // 4], edges[3 * CELLS // 4]
    far = FAR * (high - low)
    return np.clip(edges, low - far, high + far) if far > 0 else edges


def _together(windows: Sequence[NDArray[Any]]) -> tuple[Clouds | Embedded, NDArray[np.int64]]:
    """Bring the points of all windows together, and say of each which window it is of."""
    sizes = [len(window) for window in windows]
    unit = np.repeat(np.arange(len(windows)), sizes)
    half = sum(sizes[:-1])
    points = np.concatenate(list(windows)).astype(np.float64)
    whole = np.isfinite(points).all(axis=1)
    found = clouds(points[:half], points[half:], None)
    unit = unit[whole]
    doubt = found.doubt()
    if doubt:
        nothing = np.zeros((len(windows), 0))
        rows = np.bincount(unit, minlength=len(windows)).astype(np.int64)
        lost = Embedded(
            windows=nothing, rows=rows, dropped=found.dropped, lengths=np.zeros(0), why=doubt
        )
        return lost, unit
    return found, unit

"""Sliced earth mover's distance: the mean over random directions of that of the projections."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.limits import Whole
from tidemill.core.rule import check
from tidemill.statistics.discrepancy import Clouds, Discrepancy, clouds, unknown
from tidemill.statistics.permutation import memberships, permutation_p

Floats = NDArray[np.float64]

BLOCK = 1024
"""Rows whose cells and permutations are in memory at a time."""

CELLS = 64
"""Cells of equal counts that a direction is cut into for the permutations."""


def sliced(
    reference: NDArray[Any],
    current: NDArray[Any],
    *,
    units: tuple[NDArray[Any], NDArray[Any]] | None = None,
    permutations: int = 199,
    directions: int = 64,
    standardise: bool = True,
    seed: int = 0,
) -> Discrepancy:
    """Measure the sliced earth mover's distance of two samples and test it by permutation.

    Parameters
    ----------
    reference, current
        Shape (n, d) and (m, d). Rows with a missing or infinite number are left out.
    units
        The unit of each row of both sides, such as its day: units are permuted then, not
        rows, because rows of a day are not independent. None takes rows as independent.
    permutations
        How many; p is never below 1 / (permutations + 1).
    directions
        Random directions, evenly spread over the sphere.
    standardise
        Divide each dimension by its robust sd (IQR / 1.349) over both sides first; without,
        the dimension with the largest numbers rules.
    seed
        Of the directions and the permutations.

    Returns
    -------
    Discrepancy
        ``value`` is the mean over directions of the exact earth mover's distance, in
        robust sd when standardised; it is above 0 for samples of the same distribution too,
        so read it beside ``p``. The permutations compare it on 64 cells a
        direction, cut on both sides together, observed and permuted alike.

    References
    ----------
    Bonneel, N., Rabin, J., Peyre, G. and Pfister, H. (2015). Sliced and Radon Wasserstein
    barycenters of measures. Journal of Mathematical Imaging and Vision 51, 22-45.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = sliced(rng.normal(size=(500, 3)), rng.normal(0.5, size=(300, 3)))
    >>> found.p, 0.2 < found.value < 0.5
    (0.005, True)
    """
    check("sliced", "permutations", permutations, Whole(1))
    check("sliced", "directions", directions, Whole(1))
    of = "rows" if units is None else "units"
    method = f"sliced earth mover's distance, {permutations} permutations of {of}"
    found = clouds(reference, current, units)
    doubt = found.doubt()
    if doubt:
        return unknown(found, directions, method, doubt)
    found = found.scaled() if standardise else found
    points = np.concatenate([found.reference, found.current]).astype(np.float64)
    rng = np.random.default_rng(seed)
    ways = rng.normal(size=(points.shape[1], directions))
    ways /= np.sqrt(np.square(ways).sum(axis=0))
    n = len(found.reference)
    largest = max(float(np.abs(points).max()), 1e-300)
    projected = (points / largest) @ ways
    edges = np.quantile(projected, np.arange(1, CELLS) / CELLS, axis=0)
    totals, rows = _below(found, projected, edges, permutations, rng)
    first, second = (t / np.maximum(r, 1)[:, None] for t, r in zip(totals, rows, strict=True))
    apart = np.abs(first - second) @ _lengths(projected, edges)
    exact = [earth_movers(line[:n], line[n:]) for line in np.ascontiguousarray(projected.T)]
    return Discrepancy(
        value=float(np.mean(exact)) * largest,
        p=permutation_p(float(apart[0]), apart[1:] + 1e-12 * float(apart[0])),
        n=n,
        m=len(found.current),
        dropped=found.dropped,
        features=directions,
        method=method,
    )


def earth_movers(reference: Floats, current: Floats) -> float:
    """Return the exact earth mover's distance of two samples of numbers.

    Examples
    --------
    >>> earth_movers(np.array([0.0, 1.0]), np.array([0.5, 2.0, 2.0, 2.0]))
    1.125
    """
    both = np.concatenate([reference, current])
    order = np.argsort(both, kind="stable")
    steps = np.where(order < reference.size, 1 / reference.size, -1 / current.size)
    return float(np.abs(np.cumsum(steps)[:-1]) @ np.diff(both[order]))


def _lengths(projected: Floats, edges: Floats) -> Floats:
    """Return how much of the line each edge stands for: half way to its neighbours."""
    ends = np.concatenate(
        [projected.min(axis=0)[None, :], edges, projected.max(axis=0)[None, :]], axis=0
    )
    gaps = np.diff(ends, axis=0)
    return ((gaps[1:] + gaps[:-1]) / 2).ravel()


def _below(
    found: Clouds, projected: Floats, edges: Floats, permutations: int, rng: np.random.Generator
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Count the rows below each edge on each side, as observed and for each permutation."""
    n, m = found.sizes
    unit = np.arange(n + m)
    if found.units is not None:
        unit = np.concatenate([found.units[0], found.units[1] + n])
    order = np.argsort(unit, kind="stable")
    rows = np.bincount(unit, minlength=n + m)
    ends = np.concatenate([[0], np.cumsum(rows)])
    ours = np.zeros((permutations + 1, edges.size))
    everything = np.zeros(edges.size)
    count = np.zeros(permutations + 1)
    start = 0
    for drawn in memberships(rng, n, m, permutations=permutations, block=BLOCK):
        stop = start + drawn.shape[1]
        observed = np.zeros(stop - start, dtype=np.bool_)
        observed[: max(0, n - start)] = True
        sides = np.vstack([observed, drawn])
        own = order[ends[start] : ends[stop]]
        for at in range(0, own.size, BLOCK):
            some = own[at : at + BLOCK]
            inside = (projected[some][:, None, :] <= edges[None, :, :]).reshape(some.size, -1)
            cells = inside.astype(np.float32)
            ours += sides[:, unit[some] - start].astype(np.float32) @ cells
            everything += cells.sum(axis=0, dtype=np.float64)
        count += sides @ rows[start:stop]
        start = stop
    return (ours, everything - ours), (count, rows.sum() - count)

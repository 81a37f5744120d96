"""Maximum mean discrepancy of many dimensions, on random features, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.limits import Whole
from tidemill.core.rule import check
from tidemill.statistics.discrepancy import Clouds, Discrepancy, clouds, unknown
from tidemill.statistics.permutation import memberships, permutation_p

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

BLOCK = 2048
"""Rows whose features and permutations are in memory at a time."""

SUBSAMPLE = 1000
"""Rows whose distances give the width of the kernel."""


def mmd(
    reference: NDArray[Any],
    current: NDArray[Any],
    *,
    units: tuple[NDArray[Any], NDArray[Any]] | None = None,
    permutations: int = 999,
    features: int = 512,
    standardise: bool = False,
    seed: int = 0,
) -> Discrepancy:
    """Measure the squared maximum mean discrepancy of two samples and test it by permutation.

    The kernel is Gaussian; half the median squared distance of a subsample of both sides is
    the square of its width. It is taken on random Fourier features, so nothing grows with the
    square of the rows. Statistic and permutations see the same features, drawn without a
    look at who is on which side: the p is exact however few the features are; only
    power and the value are an approximation.

    Parameters
    ----------
    reference, current
        Shape (n, d) and (m, d). Rows with a missing or infinite number are left out.
    units
        The unit of each row of both sides, such as its day: units are permuted then, not
        rows, because rows of a day are not independent. None takes rows as independent.
    permutations
        How many; p is never below 1 / (permutations + 1).
    features
        Random features, an even number; more come closer to the kernel.
    standardise
        Divide each dimension by its robust sd (IQR / 1.349) over both sides first: right for
        columns of different units, wrong for the coordinates of an embedding.
    seed
        Of the features and the permutations.

    Returns
    -------
    Discrepancy
        ``value`` is unbiased for the squared discrepancy between independent rows, so it is
        about 0, and half the time below, when nothing changed. It and ``p`` are NaN when
        there are too few units to permute or every row is the same point.

    References
    ----------
    Gretton, A. et al. (2012). A kernel two-sample test. Journal of Machine Learning Research
    13, 723-773.
    Rahimi, A. and Recht, B. (2007). Random features for large-scale kernel machines. NIPS 20.
    Zhao, J. and Meng, D. (2015). FastMMD: ensemble of circular discrepancy for efficient
    two-sample test. Neural Computation 27, 1345-1372.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = mmd(rng.normal(size=(500, 3)), rng.normal(0.5, size=(300, 3)))
    >>> found.p, found.value > 0.01
    (0.001, True)
    """
    check("mmd", "permutations", permutations, Whole(1))
    check("mmd", "features", features, Whole(2))
    of = "rows" if units is None else "units"
    method = f"maximum mean discrepancy, {permutations} permutations of {of}"
    found = clouds(reference, current, units)
    doubt = found.doubt()
    if doubt:
        return unknown(found, features, method, doubt)
    found = found.scaled() if standardise else found
    rng = np.random.default_rng(seed)
    points = found.together()
    points /= kernel_width(points, rng)
    frequencies = rng.normal(size=(points.shape[1], max(1, features // 2))).astype(np.float32)
    totals, counts = _totals(found, _features(points, frequencies), permutations, rng)
    value, *permuted = _squared(totals, counts)
    return Discrepancy(
        value=float(value),
        p=permutation_p(float(value), np.array(permuted)),
        n=len(found.reference),
        m=len(found.current),
        dropped=found.dropped,
        features=2 * frequencies.shape[1],
        method=method,
    )


def kernel_width(points: NDArray[Any], rng: np.random.Generator, *, most: int = SUBSAMPLE) -> float:
    """Return the width of the kernel: the root of half the median squared distance."""
    some = points
    if len(points) > most:
        some = points[rng.choice(len(points), most, replace=False)]
    some = some.astype(np.float64)
    squares = np.einsum("ij,ij->i", some, some)
    apart = squares[:, None] + squares[None, :] - 2 * some @ some.T
    # Equal points have a distance of rounding errors, and say nothing of the width.
    apart = apart[apart > 1e-12 * (squares[:, None] + squares[None, :])]
    # When all of the subsample are equal, the point farthest from the middle gives the width.
    return float(np.sqrt(np.median(apart) / 2)) if apart.size else float(np.abs(points).max())


def _features(points: NDArray[Any], frequencies: Singles) -> Iterator[Singles]:
    """Yield the features of a block of rows; each row's are of length 1."""
    scale = np.float32(1 / np.sqrt(frequencies.shape[1]))
    for start in range(0, len(points), BLOCK):
        angle = points[start : start + BLOCK].astype(np.float32) @ frequencies
        yield np.concatenate([np.cos(angle), np.sin(angle)], axis=1) * scale


def _totals(
    found: Clouds, blocks: Iterator[Singles], permutations: int, rng: np.random.Generator
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Sum features and rows of each side, as observed and for each permutation below."""
    n, m = found.sizes
    if found.units is not None:
        blocks, rows = _by_unit(found, blocks)
    else:
        rows = np.ones(n + m)
    drawn = memberships(rng, n, m, permutations=permutations, block=BLOCK)
    ours = np.zeros((permutations + 1, 1))
    count = np.zeros(permutations + 1)
    everything = np.zeros(1)
    start = 0
    for features, mine in zip(blocks, drawn, strict=True):
        stop = start + len(features)
        sides = np.concatenate([(np.arange(start, stop) < n)[None, :], mine])
        ours = ours + sides.astype(features.dtype) @ features
        count += sides @ rows[start:stop]
        everything = everything + features.sum(axis=0, dtype=np.float64)
        start = stop
    return (ours, everything - ours), (count, rows.sum() - count)


def _by_unit(found: Clouds, blocks: Iterator[Singles]) -> tuple[Iterator[Any], Floats]:
    """Sum the features of each unit, and count its rows."""
    assert found.units is not None  # noqa: S101 - asked by the caller
    n, m = found.sizes
    unit = np.concatenate([found.units[0], found.units[1] + n])
    sums: Floats | None = None
    start = 0
    for features in blocks:
        own = unit[start : start + len(features)]
        sums = np.zeros((n + m, features.shape[1])) if sums is None else sums
        np.add.at(sums, own, features)
        start += len(features)
    assert sums is not None  # noqa: S101 - there are rows, or nobody would ask
    rows = np.bincount(unit, minlength=n + m).astype(np.float64)
    return (sums[at : at + BLOCK] for at in range(0, n + m, BLOCK)), rows


def _squared(sums: tuple[Floats, Floats], rows: tuple[Floats, Floats]) -> Floats:
    """Return the unbiased squared discrepancy of each row of sums."""
    first, second = (s / np.maximum(r, 1)[:, None] for s, r in zip(sums, rows, strict=True))
    between = np.square(first - second).sum(axis=1)
    for mean, count in zip((first, second), rows, strict=True):
        # A row is 1 with itself: without these the mean over pairs of different rows is left.
        between = between - (1 - np.square(mean).sum(axis=1)) / np.maximum(count - 1, 1)
    return between

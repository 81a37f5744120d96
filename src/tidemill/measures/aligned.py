"""Two counts of one column, side by side: what every distance starts from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.measures.categories import Categories
from tidemill.measures.grid import Grid
from tidemill.measures.numbers import Numbers

Counted = Numbers | Categories | NDArray[Any]
"""What distances are taken of: counts of a column, or values as an array."""

BINS = 32
TOP = 100
_RANGES = ((0.25, 1.349), (0.1, 2.563), (0.05, 3.290), (0.01, 4.653))  # of a normal, in sd


@dataclass(frozen=True, eq=False)
class Aligned:
    """Counts of the same cells or values in the reference and in the current rows.

    Parameters
    ----------
    reference, current
        Rows of each, shape (m,).
    at
        Where each cell is, shape (m,), ascending; None for categories, which have no order.
    """

    reference: NDArray[np.int64]
    current: NDArray[np.int64]
    at: NDArray[np.float64] | None = None

    @property
    def shares(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The share of rows in each cell, of the reference and of the current rows."""
        return self.reference / self.reference.sum(), self.current / self.current.sum()

    @property
    def empty(self) -> bool:
        """Whether one of them has no row, so that there is nothing to compare."""
        return not (self.reference.any() and self.current.any())


def aligned(reference: Counted, current: Counted) -> Aligned:
    """Bring two counts of a column together, cell by cell or value by value.

    Nulls, NaN and infinities are left out; rates of them are compared on their own. Values
    that were not kept are together in one cell, the last.

    Parameters
    ----------
    reference, current
        Both :class:`Numbers` on one grid, both :class:`Categories`, or both arrays: numbers
        are counted on a grid around the reference, texts by value.

    Raises
    ------
    BadInput
        If they are of two kinds, or on two grids.

    Examples
    --------
    >>> pair = aligned(np.array(["a", "a", "b"]), np.array(["b", "c"]))
    >>> pair.reference.tolist(), pair.current.tolist()
    ([2, 1, 0], [0, 1, 1])
    """
    if isinstance(reference, np.ndarray) and isinstance(current, np.ndarray):
        reference, current = _counted(reference, current)
    if isinstance(reference, Numbers) and isinstance(current, Numbers):
        if reference.grid.id != current.grid.id:
            raise BadInput("two grids.", fix="count both on the grid of the reference.")
        cells = np.union1d(reference.cells, current.cells)
        pair = [np.zeros(cells.size, np.int64) for _ in range(2)]
        for counts, side in zip(pair, (reference, current), strict=True):
            counts[np.searchsorted(cells, side.cells)] = side.counts
        return Aligned(pair[0], pair[1], reference.grid.middle(cells))
    if isinstance(reference, Categories) and isinstance(current, Categories):
        _, both = _side_by_side(reference, current)
        if reference.others or current.others:
            both = np.vstack([both, [reference.others, current.others]])
        return Aligned(both[:, 0], both[:, 1])
    raise BadInput(
        f"{type(reference).__name__} cannot be compared with {type(current).__name__}.",
        fix="compare columns of one kind; a change of type is a finding of its own.",
    )


def binned(pair: Aligned, *, bins: int = BINS) -> Aligned:
    """Put neighbouring cells together: bins with about equal shares of the reference.

    Categories stay as they are. A value that holds more than its share of the reference has
    a bin of its own; the first and the last bin are open.

    Examples
    --------
    >>> pair = Aligned(np.array([1, 1, 6, 2]), np.array([0, 1, 1, 8]), np.arange(4.0))
    >>> binned(pair, bins=2).reference.tolist()
    [2, 6, 2]
    """
    if pair.at is None or pair.at.size <= bins:
        return pair
    upto = np.cumsum(pair.reference)
    share = pair.reference.sum() / bins
    before = upto - pair.reference
    # A bin is known by the middle of its cells; a heavy cell begins a bin and ends it.
    heavy = pair.reference >= share
    label = np.floor((before + upto) / 2 / share)
    starts = np.concatenate([[True], (np.diff(label) > 0) | heavy[1:] | heavy[:-1]])
    first = np.flatnonzero(starts)
    return Aligned(
        np.add.reduceat(pair.reference, first),
        np.add.reduceat(pair.current, first),
        pair.at[first],
    )


def lumped(reference: Categories, current: Categories, *, top: int = TOP) -> Aligned:
    """Keep the most frequent categories apart, and lump the rest: known or not seen before.

    Distances over thousands of rare values are mostly sampling noise; these are not. The rows
    of the reference that stand against *not seen before* are its values met just once: so
    many new values the next rows bring if nothing changes (Good and Turing).

    Parameters
    ----------
    reference, current
        The counts of both.
    top
        How many values are kept apart: those with most rows in both together.

    Returns
    -------
    Aligned
        At most ``top`` + 2 cells; the last two are the known rest and the values not seen
        before. Where the reference kept only some of its values, all are the known rest.

    References
    ----------
    .. [1] I. J. Good, "The population frequencies of species and the estimation of population
       parameters", Biometrika 40, 1953.
    """
    lumps = Lumps.of(reference, current, top=top)
    return Aligned(lumps.count(reference), lumps.count(current, new=True))


@dataclass(frozen=True, eq=False)
class Lumps:
    """Which lump each value belongs to, for counting days of the two sides alike.

    Parameters
    ----------
    values
        The value at each place of ``old`` and ``new``, the reference's first.
    old, new
        The lump of each value among reference rows, and among current ones.
    size
        How many lumps there are; the last two are the known rest and the fresh.
    """

    values: tuple[str, ...]
    old: NDArray[np.int64]
    new: NDArray[np.int64]
    size: int

    @classmethod
    def of(cls, reference: Categories, current: Categories, *, top: int = TOP) -> Lumps:
        """Make the lumps of :func:`lumped`."""
        values, both = _side_by_side(reference, current)
        # By rows of both together: chosen so, a value stands out by chance on neither side.
        order = np.argsort(-both.sum(axis=1), kind="stable")
        kept = min(top, order.size)
        old = np.full(order.size, kept)
        old[order[:kept]] = np.arange(kept)
        new = old.copy()
        if not reference.error:
            rest = order[kept:]
            old[rest[both[rest, 0] == 1]] = kept + 1
            new[rest[both[rest, 0] == 0]] = kept + 1
        return cls(values, old, new, kept + 2)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {value: k for k, value in enumerate(self.values)}

    def count(self, counted: Categories, *, new: bool = False) -> NDArray[np.int64]:
        """Count the rows in each lump, of the reference or of the current rows."""
        lumps = self.new if new else self.old
        if counted.values == self.values[: len(counted.values)]:
            lump = lumps[: len(counted.values)]
        else:
            # A value of a day that was not kept among all days is of the known rest.
            at = [self._place.get(v, -1) for v in counted.values]
            lump = np.append(lumps, self.size - 2)[np.array(at, np.int64)]
        found = np.bincount(lump, weights=counted.counts, minlength=self.size).astype(np.int64)
        found[-2] += counted.others
        return found


def robust_sd(numbers: Numbers) -> float:
    """Return a spread that a few wild values do not move.

    The interquartile range / 1.349, which is the sd of a normal. Where more than half of the
    rows have one value, wider ranges in turn; then the sd of values winsorised at 1 %; 0 when
    all values are the same, NaN without a value.

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(5, 2, 10_000)
    >>> round(robust_sd(Numbers.of_values(Grid.around(values), values)), 1)
    2.0
    """
    if not numbers.n:
        return math.nan
    at = numbers.grid.middle(numbers.cells)
    for tail, normal in _RANGES:
        low, high = (quantile(at, numbers.counts, q) for q in (tail, 1 - tail))
        if high > low:
            return high / normal - low / normal
    return _winsorised_sd(at, numbers.counts)


def quantile(at: NDArray[np.float64], counts: NDArray[np.int64], share: float) -> float:
    """Return the place up to which a share of the rows lies; without interpolation.

    Examples
    --------
    >>> quantile(np.array([1.0, 2.0, 3.0]), np.array([5, 1, 4]), 0.6)
    2.0
    """
    upto = np.cumsum(counts)
    return float(at[min(int(np.searchsorted(upto, share * upto[-1])), at.size - 1)])


def _winsorised_sd(at: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
    """Return the sd of values drawn in to the most extreme 1 % of those off the median."""
    share = counts / counts.sum()
    middle = at[np.searchsorted(np.cumsum(share), 0.5)]
    away = np.abs(at - middle)
    off = (away > 0) & (share > 0)
    if not off.any():
        return 0.0
    order = np.argsort(away[off])
    upto = np.cumsum(share[off][order])
    limit = away[off][order][np.searchsorted(upto, 0.99 * upto[-1])]
    return float(np.sqrt(share @ np.square(np.minimum(away, limit) / limit)) * limit)


def _side_by_side(
    reference: Categories, current: Categories
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return every value, the reference's first, and its counts in both, (m, 2)."""
    if reference.values == current.values:  # as in most columns: no need to look each one up
        return reference.values, np.column_stack([reference.counts, current.counts])
    place = {value: k for k, value in enumerate(reference.values)}
    at = [place.setdefault(value, len(place)) for value in current.values]
    both = np.zeros((len(place), 2), np.int64)
    both[: reference.counts.size, 0] = reference.counts
    both[at, 1] = current.counts
    return tuple(place), both


def _counted(reference: NDArray[Any], current: NDArray[Any]) -> tuple[Counted, Counted]:
    if reference.dtype.kind in "OUSb" or current.dtype.kind in "OUSb":
        texts = [np.unique(side.astype(str), return_counts=True) for side in (reference, current)]
        one, other = (
            Categories.of_counts(
                dict(zip(v.tolist(), c.tolist(), strict=True)), most=max(1, len(v))
            )
            for v, c in texts
        )
        return one, other
    grid = Grid.around(reference)
    return Numbers.of_values(grid, reference), Numbers.of_values(grid, current)

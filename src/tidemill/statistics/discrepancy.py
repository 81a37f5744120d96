"""How far two clouds of points are apart, and what a cloud must be to be compared."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.statistics.evidence import Evidence

Floats = NDArray[np.float64]

ARRANGEMENTS = 100
"""Fewest ways to share the units out between the sides: with fewer no p falls below 1 %."""

FARTHEST = 1e6
"""Distances from the middle, in usual ones, beyond which a kernel sees no difference."""

LARGEST = 1e300
IQR_OF_NORMAL = 1.349


@dataclass(frozen=True, kw_only=True)
class Discrepancy:
    """A distance between two samples of many dimensions, and how likely it is by chance.

    Parameters
    ----------
    value
        The distance, NaN where it cannot be said.
    p
        Probability of a distance at least as large if nothing had changed; NaN with ``value``.
    n, m
        Rows of the reference and of current that were compared.
    dropped
        Rows left out on both sides because a number was missing or infinite.
    features
        Random features or directions the distance was measured on.
    method
        Which distance, and what was permuted.
    why
        What limits the answer, or why there is none; empty when there is nothing to say.
    """

    value: float
    p: float
    n: int
    m: int
    dropped: int
    features: int
    method: str
    why: str = ""

    @property
    def evidence(self) -> Evidence:
        """The same as evidence among others."""
        return Evidence(p=self.p, statistic=self.value, method=self.method, why=self.why)


@dataclass(frozen=True, kw_only=True)
class Clouds:
    """Two samples of points without the rows that have no place, and their units if given."""

    reference: NDArray[Any]
    current: NDArray[Any]
    units: tuple[NDArray[np.int64], NDArray[np.int64]] | None
    dropped: int

    @property
    def sizes(self) -> tuple[int, int]:
        """How many units of evidence each side has."""
        if self.units is None:
            return len(self.reference), len(self.current)
        ours, theirs = self.units
        return int(ours.max(initial=-1)) + 1, int(theirs.max(initial=-1)) + 1

    def doubt(self) -> str:
        """Say why nothing can be said of these samples, or nothing."""
        words = "rows" if self.units is None else "units"
        n, m = self.sizes
        if n < 1 or m < 1 or math.comb(n + m, m) < ARRANGEMENTS:
            return f"{n} and {m} {words} without a missing number are too few to permute"
        both = (self.reference, self.current)
        low = np.minimum(*(side.min(axis=0) for side in both))
        high = np.maximum(*(side.max(axis=0) for side in both))
        return "" if (low < high).any() else "every row is the same point"

    def together(self) -> NDArray[Any]:
        """Return all points, the reference first, around their median and about 1 from it.

        Around the median and by the median, because one point at 1e30 would take all digits
        of the others. What is a million times as far as usual stays at that.
        """
        points = np.concatenate([self.reference / 2, self.current / 2])
        points -= np.median(points, axis=0)
        far = np.abs(points).max(axis=1)
        with np.errstate(over="ignore"):
            points /= np.median(far[far > 0])
        return np.clip(points, -FARTHEST, FARTHEST)

    def scaled(self) -> Clouds:
        """Divide each dimension by its robust spread over both sides; a constant one stays."""
        points = np.concatenate([self.reference / 2, self.current / 2]).astype(np.float64)
        points -= np.median(points, axis=0)
        low, high = np.quantile(points, [0.25, 0.75], axis=0)
        spread = (high - low) / IQR_OF_NORMAL
        few = spread <= 0
        if few.any():
            most = np.abs(points[:, few]).max(axis=0)
            within = points[:, few] / np.where(most > 0, most, 1.0)
            spread[few] = within.std(axis=0) * most
        with np.errstate(over="ignore"):
            points /= np.where(spread > 0, spread, 1.0)
        points = np.clip(points, -LARGEST, LARGEST)
        n = len(self.reference)
        return replace(self, reference=points[:n], current=points[n:])


def clouds(
    reference: NDArray[Any],
    current: NDArray[Any],
    units: tuple[NDArray[Any], NDArray[Any]] | None,
) -> Clouds:
    """Check two samples and leave out rows with a missing or infinite number.

    Raises
    ------
    BadInput
        If they are not of shape (n, d) and (m, d), or there is not one unit per row.

    Examples
    --------
    >>> found = clouds(np.array([[1.0, 2.0], [np.nan, 0.0]]), np.zeros((1, 2)), None)
    >>> found.sizes, found.dropped
    ((1, 1), 1)
    """
    kept: list[NDArray[Any]] = []
    own: list[NDArray[Any]] = []
    dropped = 0
    for at, (name, given) in enumerate((("reference", reference), ("current", current))):
        points = np.asarray(given)
        if points.ndim != 2 or points.shape[1] < 1 or points.dtype.kind not in "fiub":  # noqa: PLR2004
            raise BadInput(
                f"{name} is {points.dtype} of shape {points.shape}.",
                fix="pass numbers of shape (rows, dimensions).",
            )
        points = points if points.dtype.kind == "f" else points.astype(np.float64)
        whole = np.isfinite(points).all(axis=1)
        dropped += int(np.sum(~whole))
        kept.append(points if whole.all() else points[whole])
        if units is not None:
            of = np.asarray(units[at])
            if of.shape != whole.shape:
                raise BadInput(
                    f"the units of {name} have shape {of.shape}, its rows are {whole.size}.",
                    fix="pass one unit, such as a day, per row.",
                )
            own.append(np.unique(of[whole], return_inverse=True)[1].astype(np.int64))
    if kept[0].shape[1] != kept[1].shape[1]:
        raise BadInput(
            f"reference has {kept[0].shape[1]} dimensions, current {kept[1].shape[1]}.",
            fix="pass the same dimensions on both sides, in the same order.",
        )
    return Clouds(
        reference=kept[0],
        current=kept[1],
        units=None if units is None else (own[0], own[1]),
        dropped=dropped,
    )


def unknown(found: Clouds, features: int, method: str, why: str) -> Discrepancy:
    """Return the answer where there is none, with its reason.

    Examples
    --------
    >>> empty = clouds(np.zeros((0, 1)), np.zeros((9, 1)), None)
    >>> unknown(empty, 8, "mmd of rows", empty.doubt()).why
    '0 and 9 rows without a missing number are too few to permute'
    """
    n, m = len(found.reference), len(found.current)
    return Discrepancy(
        value=math.nan,
        p=math.nan,
        n=n,
        m=m,
        dropped=found.dropped,
        features=features,
        method=method,
        why=why,
    )

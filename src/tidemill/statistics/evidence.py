"""What a comparison of two windows says: how surprising it would be if nothing had changed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The evidence that something changed; effect sizes are another matter.

    Parameters
    ----------
    p
        Probability of evidence at least as strong if nothing had changed, from 0 to 1; NaN
        where it cannot be said.
    statistic
        The statistic behind it, NaN where there is none.
    method
        How it was found, in a few words.
    why
        Why nothing can be said, or what limits the answer; empty otherwise.

    Examples
    --------
    >>> Evidence(p=0.03, statistic=2.7, method="Anderson-Darling").says
    True
    """

    p: float
    statistic: float
    method: str
    why: str = ""

    @property
    def says(self) -> bool:
        """Whether there is a p at all."""
        return not math.isnan(self.p)


def silent(method: str, why: str) -> Evidence:
    """Return the evidence that says nothing, with its reason.

    Examples
    --------
    >>> silent("homogeneity", "the current window has no rows").says
    False
    """
    return Evidence(p=math.nan, statistic=math.nan, method=method, why=why)


def counts(name: str, values: NDArray[Any], *, dimensions: int = 1) -> NDArray[np.float64]:
    """Return counts as whole numbers in floats, refusing what cannot be a count.

    Parameters
    ----------
    name
        What they are called in the message.
    values
        Counts, at least 0 and whole.
    dimensions
        1 for one window, 2 for one row per day.

    Raises
    ------
    BadInput
        When a count is missing, negative, infinite or broken, or the shape is another.

    Examples
    --------
    >>> counts("reference", np.array([1, 2]))
    array([1., 2.])
    """
    known = np.asarray(values)
    if known.ndim != dimensions:
        raise BadInput(
            f"{name} has shape {known.shape}.", fix=f"pass counts in {dimensions} dimension(s)."
        )
    if known.dtype.kind not in "biuf":
        raise BadInput(f"{name} is of type {known.dtype}.", fix="pass whole numbers.")
    found = known.astype(np.float64)
    if not (np.isfinite(found).all() and (found >= 0).all() and (found == np.floor(found)).all()):
        raise BadInput(f"{name} has entries that are no counts.", fix="pass whole numbers >= 0.")
    return found


def two_windows(
    reference: NDArray[Any], current: NDArray[Any], *, dimensions: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the counts of two windows on the same cells.

    Raises
    ------
    BadInput
        When one is no array of counts or they have different cells.

    Examples
    --------
    >>> two_windows(np.array([1, 2]), np.array([3, 4]))[1]
    array([3., 4.])
    """
    before = counts("reference", reference, dimensions=dimensions)
    after = counts("current", current, dimensions=dimensions)
    if before.shape[-1] != after.shape[-1]:
        raise BadInput(
            f"reference has {before.shape[-1]} cells, current {after.shape[-1]}.",
            fix="count both on the same cells.",
        )
    return before, after


def nothing_to_compare(before: float, after: float, cells: int) -> str:
    """Say why two windows cannot be compared, or nothing when they can.

    Examples
    --------
    >>> nothing_to_compare(100, 0, 5)
    'the current window has no rows'
    >>> nothing_to_compare(100, 100, 5)
    ''
    """
    if before <= 0:
        return "the reference has no rows"
    if after <= 0:
        return "the current window has no rows"
    return "" if cells > 1 else "all rows have the same value"

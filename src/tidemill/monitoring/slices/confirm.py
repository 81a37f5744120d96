"""Slices found on one half of the units and tested on the other, so that finding is no proof."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.core.limits import Between
from tidemill.core.rule import check
from tidemill.monitoring.slices.find import Slice, checked, described, slices
from tidemill.statistics.clustered import higher
from tidemill.statistics.family import holm

Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A slice found on one half of the units, as it is on the other half.

    Parameters
    ----------
    found
        On the half it was found on: too good, because it was searched for.
    slice
        The same conditions on the other half; this is what to believe.
    low
        What its effect is above with 95 % confidence, before the correction for many slices.
    p
        One-sided, by unit; NaN where the slice has rows in fewer than 5 units.
    adjusted
        The p after Holm's correction for all slices that were tested.
    confirmed
        Whether ``adjusted`` is at most alpha.
    """

    found: Slice
    slice: Slice
    low: float
    p: float
    adjusted: float
    confirmed: bool

    def words(self) -> str:
        """Say which rows, how they do, and whether that was confirmed."""
        if math.isnan(self.p):
            return f"{self.found.where.words()}: too few units in the other half to test it"
        said = "confirmed" if self.confirmed else "not confirmed"
        return f"{self.slice.words()}; {said}, p = {self.adjusted:.2g}"


def confirmed(
    features: pa.Table,
    loss: NDArray[Any],
    weight: NDArray[Any] | None = None,
    *,
    unit: NDArray[Any] | None = None,
    alpha: float = 0.05,
    seed: int = 0,
    least: int | None = None,
    depth: int = 3,
    most: int = 5,
) -> list[Tested]:
    """Find slices on half of the units and test them on the other half.

    Parameters
    ----------
    features, loss, weight, least, depth, most
        As for ``slices``; ``least`` counts rows of one half.
    unit
        The unit of each row, such as its user or its day: units are split whole, and are what
        is counted in the test. None takes rows as independent, which rows of a day are not.
    alpha
        How likely any slice at all may be confirmed where none is worse.
    seed
        Of the halves.

    Returns
    -------
    list of Tested
        In the order in which they were found, confirmed or not; empty when none was found.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian
    Journal of Statistics 6, 65-70.
    Chung, Y. et al. (2019). Slice finder: automated data slicing for model validation. ICDE.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> features = pa.table({"carrier": rng.choice(["9E", "UA", "DL"], 3000)})
    >>> wrong = rng.random(3000) < np.where(np.array(features["carrier"]) == "9E", 0.3, 0.2)
    >>> [(one.slice.where.words(), one.confirmed) for one in confirmed(features, wrong)]
    [('carrier is 9E', True)]
    """
    check("confirmed", "alpha", alpha, Between(0, 0.5, open_low=True))
    rows, known, weights = checked(features, loss, weight)
    place = units_of(unit, features.num_rows)
    first = half(np.random.default_rng(seed), place) & rows
    second = ~half(np.random.default_rng(seed), place) & rows
    found = slices(
        features.filter(pa.array(first)), known[first], weights[first],
        least=least, depth=depth, most=most,
    )  # fmt: skip
    if not found:
        return []
    table = features.filter(pa.array(second))
    return tested(table, known[second], weights[second], place[second], found, alpha=alpha)


def tested(
    features: pa.Table,
    loss: NDArray[np.float64],
    weight: NDArray[np.float64],
    unit: NDArray[Any],
    found: Sequence[Slice],
    *,
    alpha: float,
) -> list[Tested]:
    """Test slices on rows on which they were not found."""
    inside = [one.where.mask(features) for one in found]
    tests = [higher(loss, weight, rows, unit) for rows in inside]
    ps = np.array([one.p for one in tests])
    # A slice that cannot be tested stays a test, so that leaving it out gives nothing away.
    adjusted = holm(np.where(np.isnan(ps), 1.0, ps))
    return [
        Tested(
            found=one,
            slice=described(one.where, rows, loss, weight, one.score),
            low=test.low,
            p=test.p,
            adjusted=math.nan if math.isnan(test.p) else float(whole),
            confirmed=bool(whole <= alpha),
        )
        for one, rows, test, whole in zip(found, inside, tests, adjusted, strict=True)
    ]


def units_of(unit: NDArray[Any] | None, rows: int) -> NDArray[np.int64]:
    """Number the units; each row is its own where there are none."""
    if unit is None:
        return np.arange(rows)
    if np.shape(unit) != (rows,):
        raise BadInput(
            f"unit has shape {np.shape(unit)}, the table {rows} rows.", fix="pass one per row."
        )
    return np.unique(unit, return_inverse=True)[1].astype(np.int64)


def half(rng: np.random.Generator, unit: NDArray[np.int64]) -> Bools:
    """Choose the rows of half of the units."""
    count = int(unit.max(initial=-1)) + 1
    chosen = rng.permutation(count) < (count + 1) // 2
    return chosen[unit]

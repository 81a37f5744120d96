"""Which slices explain that a metric is worse than before: their rate changed, or their share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidemill.core.limits import Between, Whole
from tidemill.core.rule import check
from tidemill.measures.condition import All
from tidemill.monitoring.slices.confirm import half, units_of
from tidemill.monitoring.slices.find import checked
from tidemill.monitoring.slices.search import best
from tidemill.statistics.clustered import Excess, excess
from tidemill.statistics.family import holm
from tidemill.statistics.weighted import n_effective

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A slice's part in a change, on units other than those it was found on.

    Parameters
    ----------
    where
        The slice.
    share_before, share_now
        Its share of the rows of each window.
    mean_before, mean_now
        Its mean loss in each; NaN where it has no rows.
    rate
        What the change of its mean adds to the change of the whole.
    mix
        What the change of its share adds, being better or worse than the others are.
    p, adjusted
        One-sided, against adding no more than its share of the rows; then after Holm's
        correction for all slices tested. NaN where it has rows in fewer than 5 units.
    """

    where: All
    share_before: float
    share_now: float
    mean_before: float
    mean_now: float
    rate: float
    mix: float
    p: float
    adjusted: float

    def words(self) -> str:
        """Say what changed in it, and how much of the whole change that is.

        Examples
        --------
        >>> from tidemill.measures.condition import Condition
        >>> where = All((Condition(column="carrier", values=("9E",)),))
        >>> print(Part(where=where, share_before=0.1, share_now=0.1, mean_before=0.2,
        ...            mean_now=0.4, rate=0.02, mix=0.0, p=0.001, adjusted=0.001).words())
        carrier is 9E: 0.2 -> 0.4, share 10.0% -> 10.0%; adds +0.02 by rate, +0 by mix
        """
        means = f"{self.mean_before:.3g} -> {self.mean_now:.3g}"
        shares = f"{self.share_before:.1%} -> {self.share_now:.1%}"
        adds = f"adds {self.rate:+.2g} by rate, {self.mix:+.2g} by mix"
        return f"{self.where.words()}: {means}, share {shares}; {adds}"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of a mean between two windows, and the slices that explain it.

    Parameters
    ----------
    before, now
        Mean loss of all rows of each window.
    parts
        Slices that add more than their share; they may overlap, so they need not sum to the
        change.
    why
        Why there are none, where that is not for want of a change.
    """

    before: float
    now: float
    parts: tuple[Part, ...] = ()
    why: str = ""

    @property
    def difference(self) -> float:
        """Now less before; above 0 is worse."""
        return self.now - self.before


def explained(
    reference: pa.Table,
    reference_loss: NDArray[Any],
    current: pa.Table,
    current_loss: NDArray[Any],
    *,
    units: tuple[NDArray[Any], NDArray[Any]] | None = None,
    seed: int = 0,
    least: int | None = None,
    depth: int = 3,
    most: int = 5,
    confidence: float = 0.95,
) -> Change:
    """Find slices that explain a rise of the mean loss, on half of the units; measure on the other.

    Parameters
    ----------
    reference, current
        Features of both windows; columns that are not in both are not looked at.
    reference_loss, current_loss
        What is worse when higher, one number a row; rows without one are left out.
    units
        The unit of each row of both windows, such as its day; None takes rows as independent.
    seed
        Of the halves.
    least, depth, most
        As for ``slices``; ``least`` counts rows of both windows in one half.
    confidence
        Parts are kept whose adjusted p is at most 1 less this; at 0 all that were tested.

    Returns
    -------
    Change
        Each part's change is its rate's and its mix's, symmetric in both windows.

    References
    ----------
    Kitagawa, E. M. (1955). Components of a difference between two rates. Journal of the
    American Statistical Association 50, 1168-1194.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> one, two = (pa.table({"carrier": rng.choice(["9E", "UA", "DL"], 3000)}) for _ in "ab")
    >>> bad = np.where(np.array(two["carrier"]) == "9E", 0.4, 0.2)
    >>> found = explained(one, rng.random(3000) < 0.2, two, rng.random(3000) < bad)
    >>> found.parts[0].where.words(), found.parts[0].rate > 0.04, abs(found.parts[0].mix) < 0.01
    ('carrier is 9E', True, True)
    """
    check("explained", "confidence", confidence, Between(0, 0.999999))
    check("explained", "most", most, Whole(1))
    names = [name for name in reference.column_names if name in current.column_names]
    sides: list[_Side] = []
    halves: list[Bools] = []
    for at, (table, loss) in enumerate(((reference, reference_loss), (current, current_loss))):
        rows, known, _ = checked(table, loss, None)
        place = units_of(None if units is None else units[at], table.num_rows)[rows]
        sides.append(_Side(table.select(names).filter(pa.array(rows)), known[rows], place))
        halves.append(half(np.random.default_rng((seed, at)), place))
    before, now = (float(side.loss.mean()) if side.loss.size else math.nan for side in sides)
    first = [side.of(rows) for side, rows in zip(sides, halves, strict=True)]
    second = [side.of(~rows) for side, rows in zip(sides, halves, strict=True)]
    if min(side.loss.size for side in (*first, *second)) < 32:  # noqa: PLR2004 - as slices asks
        return Change(before=before, now=now, why="a window has too few rows to be split")
    found = _found(*first, least=least, depth=depth, most=most)
    measured = [_part(where, *second) for where in found]
    adjusted = holm(np.array([1.0 if math.isnan(t.p) else t.p for _, t in measured] or [1.0]))
    parts = tuple(
        Part(where=where, **numbers, p=test.p, adjusted=float(whole))
        for where, (numbers, test), whole in zip(found, measured, adjusted, strict=False)
        if whole <= 1 - confidence
    )
    return Change(before=before, now=now, parts=parts)


@dataclass(frozen=True)
class _Side:
    """One window."""

    table: pa.Table
    loss: Floats
    unit: NDArray[np.int64]

    def of(self, rows: Bools) -> _Side:
        return _Side(self.table.filter(pa.array(rows)), self.loss[rows], self.unit[rows])


def _found(before: _Side, now: _Side, *, least: int | None, depth: int, most: int) -> list[All]:
    """Search for what adds more than its share of the rows to the change."""
    middle = (before.loss.mean() + now.loss.mean()) / 2
    value = np.concatenate([
        (middle - before.loss) / before.loss.size, (now.loss - middle) / now.loss.size
    ])  # fmt: skip
    fewest = max(32, -(-value.size // 100)) if least is None else least
    table = pa.concat_tables([before.table, now.table], promote_options="permissive")
    found = best(table, value - value.mean(), least=fewest, depth=depth, most=most)
    return [where for where, _, _ in found]


def _part(where: All, before: _Side, now: _Side) -> tuple[dict[str, float], Excess]:
    """Measure a slice's part in the change, and test it against its share of the rows."""
    inside = [where.mask(side.table) for side in (before, now)]
    shares = [float(rows.mean()) for rows in inside]
    means = [
        float(side.loss[rows].mean()) if rows.any() else math.nan
        for side, rows in zip((before, now), inside, strict=True)
    ]
    whole = float(before.loss.mean()), float(now.loss.mean())
    middle = sum(whole) / 2
    rows = sum(int(own.sum()) for own in inside)
    share = rows / (before.loss.size + now.loss.size)
    # A slice that is not there in one window has no change of rate: all is mix.
    ends = [mean if shares[at] else means[1 - at] for at, mean in enumerate(means)]
    rate = sum(shares) / 2 * (ends[1] - ends[0]) if rows else math.nan
    mix = (shares[1] - shares[0]) * (sum(ends) / 2 - middle) if rows else math.nan
    moves: list[Floats] = []
    weights: list[Floats] = []
    for side, own, sign, mean in zip((before, now), inside, (-1.0, 1.0), whole, strict=True):
        each = sign * (own - share) * (side.loss - middle)
        each = each - (shares[1] - shares[0]) / 2 * (side.loss - mean)
        each = (each - each.mean()) / side.loss.size
        place = np.unique(side.unit, return_inverse=True)[1]
        moves.append(np.asarray(np.bincount(place, each), dtype=np.float64))
        weights.append(np.bincount(place[own], minlength=moves[-1].size) / side.loss.size)
    added = rate + mix - share * (whole[1] - whole[0])
    # The window in which the slice has fewer units says how many there are.
    spread = min(n_effective(own) if own.any() else math.inf for own in weights)
    test = excess(added, np.concatenate(moves), spread if math.isfinite(spread) else 0.0)
    numbers = {
        "share_before": shares[0], "share_now": shares[1], "mean_before": means[0],
        "mean_now": means[1], "rate": rate, "mix": mix,
    }  # fmt: skip
    return numbers, test

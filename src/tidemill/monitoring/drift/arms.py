"""The questions asked of a column: did its values move, are there unknown ones, are more missing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidemill.measures.aligned import binned
from tidemill.measures.categories import Categories
from tidemill.measures.chance import expected_l1
from tidemill.measures.effects import Effect, day_effect, effect
from tidemill.measures.gaps import DRAWS
from tidemill.measures.numbers import Numbers
from tidemill.monitoring.drift.report import Floors
from tidemill.monitoring.drift.windows import TAIL, Pair, missing
from tidemill.statistics.anderson_darling import anderson_darling, rows_outside
from tidemill.statistics.days import day_evidence, mean_evidence
from tidemill.statistics.evidence import Evidence, silent
from tidemill.statistics.homogeneity import category_evidence

MOVED = "earth mover's distance in robust sd"
CHANGED = "total variation, share of rows"
_CALM = 0.2  # with so large a p a column is calm
_FEW = 100  # draws for the interval of a calm column
UNKNOWN = "rows the reference does not know, share"
MISSING = "missing values, share of rows"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One question and its answer.

    Parameters
    ----------
    what
        ``"values"``, ``"unknown"`` or ``"missing"``.
    distance
        What ``value`` is.
    evidence
        How surprising it would be if nothing had changed.
    value, low, high
        How large the change is, and its 95 % interval where there is one.
    floor
        From where on it is too large.
    share
        The share of rows that would have to change.
    why
        Why there is no value.
    """

    what: str
    distance: str
    evidence: Evidence
    value: float
    floor: float
    low: float = math.nan
    high: float = math.nan
    share: float = math.nan
    why: str = ""

    @property
    def large(self) -> bool:
        """Whether the change reaches its floor."""
        return self.value >= self.floor

    @property
    def small(self) -> bool:
        """Whether the change is surely below its floor."""
        return self.high < self.floor if math.isfinite(self.high) else self.value < self.floor


def arms(pair: Pair, *, days: bool, floors: Floors) -> Iterator[Arm]:
    """Ask every question of a column whose type did not change."""
    if pair.kind != "time" and not is_id(pair):
        yield _values(pair, days=days, floors=floors)
        unknown = _unknown(pair, days=days, floors=floors)
        if unknown is not None:
            yield unknown
    lost = _missing(pair, days=days, floors=floors)
    if lost is not None:
        yield lost


def is_id(pair: Pair) -> bool:
    """Tell whether nearly every row has a text of its own, in both windows."""
    return pair.categories is not None and all(map(_all_different, pair.categories))


def _all_different(column: Categories) -> bool:
    known = int(column.counts.sum())
    different = column.counts.size
    if column.others:  # at least so many values are not kept
        known, different = column.n, different + column.others // max(column.error, 1)
    return known >= 50 and different >= 0.95 * known  # noqa: PLR2004 - fewer say little


def _values(pair: Pair, *, days: bool, floors: Floors) -> Arm:
    before, after = pair.reference.whole, pair.current.whole
    if days:
        one, two = pair.by_day()
        evidence = _of_days(pair, one, two)
        # Nobody looks twice at the interval of a column that is calm, and most are.
        draws = _FEW if evidence.p > _CALM else DRAWS
        found = day_effect(pair.reference.days, pair.current.days, draws=draws)
    else:
        test = category_evidence if pair.numbers is None else anderson_darling
        evidence = test(pair.aligned.reference, pair.aligned.current)
        found = effect(before, after)
    return Arm(
        what="values",
        distance=MOVED if pair.numbers is not None else CHANGED,
        evidence=evidence,
        value=found.value,
        low=found.low,
        high=found.high,
        floor=floors.number if pair.numbers is not None else floors.category,
        share=_share(pair, found),
        why=found.why,
    )


def _of_days(pair: Pair, one: NDArray[np.int64], two: NDArray[np.int64]) -> Evidence:
    if not one.size or not two.size:
        return silent("days", "no day of one of the windows has a value")
    return day_evidence(one, two, ordered=pair.numbers is not None, weekday=pair.weekday)


def _share(pair: Pair, found: Effect) -> float:
    """Return the share of rows that would have to change, without what chance adds."""
    if math.isnan(found.value):
        return math.nan
    if pair.numbers is None:
        return min(1.0, found.value)
    together = binned(pair.aligned)
    p, q = together.shares
    raw = float(np.abs(p - q).sum()) / 2
    return max(0.0, raw - expected_l1(*pair.numbers) / 2)


def _unknown(pair: Pair, *, days: bool, floors: Floors) -> Arm | None:
    """Ask for rows of a kind that the reference does not know."""
    if pair.numbers is not None:
        evidence, before, after = _outside(pair, *pair.numbers, days=days)
    elif pair.categories is not None:
        evidence, before, after = _new(pair, *pair.categories, days=days)
    else:
        return None
    if not evidence.says:
        return None
    value = max(0.0, after - before)
    return Arm(
        what="unknown",
        distance=UNKNOWN,
        evidence=evidence,
        value=value,
        floor=floors.unknown,
        share=value,
    )


def _outside(
    pair: Pair, before: Numbers, after: Numbers, *, days: bool
) -> tuple[Evidence, float, float]:
    """Compare the rows outside the range of nearly all reference rows."""
    if not before.n or not after.n:
        return silent("outside", "no values"), 0.0, 0.0
    low, high = known_range(before)
    shares = [beyond(side, low, high) / side.n for side in (before, after)]
    if not days:
        return rows_outside(pair.aligned.reference, pair.aligned.current), shares[0], shares[1]
    counts = [
        [(beyond(d, low, high), d.n) for d in side.days if isinstance(d, Numbers)]
        for side in (pair.reference, pair.current)
    ]
    return _of_shares(pair, counts[0], counts[1]), shares[0], shares[1]


def _new(
    pair: Pair, before: Categories, after: Categories, *, days: bool
) -> tuple[Evidence, float, float]:
    """Compare the rows of values never met with those that the reference met just once.

    So many new values the next rows bring if nothing changes (Good and Turing).
    """
    if not before.n or not after.n or before.error:
        return silent("new values", "not all values of the reference were kept"), 0.0, 0.0
    once = int((before.counts == 1).sum())
    unseen = int(pair.aligned.current[pair.aligned.reference == 0].sum()) - after.others
    if once > TAIL * before.n or not unseen:
        return silent("new values", "new values are nothing unusual here"), 0.0, 0.0
    shares = once / before.n, unseen / after.n
    if not days:
        table = np.array([[before.n - once, once], [after.n - unseen, unseen]])
        return category_evidence(table[0], table[1]), *shares
    new = set(new_values(before, after))
    met_once = {v for v, n in zip(before.values, before.counts.tolist(), strict=True) if n == 1}
    counts = [
        [(_of_values(d, wanted), d.n) for d in side.days if isinstance(d, Categories)]
        for side, wanted in ((pair.reference, met_once), (pair.current, new))
    ]
    return _of_shares(pair, counts[0], counts[1]), *shares


def _missing(pair: Pair, *, days: bool, floors: Floors) -> Arm | None:
    """Compare how many rows have no value, by how it is missing."""
    sides = pair.reference, pair.current
    names = list(dict.fromkeys([*sides[0].missing, *sides[1].missing]))
    table = np.array(
        [
            [s.whole.rows - sum(s.missing.values()), *(s.missing.get(n, 0) for n in names)]
            for s in sides
        ],
        np.int64,
    )
    rows = table.sum(axis=1)
    if not table[:, 1:].any() or not rows.all():
        return None
    shares = table / rows[:, None]
    gap = shares[1] - shares[0]
    changed = float(np.abs(gap).sum()) / 2
    unheard = float(np.maximum(gap[1:], 0)[shares[0, 1:] <= TAIL].sum())
    if days:
        evidence = _of_shares(pair, *([_missing_of(d) for d in s.days] for s in sides))
    else:
        evidence = category_evidence(table[0], table[1])
    # What the reference has next to none of is told from a lower floor on.
    by_unheard = changed < floors.category and unheard >= floors.unknown
    return Arm(
        what="missing",
        distance=MISSING,
        evidence=evidence,
        value=unheard if by_unheard else changed,
        floor=floors.unknown if by_unheard else floors.category,
        share=changed,
    )


def _missing_of(day: Numbers | Categories) -> tuple[int, int]:
    return sum(missing(day).values()), day.rows


def _of_shares(pair: Pair, before: list[tuple[int, int]], after: list[tuple[int, int]]) -> Evidence:
    """Compare a share of rows day by day; days without rows say nothing."""
    hits = [np.array([hit for hit, _ in side], float) for side in (before, after)]
    rows = [np.array([n for _, n in side], float) for side in (before, after)]
    if not rows[0].any() or not rows[1].any():
        return silent("days", "no day of one of the windows has rows")
    shares = [
        np.divide(h, n, out=np.full(h.shape, np.nan), where=n > 0)
        for h, n in zip(hits, rows, strict=True)
    ]
    return mean_evidence(shares[0], shares[1], rows=(rows[0], rows[1]), weekday=pair.weekday)


def known_range(reference: Numbers) -> tuple[float, float]:
    """Return the range of all but 0.1 % of the reference's values at each end."""
    at, upto = reference.at, np.cumsum(reference.counts)
    allowed = math.floor(TAIL * upto[-1])
    first = int(np.searchsorted(upto, allowed, side="right"))
    last = int(np.searchsorted(upto, upto[-1] - allowed))
    return float(at[first]), float(at[last])


def beyond(column: Numbers, low: float, high: float) -> int:
    """Count the values outside a range."""
    return int(column.counts[(column.at < low) | (column.at > high)].sum())


def new_values(before: Categories, after: Categories) -> dict[str, int]:
    """Return the values that only the current rows have, with their rows."""
    known = set(before.values)
    return {
        v: n for v, n in zip(after.values, after.counts.tolist(), strict=True) if v not in known
    }


def _of_values(day: Categories, wanted: set[str]) -> int:
    return sum(n for v, n in zip(day.values, day.counts.tolist(), strict=True) if v in wanted)


def rows_known(pair: Pair) -> tuple[int, int]:
    """Return how many rows of both windows have a value."""
    return pair.reference.whole.n, pair.current.whole.n


__all__ = ["Arm", "arms", "beyond", "is_id", "known_range", "new_values", "rows_known"]

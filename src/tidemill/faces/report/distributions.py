"""Two distributions of a column in a few bars: shares of rows, never rows."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tidemill.measures.categories import Categories
from tidemill.measures.numbers import Numbers

if TYPE_CHECKING:  # ports loads Ibis
    from tidemill.core.ports import Json

BARS = 24
"""Bars of a column of numbers."""
NAMED = 8
"""Values of a column of categories that get a bar of their own."""
_FEW = 12  # so many different numbers get a bar each
_EXACT = 0.02  # of the range of all: how wide a cell may be to count as one number
_CUT = 0.005  # of the rows at either end share a bar
_LONGEST = 40


def distribution(
    reference: Numbers | Categories | None, current: Numbers | Categories | None
) -> Json | None:
    """Put both windows of a column into the same few bars.

    Returns
    -------
    Json or None
        ``kind`` is numbers or categories; ``bars`` have ``from`` and ``to`` (null at an open
        end) or a ``value``, and the share of all rows of each side, missing ones apart. None
        where the two cannot be drawn together.

    Examples
    --------
    >>> a, b = (Categories.of_counts(c) for c in ({"x": 3, "y": 1}, {"x": 1, "y": 1}))
    >>> distribution(a, b)["bars"][0]
    {'value': 'x', 'reference': 0.75, 'current': 0.5}
    """
    if isinstance(reference, Numbers) and isinstance(current, Numbers):
        if reference.grid.id != current.grid.id or not reference.n + current.n:
            return None
        return {"kind": "numbers", "bars": _numbers(reference, current)}
    if isinstance(reference, Categories) and isinstance(current, Categories):
        if not reference.rows or not current.rows or not reference.n + current.n:
            return None
        return {"kind": "categories", "bars": _categories(reference, current)}
    return None


def _numbers(before: Numbers, after: Numbers) -> list[Json]:
    cells = np.union1d(before.cells, after.cells)
    at = before.grid.middle(cells)
    shares = [_shares(side, cells) for side in (before, after)]
    bars: list[Json] = []
    low, high = before.grid.edges(cells)
    exact = before.grid.step > 0 or at.size == 1 or (high - low).max() <= _EXACT * np.ptp(at)
    if at.size <= _FEW and exact:
        for k, (least, most, value) in enumerate(zip(low, high, at, strict=True)):
            bars.append(_bar(shares, slice(k, k + 1), value=_shortest(least, most, float(value))))
    else:
        edges = _edges(at, shares)
        starts = np.searchsorted(at, edges)
        ends = [None, *edges.tolist(), None]
        borders = [0, *starts.tolist(), at.size]
        for k in range(len(ends) - 1):
            if borders[k] < borders[k + 1] or 0 < k < len(ends) - 2:
                within = {"from": _number(ends[k]), "to": _number(ends[k + 1])}
                bars.append(_bar(shares, slice(borders[k], borders[k + 1]), **within))
    lost = [1 - (side.n / side.rows if side.rows else 0.0) for side in (before, after)]
    return [*bars, *_missing(lost)]


def _edges(at: NDArray[np.float64], shares: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Choose edges at round numbers, from where the lowest 0.5 % end to the highest."""
    low, high = np.inf, -np.inf
    for share in shares:
        if share.sum() > 0:
            upto = np.cumsum(share) / share.sum()
            low = min(low, float(at[np.searchsorted(upto, _CUT)]))
            high = max(high, float(at[min(np.searchsorted(upto, 1 - _CUT), at.size - 1)]))
    rough = (high - low) / (BARS - 2)
    if not np.isfinite(rough) or rough <= 0:
        return np.array([low])
    scale = 10.0 ** np.floor(np.log10(rough))
    width = scale * next(k for k in (1, 2, 2.5, 5, 10) if k * scale >= rough * 0.999)
    first, last = np.floor(low / width), np.ceil(high / width)
    return np.arange(first, last + 1) * width


def _categories(before: Categories, after: Categories) -> list[Json]:
    rows = [before.rows, after.rows]
    first, sides = _first(before, after)
    bars: list[Json] = []
    for value in first:
        then, now = (c.get(value, 0) / n for c, n in zip(sides, rows, strict=True))
        name = value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"
        bars.append({"value": name, "reference": then, "current": now})
    rest = [
        (side.n - sum(counts.values())) / n
        for side, counts, n in zip((before, after), sides, rows, strict=True)
    ]
    if any(r > 0 for r in rest):
        bars.append({"value": "others", "reference": rest[0], "current": rest[1], "rest": True})
    return [*bars, *_missing([side.nulls / side.rows for side in (before, after)])]


def _first(before: Categories, after: Categories) -> tuple[list[str], list[dict[str, int]]]:
    """Choose the most frequent values of both, each side counting the same, with their rows."""
    known: set[str] = set()
    for side in (before, after):
        best = np.argsort(-side.counts, kind="stable")[: 2 * NAMED]
        known |= {side.values[k] for k in best.tolist()}
    sides = [_counts(side, known) for side in (before, after)]
    size = [max(side.rows, 1) for side in (before, after)]
    total = {v: sides[0].get(v, 0) / size[0] + sides[1].get(v, 0) / size[1] for v in known}
    first = sorted(known, key=lambda v: (-total[v], v))[:NAMED]
    return first, [{v: c[v] for v in first if v in c} for c in sides]


def _counts(side: Categories, wanted: set[str]) -> dict[str, int]:
    """Look some values up; they ascend, and there may be 50,000 of them."""
    found: dict[str, int] = {}
    for value in wanted:
        at = bisect_left(side.values, value)
        if at < len(side.values) and side.values[at] == value:
            found[value] = int(side.counts[at])
    return found


def _missing(shares: list[float]) -> list[Json]:
    if max(shares) <= 0:
        return []
    return [{"value": "missing", "reference": shares[0], "current": shares[1], "rest": True}]


def _shares(side: Numbers, cells: NDArray[np.int32]) -> NDArray[np.float64]:
    counts = np.zeros(cells.size)
    counts[np.searchsorted(cells, side.cells)] = side.counts
    return counts / max(side.rows, 1)


def _bar(shares: list[NDArray[np.float64]], part: slice, **where: Any) -> Json:
    then, now = (float(share[part].sum()) for share in shares)
    return {**where, "reference": then, "current": now}


def _shortest(low: float, high: float, middle: float) -> float:
    """Return the shortest number in a cell, which is what was met if people wrote it.

    Examples
    --------
    >>> _shortest(-1.72, -1.69, -1.703), _shortest(0.95, 1.04, 1.0)
    (-1.7, 1.0)
    """
    for digits in range(1, 17):
        written = float(f"{middle:.{digits - 1}e}")
        if low <= written <= high:
            return written
    return float(middle)


def _number(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")

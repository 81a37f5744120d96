"""What changed in a column, in a sentence a person would say."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from tidemill.measures.aligned import robust_sd
from tidemill.measures.categories import Categories
from tidemill.measures.numbers import Numbers
from tidemill.monitoring.drift.arms import beyond, known_range, new_values
from tidemill.monitoring.drift.windows import TAIL, Pair, missing

_MOSTLY = 0.6  # of a distance that is told by one of its parts
_WIDER = 1.1
_LONGEST = 30
_NAMED = 2
_LOOKED_AT = 100  # frequent values; rarer ones do not explain a change of all


def of_values(pair: Pair) -> str:
    """Say how the values moved."""
    if pair.numbers is not None:
        return numbers(*pair.numbers)
    if pair.categories is not None:
        return categories(*pair.categories)
    return ""


def of_unknown(pair: Pair) -> str:
    """Say which values the reference does not know."""
    if pair.numbers is not None:
        before, after = pair.numbers
        low, high = known_range(before)
        sides = [("above", high, -np.inf, high), ("below", low, low, np.inf)]
        shares = [
            (beyond(after, a, b) / after.n, beyond(before, a, b) / before.n, word, edge)
            for word, edge, a, b in sides
        ]
        now, then, word, edge = max(shares, key=lambda s: s[0] - s[1])
        one, two = percents(then, now)
        return f"{two} of rows {word} {figure(edge)}, {one} before"
    if pair.categories is not None:
        new = new_values(*pair.categories)
        first = sorted(new, key=lambda v: (-new[v], v))
        share = percent(sum(new.values()) / pair.categories[1].n)
        named = ", ".join(map(short, first[:_NAMED]))
        rest = f" and {len(first) - _NAMED:,} more" if len(first) > _NAMED else ""
        return f"new value{'s' if len(first) > 1 else ''}: {named}{rest} ({share} of rows)"
    return ""


def of_missing(pair: Pair) -> str:
    """Say how many values are missing, by how they are."""
    sides = [missing(s.whole) for s in (pair.reference, pair.current)]
    rows = [max(s.whole.rows, 1) for s in (pair.reference, pair.current)]
    said: list[tuple[float, str]] = []
    for name in dict.fromkeys([*sides[0], *sides[1]]):
        then, now = (side.get(name, 0) / n for side, n in zip(sides, rows, strict=True))
        if then != now:
            one, two = percents(then, now)
            plural = "nulls" if name == "null" else name
            said.append((abs(now - then), f"{plural} {one} → {two}"))
    said.sort(key=lambda pair: -pair[0])
    return ", ".join(text for _, text in said[:_NAMED]) or "as many missing as before"


def numbers(before: Numbers, after: Numbers) -> str:
    """Say how numbers moved: up or down, wider or narrower, one value, or the shape."""
    if not before.n or not after.n:
        return "no values in one of the windows"
    one, two = _Spread.of(before), _Spread.of(after)
    sd = robust_sd(before) or 1.0
    cells = np.union1d(before.cells, after.cells)
    at = before.grid.middle(cells)
    gap = np.abs(_upto(before, cells) - _upto(after, cells))[:-1]
    distance = float(gap @ np.diff(at))
    if not distance:
        return "no change"
    heavy = _heaviest(before, after, cells)
    if heavy:
        return heavy
    for name, then, now in (("mean", one.mean, two.mean), ("median", one.middle, two.middle)):
        if abs(now - then) >= _MOSTLY * distance:
            return f"{name} {_way(then, now, sd)}: {' → '.join(pair_of(then, now))}"
    if one.wide > 0 and not 1 / _WIDER < two.wide / one.wide < _WIDER:
        word = "wider" if two.wide > one.wide else "narrower"
        was, now = (f"{a} to {b}" for a, b in (one.inner, two.inner))
        return f"{word}: the middle 80 % was {was}, is {now}"
    was, now = (", ".join(map(figure, s.quartiles)) for s in (one, two))
    return f"another shape: quartiles {was} → {now}"


def no_change(pair: Pair) -> str:
    """Say where the column is when nothing is to be told."""
    if pair.numbers is not None and pair.numbers[0].n and pair.numbers[1].n:
        one, two = (_Spread.of(side) for side in pair.numbers)
        return f"mean {' → '.join(pair_of(one.mean, two.mean))}"
    if pair.categories is not None and pair.categories[0].n and pair.categories[1].n:
        return categories(*pair.categories, named=1)
    return ""


def categories(before: Categories, after: Categories, *, named: int = _NAMED) -> str:
    """Name the values whose share changed most."""
    if not before.n or not after.n:
        return "no values in one of the windows"
    sizes = before.n, after.n
    gaps: dict[str, tuple[float, float]] = {}
    for value in {*_first(before), *_first(after)}:
        gaps[value] = _count(before, value) / sizes[0], _count(after, value) / sizes[1]
    most = sorted(gaps, key=lambda v: (-abs(gaps[v][1] - gaps[v][0]), v))[:named]
    if not most:
        return "no values in common"
    largest = abs(gaps[most[0]][1] - gaps[most[0]][0])
    told = [v for v in most if abs(gaps[v][1] - gaps[v][0]) >= largest / 4]
    return ", ".join(f"{short(v)} {' → '.join(percents(*gaps[v]))}" for v in told)


def _first(side: Categories) -> list[str]:
    """Return the most frequent values."""
    best = np.argsort(-side.counts, kind="stable")[:_LOOKED_AT]
    return [side.values[k] for k in best.tolist()]


def _count(side: Categories, value: str) -> int:
    k = bisect_left(side.values, value)
    known = k < len(side.values) and side.values[k] == value
    return int(side.counts[k]) if known else 0


class _Spread:
    """Where numbers lie; far-off values are drawn in, so that none of them speaks for all."""

    def __init__(self, at: NDArray[np.float64], upto: NDArray[np.float64]) -> None:
        self._at, self._upto = at, upto
        low, high = self._quantile(TAIL), self._quantile(1 - TAIL)
        share = np.diff(upto, prepend=0.0)
        self.mean = float(np.clip(at, low, high) @ share)
        self.middle = self._quantile(0.5)
        self.quartiles = tuple(self._quantile(q) for q in (0.25, 0.5, 0.75))
        first, last = self._quantile(0.1), self._quantile(0.9)
        self.wide = last - first
        self.inner = pair_of(first, last)

    @classmethod
    def of(cls, side: Numbers) -> _Spread:
        upto = np.cumsum(side.counts)
        return cls(side.grid.middle(side.cells), upto / upto[-1])

    def _quantile(self, share: float) -> float:
        return float(self._at[min(int(np.searchsorted(self._upto, share)), self._at.size - 1)])


def _upto(side: Numbers, cells: NDArray[np.int32]) -> NDArray[np.float64]:
    counts = np.zeros(cells.size)
    counts[np.searchsorted(cells, side.cells)] = side.counts
    return np.cumsum(counts) / side.n


def _heaviest(before: Numbers, after: Numbers, cells: NDArray[np.int32]) -> str:
    """Name the one value whose share changed, where that is most of the change."""
    p, q = (np.diff(_upto(side, cells), prepend=0.0) for side in (before, after))
    gap = q - p
    k = int(np.abs(gap).argmax())
    is_atom = max(p[k], q[k]) >= 0.05 and abs(gap[k]) >= 0.02  # noqa: PLR2004 - worth naming
    if not is_atom or abs(gap[k]) < _MOSTLY * float(np.abs(gap).sum()) / 2:
        return ""
    value = float(before.grid.middle(cells[k : k + 1])[0])
    return f"value {figure(value)}: {' → '.join(percents(float(p[k]), float(q[k])))}"


def _way(then: float, now: float, sd: float) -> str:
    return f"{'up' if now > then else 'down'} by {abs(now - then) / sd:.2g} sd"


def figure(value: float, digits: int = 3) -> str:
    """Write a number with about three figures that matter.

    Examples
    --------
    >>> figure(1039.4), figure(0.012345), figure(-3.0), figure(2.5e9)
    ('1,039', '0.0123', '-3', '2.5e+09')
    """
    size = abs(value)
    if 1000 <= size < 1e7:  # noqa: PLR2004 - where people write all figures
        return f"{value:,.{max(0, digits - 3 - (size >= 10_000))}f}"  # noqa: PLR2004
    return f"{value + 0.0:.{digits}g}"


def pair_of(then: float, now: float) -> tuple[str, str]:
    """Write two numbers with as many figures as it takes to tell them apart.

    Examples
    --------
    >>> pair_of(890.0, 1039.0), pair_of(12.3156, 12.3361), pair_of(2.0, 2.0)
    (('890', '1,039'), ('12.32', '12.34'), ('2', '2'))
    """
    for digits in (3, 4, 5, 6):
        one, two = figure(then, digits), figure(now, digits)
        if one != two:
            return one, two
    return figure(then), figure(now)


def percent(share: float, digits: int = 1) -> str:
    """Write a share of rows.

    Examples
    --------
    >>> percent(0.3), percent(0.0312), percent(0.0004), percent(0.0)
    ('30 %', '3.1 %', '<0.1 %', '0 %')
    """
    whole = 100 * share
    if 0 < whole < 0.1:  # noqa: PLR2004 - the least that is written
        return "<0.1 %"
    places = 0 if whole >= 10 and digits == 1 else digits  # noqa: PLR2004
    text = f"{whole:.{places}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def percents(then: float, now: float) -> tuple[str, str]:
    """Write two shares with as many figures as it takes to tell them apart.

    Examples
    --------
    >>> percents(0.3, 0.36), percents(0.301, 0.304), percents(0.005, 0.11)
    (('30 %', '36 %'), ('30.1 %', '30.4 %'), ('0.5 %', '11 %'))
    """
    one, two = percent(then), percent(now)
    return (one, two) if one != two else (_exactly(then), _exactly(now))


def _exactly(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= TAIL or not share else percent(share)


def short(value: str) -> str:
    """Write a value so that it fits a line and shows what cannot be seen.

    Examples
    --------
    >>> short("JFK"), short(""), short("a" * 40), short(" a")
    ('JFK', '(empty)', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaa…', "' a'")
    """
    if not value:
        return "(empty)"
    plain = value if value == value.strip() and value.isprintable() else repr(value)
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"

"""Where the name of a point stands, so that names do not cover one another."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from typing import NamedTuple

_WIDTH, _HEIGHT = 400.0, 270.0
_LETTER, _LINE, _DOT, _MARGIN = 7.0, 15.0, 7.0, 20.0


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def over(self, other: Box) -> float:
        """Return how much of another box it covers."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, wide) * max(0.0, high)


def places(points: list[tuple[str, float, float]], steps: Collection[str] = ()) -> list[str]:
    """Choose for each (name, x, y) whether its name stands right, left, above or below.

    ``steps`` names the points that a line joins in steps, first to the right, then up or down.

    Examples
    --------
    >>> places([("a", 0.0, 1.0), ("b", 0.3, 1.0), ("c", 10.0, 0.0)])
    ['left', 'right', 'right']
    """
    spots = _spots(points)
    taken = [Box(x - _DOT, y - _DOT, x + _DOT, y + _DOT) for x, y in spots]
    joined = sorted(spot for (name, _, _), spot in zip(points, spots, strict=True) if name in steps)
    for (x, y), (to, top) in pairwise(joined):
        taken += [Box(x, y - 2, to, y + 2), Box(to - 2, min(y, top), to + 2, max(y, top))]
    found: list[str] = []
    for (name, _, _), (x, y) in zip(points, spots, strict=True):
        around = _around(x, y, _LETTER * min(len(name), 21))
        costs = {place: _cost(box, taken) for place, box in around.items()}
        best = min(costs, key=costs.__getitem__)
        taken.append(around[best])
        found.append(best)
    return found


def _spots(points: list[tuple[str, float, float]]) -> list[tuple[float, float]]:
    across = _spread([x for _, x, _ in points], _WIDTH)
    down = _spread([-y for _, _, y in points], _HEIGHT)
    return list(zip(across, down, strict=True))


def _spread(values: list[float], size: float) -> list[float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    return [size * (value - low) / ((high - low) or 1.0) for value in values]


def _around(x: float, y: float, wide: float) -> dict[str, Box]:
    half = _LINE / 2
    return {
        "right": Box(x + _DOT, y - half, x + _DOT + wide, y + half),
        "left": Box(x - _DOT - wide, y - half, x - _DOT, y + half),
        "above": Box(x - wide / 2, y - _DOT - _LINE, x + wide / 2, y - _DOT),
        "below": Box(x - wide / 2, y + _DOT, x + wide / 2, y + _DOT + _LINE),
    }


def _cost(box: Box, taken: list[Box]) -> float:
    outside = max(0.0, -_MARGIN - box.left) + max(0.0, box.right - _WIDTH - _MARGIN)
    return sum(box.over(other) for other in taken) + 20 * outside

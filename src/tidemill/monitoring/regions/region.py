"""A region: rows that people can name, and how many more of them there are now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidemill.measures.coding import Codes, Coding
from tidemill.measures.condition import All
from tidemill.monitoring.regions.tree import Tree

Bools = NDArray[np.bool_]
NEARLY = 0.95
"""A condition is named if without it the region would stand out by a twentieth less."""


@dataclass(frozen=True, kw_only=True)
class Region:
    """Some conditions, and what share of each side's held-out rows fulfils them.

    Parameters
    ----------
    where
        The conditions; ``where.cohort()`` makes them a cohort.
    rows
        Held-out rows of current in it.
    current, reference
        Share of the held-out rows of each side.
    highest
        The highest share on a usual day, where days were compared; else ``reference``.
    """

    where: All
    rows: int
    current: float
    reference: float
    highest: float

    def words(self) -> str:
        """Say where it is and how much of each side is in it."""
        usual = f"{self.reference:.1%} before"
        if self.highest > self.reference:
            usual = f"{self.reference:.1%} on usual days, {self.highest:.1%} on the highest"
        return f"{self.where.words()}: {self.current:.1%} of rows now, {usual}"


def regions(
    coding: Coding,
    trees: Sequence[Tree],
    current: Codes,
    reference: Codes,
    *,
    usual: Sequence[Codes] = (),
    most: int = 3,
) -> tuple[Region, ...]:
    """Name the leaves that hold more of current, by rows that the trees have not seen.

    Parameters
    ----------
    coding
        What the codes mean.
    trees
        Whose leaves are asked.
    current, reference
        Held-out rows of each side.
    usual
        Rows of single usual days: a region must then hold more than on each of them.
    most
        At most so many; of two that share half of their rows of current only the better one.
    """
    sides = (current, reference, *(day for day in usual if len(day)))
    found: list[tuple[float, Bools, Region]] = []
    for tree, leaf in _leaves(trees):
        allowed = _plain(tree.allowed(leaf, current.shape[1]), sides)
        inside = _inside(allowed, current)
        now, before, *_ = shares = _shares(allowed, sides)
        where = All(coding.conditions(allowed))
        if now <= max(shares[1:]) or not where.conditions:
            continue
        highest = max(shares[1:])
        region = Region(
            where=where, rows=int(inside.sum()), current=now, reference=before, highest=highest
        )
        found.append((now - highest, inside, region))
    found.sort(key=lambda entry: -entry[0])
    return _apart(found, most)


def _inside(allowed: Bools, codes: Codes) -> Bools:
    """Return which rows have an allowed code in every column."""
    rows = np.ones(len(codes), dtype=np.bool_)
    for at in np.flatnonzero(~allowed.all(axis=1)):
        rows &= allowed[at, codes[:, at]]
    return rows


def _shares(allowed: Bools, sides: Sequence[Codes]) -> list[float]:
    return [float(_inside(allowed, codes).mean()) for codes in sides]


def _plain(allowed: Bools, sides: Sequence[Codes]) -> Bools:
    """Leave out conditions without which the region stands out nearly as much, or more."""
    while (asked := np.flatnonzero(~allowed.all(axis=1))).size > 1:
        stands = _stands(_shares(allowed, sides))
        without: list[tuple[float, Bools]] = []
        for at in asked:
            fewer = allowed.copy()
            fewer[at] = True
            without.append((_stands(_shares(fewer, sides)), fewer))
        most, fewer = max(without, key=lambda entry: entry[0])
        if most < NEARLY * stands:
            break
        allowed = fewer
    return allowed


def _stands(shares: Sequence[float]) -> float:
    return shares[0] - max(shares[1:])


def _leaves(trees: Sequence[Tree]) -> Iterator[tuple[Tree, int]]:
    for tree in trees:
        for leaf in range(tree.values.size):
            yield tree, leaf


def _apart(found: Sequence[tuple[float, Bools, Region]], most: int) -> tuple[Region, ...]:
    kept: list[tuple[Bools, Region]] = []
    for _, inside, region in found:
        if len(kept) == most:
            break
        if all(np.sum(inside & other) <= inside.sum() / 2 for other, _ in kept):
            kept.append((inside, region))
    return tuple(region for _, region in kept)

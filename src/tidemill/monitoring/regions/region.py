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
    found: list[tuple[float, Bools, Region]] = []
    for tree, leaf in _leaves(trees):
        inside = tree.leaves(current) == leaf
        shares = [float(np.mean(tree.leaves(day) == leaf)) for day in usual if len(day)]
        now, before = float(inside.mean()), float(np.mean(tree.leaves(reference) == leaf))
        highest = max([before, *shares])
        where = All(coding.conditions(tree.allowed(leaf, current.shape[1])))
        if now <= highest or not where.conditions:
            continue
        region = Region(
            where=where, rows=int(inside.sum()), current=now, reference=before, highest=highest
        )
        found.append((now - highest, inside, region))
    found.sort(key=lambda entry: -entry[0])
    return _apart(found, most)


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

"""Small decision trees on coded columns, alone and boosted, in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from tidemill.measures.coding import MISSING, Codes

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
RIDGE = 1.0


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A tree of full depth; node i has the children 2 i + 1 and 2 i + 2.

    Parameters
    ----------
    column
        The column each inner node asks about, -1 where all rows go left.
    left
        Which of its codes go left, shape (inner nodes, codes).
    values
        What each leaf says.
    """

    column: NDArray[np.int64]
    left: Bools
    values: Floats

    @property
    def depth(self) -> int:
        """How many questions lead to a leaf."""
        return self.values.size.bit_length() - 1

    def leaves(self, codes: Codes) -> NDArray[np.int64]:
        """Return the leaf of each row."""
        node = np.zeros(len(codes), dtype=np.int64)
        rows = np.arange(len(codes))
        for _ in range(self.depth):
            node = 2 * node + 2 - self.left[node, codes[rows, self.column[node]]]
        return node - self.column.size

    def allowed(self, leaf: int, columns: int) -> Bools:
        """Return which codes of each column lead to a leaf, shape (columns, codes)."""
        allowed = np.ones((columns, self.left.shape[1]), dtype=np.bool_)
        node = leaf + self.column.size
        while node:
            above = (node - 1) // 2
            if self.column[above] >= 0:
                side = self.left[above] if node % 2 else ~self.left[above]
                allowed[self.column[above]] &= side
            node = above
        return allowed


def grow(
    codes: Codes, gradient: Floats, hessian: Floats, categories: Bools, *, depth: int, least: float
) -> Tree:
    """Grow a tree that lowers a loss most, level by level.

    Parameters
    ----------
    codes
        Shape (rows, columns).
    gradient, hessian
        Of the loss of each row.
    categories
        Which columns have no order; their codes are put in the order of their mean gradient.
    depth
        Questions to a leaf.
    least
        The least sum of hessians in a leaf.

    References
    ----------
    Chen, T. and Guestrin, C. (2016). XGBoost: a scalable tree boosting system. KDD.
    Fisher, W. D. (1958). On grouping for maximum homogeneity. Journal of the American
    Statistical Association 53, 789-798.
    """
    columns, size = codes.shape[1], int(codes.max(initial=0)) + 1
    inner = 2**depth - 1
    column = np.full(inner, -1, dtype=np.int64)
    left = np.ones((inner, max(size, 256)), dtype=np.bool_)
    place = codes.T.astype(np.int64) + (np.arange(columns) * size)[:, None]
    node = np.zeros(len(codes), dtype=np.int64)
    rows = np.arange(len(codes))
    for level in range(depth):
        first, count = 2**level - 1, 2**level
        flat = (place + (node - first) * (columns * size)).ravel()
        shape = (count, columns, size)
        sums, weights = (
            _summed(flat, np.tile(of, columns), count * columns * size).reshape(shape)
            for of in (gradient, hessian)
        )
        here = slice(first, first + count)
        column[here], left[here, :size] = _splits(sums, weights, categories, least)
        node = 2 * node + 2 - left[node, codes[rows, column[node]]]
    sums, weights = (_summed(node - inner, of, inner + 1) for of in (gradient, hessian))
    return Tree(column=column, left=left, values=-sums / (weights + RIDGE))


def _summed(place: NDArray[np.int64], of: Floats, size: int) -> Floats:
    return np.asarray(np.bincount(place, of, size), dtype=np.float64)


def _splits(
    sums: Floats, weights: Floats, categories: Bools, least: float
) -> tuple[NDArray[np.int64], Bools]:
    """Find the best question of each node: its column, or -1, and the codes that go left."""
    count, columns, size = sums.shape
    order = np.broadcast_to(np.arange(size), sums.shape).copy()
    if categories.any():
        # Codes without rows go last, so that they never stand between two that have some.
        mean = np.where(weights > 0, sums / (weights + RIDGE), np.inf)[:, categories]
        order[:, categories] = np.argsort(mean, axis=2, kind="stable")
    sums, weights = (np.take_along_axis(of, order, axis=2) for of in (sums, weights))
    total = sums.sum(axis=2)[:, :1, None], weights.sum(axis=2)[:, :1, None]
    before = np.cumsum(sums, axis=2), np.cumsum(weights, axis=2)
    # A number that is missing may go to either side; a missing category is a value.
    lost = np.where(categories[None, :, None], 0.0, sums[:, :, :1])
    missing = np.where(categories[None, :, None], 0.0, weights[:, :, :1])
    sides = [(before[0], before[1]), (before[0] - lost, before[1] - missing)]
    gains = np.stack([_gain(s, w, total, least) for s, w in sides], axis=3)
    best = gains.reshape(count, -1).argmax(axis=1)
    column, code, side = np.unravel_index(best, (columns, size, 2))
    every = np.arange(count)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(size), order.shape), axis=2)
    left = rank[every, column] <= code[:, None]
    left[(side == 1) & ~categories[column], MISSING] = False
    none = gains.reshape(count, -1).max(axis=1) <= 0
    left[none] = True
    return np.where(none, -1, column), left


def _gain(sums: Floats, weights: Floats, total: tuple[Floats, Floats], least: float) -> Floats:
    """Return how much a question lowers the loss, 0 where a side would be too small."""
    other, rest = total[0] - sums, total[1] - weights
    with np.errstate(invalid="ignore"):
        gain = sums**2 / (weights + RIDGE) + other**2 / (rest + RIDGE)
    gain = gain - total[0] ** 2 / (total[1] + RIDGE)
    return np.where((weights >= least) & (rest >= least) & (gain > 1e-9 * total[1]), gain, 0.0)


@dataclass(frozen=True, kw_only=True)
class Boosted:
    """A sum of small trees that tells rows of one side from rows of the other."""

    trees: tuple[Tree, ...]
    rate: float

    def __call__(self, codes: Codes, /) -> Floats:
        """Return the log odds of each row."""
        score = np.zeros(len(codes))
        for tree in self.trees:
            score += self.rate * tree.values[tree.leaves(codes)]
        return score


def boosted(
    codes: Codes,
    current: NDArray[Any],
    categories: Bools,
    *,
    rounds: int = 30,
    depth: int = 3,
    rate: float = 0.2,
    least: float = 5.0,
) -> Boosted:
    """Learn to tell rows of current from rows of the reference; both sides weigh the same.

    Parameters
    ----------
    codes
        Shape (rows, columns).
    current
        Which rows are of current.
    categories
        Which columns have no order.
    rounds, depth, rate
        How many trees, how deep, and how much of each is taken.
    least
        The least sum of hessians in a leaf; a row has at most a quarter of its weight.

    References
    ----------
    Friedman, J. H. (2001). Greedy function approximation: a gradient boosting machine.
    Annals of Statistics 29, 1189-1232.

    Examples
    --------
    >>> codes = np.array([[1], [1], [2], [2]] * 50, dtype=np.uint8)
    >>> learnt = boosted(codes, codes[:, 0] == 2, np.array([False]), rounds=5)
    >>> learnt(codes[:3]).round(1).tolist()
    [-1.5, -1.5, 1.5]
    """
    target = np.asarray(current, dtype=np.float64)
    weight = balanced(target)
    score = np.zeros(len(target))
    trees: list[Tree] = []
    for _ in range(rounds):
        chance = expit(score)
        gradient, hessian = weight * (chance - target), weight * chance * (1 - chance)
        tree = grow(codes, gradient, hessian, categories, depth=depth, least=least)
        score += rate * tree.values[tree.leaves(codes)]
        trees.append(tree)
    return Boosted(trees=tuple(trees), rate=rate)


def balanced(target: Floats) -> Floats:
    """Return weights that give both sides half of the rows.

    Examples
    --------
    >>> balanced(np.array([1.0, 0.0, 0.0, 0.0])).round(2).tolist()
    [2.0, 0.67, 0.67, 0.67]
    """
    share = float(target.mean())
    return np.where(target > 0, 0.5 / share, 0.5 / (1 - share))

"""Permutations of who belongs to which side, drawn block by block so that memory is bounded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


def memberships(
    rng: np.random.Generator, reference: int, current: int, *, permutations: int, block: int
) -> Iterator[Bools]:
    """Draw permutations of the sides, some rows at a time.

    A block gets as many reference rows as a hypergeometric draw from those that are left, and
    spreads them evenly: row by row the blocks together are uniform permutations, and never
    more than one block of them is in memory.

    Parameters
    ----------
    rng
        Where the randomness comes from.
    reference, current
        Rows of each side.
    permutations
        How many, at least 1.
    block
        Rows at a time.

    Yields
    ------
    numpy.ndarray
        Shape (permutations, rows of the block); True where a row counts as reference.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> drawn = np.hstack(list(memberships(rng, 3, 7, permutations=4, block=4)))
    >>> drawn.shape, drawn.sum(axis=1).tolist()
    ((4, 10), [3, 3, 3, 3])
    """
    wanted = np.full(permutations, reference, dtype=np.int64)
    left = reference + current
    while left:
        rows = min(block, left)
        here = wanted if rows == left else rng.hypergeometric(wanted, left - wanted, rows)
        yield rng.permuted(np.arange(rows)[None, :] < here[:, None], axis=1)
        wanted, left = wanted - here, left - rows


def permutation_p(observed: float, permuted: NDArray[np.float64]) -> float:
    """Return the share of permutations at least as far out, the observed one among them.

    It is never 0, and never below 1 / (permutations + 1).

    References
    ----------
    Phipson, B. and Smyth, G. K. (2010). Permutation p-values should never be zero.
    Statistical Applications in Genetics and Molecular Biology 9, 39.

    Examples
    --------
    >>> permutation_p(2.0, np.array([0.0, 1.0, 2.0]))
    0.5
    """
    return float((1 + np.sum(permuted >= observed)) / (1 + permuted.size))

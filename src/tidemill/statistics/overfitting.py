"""How likely it is that the best of many on one part of history is none of the best on the rest."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from tidemill.core.errors import BadInput, BadValue

_MOST = 20  # 184,756 ways to halve
_AT_ONCE = 4096


def probability_of_overfitting(performance: NDArray[Any], *, blocks: int = 8) -> float:
    """Return the share of ways to halve history in which the winner of one half fails the other.

    History is cut into blocks of consecutive periods. For each way to choose half of the
    blocks, the strategy that is best on average there is ranked on the other half; it fails
    when it comes out in the worse half of the strategies.

    Parameters
    ----------
    performance
        Higher is better; shape (periods, strategies), all finite, at least two of each.
    blocks
        Number of blocks, even, from 2 to 20 and at most the number of periods. A block should
        be longer than neighbouring periods resemble each other.

    Returns
    -------
    float
        0 when the winner always stays ahead, about 0.5 when none is better than another. A
        rank exactly in the middle counts half.

    References
    ----------
    Bailey, D. H., Borwein, J. M., Lopez de Prado, M. and Zhu, Q. J. (2017). The probability
    of backtest overfitting. Journal of Computational Finance 20, 39-69.

    Examples
    --------
    >>> good = np.array([[1.0, 0.0], [2.0, 1.0], [1.5, 1.0], [3.0, 2.0]])
    >>> probability_of_overfitting(good, blocks=4)
    0.0
    >>> probability_of_overfitting(np.ones((4, 2)), blocks=4)
    0.5
    """
    table = _checked(performance, blocks)
    parts = np.array_split(table, blocks)
    sums = np.array([part.sum(axis=0) for part in parts])
    sizes = np.array([len(part) for part in parts], dtype=np.float64)
    halves = itertools.combinations(range(blocks), blocks // 2)
    fails = 0.0
    while chosen := list(itertools.islice(halves, _AT_ONCE)):
        mask = np.zeros((len(chosen), blocks))
        mask[np.arange(len(chosen))[:, None], np.array(chosen)] = 1.0
        inside = (mask @ sums) / (mask @ sizes)[:, None]
        outside = ((1 - mask) @ sums) / ((1 - mask) @ sizes)[:, None]
        best = inside.argmax(axis=1)
        ranks = np.asarray(rankdata(outside, axis=1), dtype=np.float64)
        above = ranks[np.arange(len(chosen)), best] - (table.shape[1] + 1) / 2
        fails += float(np.sum(above < 0) + np.sum(above == 0) / 2)
    return fails / math.comb(blocks, blocks // 2)


def _checked(performance: NDArray[Any], blocks: int) -> NDArray[np.float64]:
    table = np.asarray(performance, dtype=np.float64)
    least = 2
    if table.ndim != least or min(table.shape) < least or not np.isfinite(table).all():
        raise BadInput(
            f"performance has shape {table.shape}, {int((~np.isfinite(table)).sum())} not finite.",
            fix="pass finite numbers, at least two periods (rows) and two strategies (columns).",
        )
    most = min(_MOST, len(table))
    if blocks % 2 or blocks not in range(2, most + 1):
        must = f"an even number from 2 to {most - most % 2}"
        raise BadValue(
            f"probability_of_overfitting(blocks={blocks}): blocks must be {must}.",
            fix=f"pass blocks as {must}.",
        )
    return table

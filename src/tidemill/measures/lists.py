"""Lists of rows in the order of their scores, with what each place is worth on average over ties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from tidemill.measures.grouped import parted
from tidemill.measures.metric import Summary, numbers, with_weight
from tidemill.statistics.weighted import weighted_mean

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Lists:
    """Rows list by list, the best score first; of n rows in g lists.

    Rows of one score are a block, whose order is open: what is of places is taken on average over
    all orders of them.

    Parameters
    ----------
    label
        The truth of each row; shape (n,).
    rank
        How many rows of its list come before; shape (n,).
    first
        The rank at which the block of each row begins; shape (n,).
    starts, blocks
        Where each list and each block begins; shapes (g,) and (b,).
    weight
        The mean weight of each list's rows; shape (g,).
    """

    label: Floats
    rank: Whole
    first: Whole
    starts: Whole
    blocks: Whole
    weight: Floats

    def add(self, values: Floats) -> Floats:
        """Add up the values of each list."""
        return np.add.reduceat(values, self.starts)

    def of_list(self, values: Floats) -> Floats:
        """Give each row the value of its list."""
        return np.repeat(values, np.diff(np.append(self.starts, self.rank.size)))

    def of_block(self, values: Floats) -> Floats:
        """Add up the values of each block, and give each of its rows the sum."""
        sizes = np.diff(np.append(self.blocks, self.rank.size))
        return np.repeat(np.add.reduceat(values, self.blocks), sizes)

    @property
    def tied(self) -> Floats:
        """How many rows the block of each row has."""
        return self.of_block(np.ones(self.rank.size))

    def on_average(self, worth: Floats) -> Floats:
        """Return what the place of each row is worth, on average over the orders of its block."""
        return self.of_block(worth) / self.tied


def by_list(
    name: str,
    label: NDArray[Any],
    answer: NDArray[Any],
    weight: NDArray[Any],
    value: Callable[[Lists], Floats],
) -> float:
    """Return the weighted mean of a value of each list; lists without one do not count.

    NaN when no list has a value, or a label or answer is missing.
    """
    pairs, answer, w = with_weight(label, answer, weight)
    truth, group = parted(pairs, name)
    truth, score = numbers(truth, "a label"), numbers(answer, "an answer")
    if not w.size or np.isnan(truth).any() or np.isnan(score).any():
        return float("nan")
    order = np.lexsort((-score, group))
    truth, score, group, w = truth[order], score[order], group[order], w[order]
    new = np.append(True, group[1:] != group[:-1])
    starts = np.flatnonzero(new)
    blocks = np.flatnonzero(new | np.append(True, score[1:] != score[:-1]))
    sizes = np.diff(np.append(starts, w.size))
    rank = np.arange(w.size) - np.repeat(starts, sizes)
    lists = Lists(
        label=truth,
        rank=rank,
        first=np.repeat(rank[blocks], np.diff(np.append(blocks, w.size))),
        starts=starts,
        blocks=blocks,
        weight=np.add.reduceat(w / w.max(), starts) / sizes,
    )
    found = value(lists)
    known = np.isfinite(found)
    return weighted_mean(found[known], lists.weight[known])


def expected_precision_at_relevant(lists: Lists, relevant: Floats) -> Floats:
    """Return, for each row, P(relevant) times the precision at its place if it is.

    References
    ----------
    McSherry, F. and Najork, M. (2008). Computing information retrieval performance measures
    efficiently in the presence of tied scores. ECIR 2008, section 2.
    """
    tied, among = lists.tied, lists.of_block(relevant)
    upto = np.cumsum(relevant)
    above = upto - lists.of_list(upto[lists.starts] - relevant[lists.starts])
    # Those of the blocks before: a block's first row tells.
    before = lists.of_block(np.where(lists.rank == lists.first, above - relevant, 0.0))
    inside = (lists.rank - lists.first) * (among - 1) / np.maximum(tied - 1, 1)
    return among / tied * (before + inside + 1) / (lists.rank + 1)


def chance_of_first(lists: Lists, relevant: Floats) -> Floats:
    """Return the chance that the first relevant row of a list is at the place of each row."""
    tied, among = lists.tied, lists.of_block(relevant)
    upto = np.cumsum(among > 0)
    earlier = lists.of_list((upto - (among > 0))[lists.starts].astype(np.float64))
    # The first block with a relevant row: none of its list's rows before is of such a block.
    block = lists.of_block((lists.rank == lists.first) * (upto - earlier)) == 1
    j = (lists.rank - lists.first).astype(np.float64)
    open_ = block & (j <= tied - among)
    left = np.where(open_, tied - among, 0.0)
    gone = np.where(open_, j, 0.0)
    size = np.where(open_, tied, 1.0)
    # No relevant one among the j before, then one of those relevant.
    none_yet = gammaln(left + 1) - gammaln(left - gone + 1)
    none_yet -= gammaln(size + 1) - gammaln(size - gone + 1)
    return np.where(open_, np.exp(none_yet) * among / np.maximum(tied - j, 1.0), 0.0)


class OfLists:
    """What metrics of lists share: the weighted mean over lists of a value of each, the more the better."""

    @property
    def name(self) -> str:
        """The name in snake case."""
        raise NotImplementedError

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value is a better model."""
        return True

    @property
    def summary(self) -> Summary:
        """What of windows tells what they come to together."""
        return "rows"

    def __call__(self, label: NDArray[Any], answer: NDArray[Any], weight: NDArray[Any]) -> float:
        """Compute the weighted mean over lists."""
        return by_list(self.name, label, answer, weight, self._value)

    def _value(self, lists: Lists) -> Floats:
        """Return the value of each list, NaN where it has none; shape (g,)."""
        raise NotImplementedError

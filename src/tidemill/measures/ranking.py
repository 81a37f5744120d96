"""Metrics of ranking: how far up what is relevant stands in each query's, session's or user's list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated, Literal

import numpy as np

from tidemill.core.errors import BadInput
from tidemill.core.limits import Between, OneOf, Text, Whole
from tidemill.core.rule import rule
from tidemill.measures.lists import (
    Floats,
    Lists,
    OfLists,
    chance_of_first,
    expected_precision_at_relevant,
)

Needs = Literal["output", "score"]
_SAID = OneOf(("score", "output"))
_GAINS = ("linear", "exponential")


def _at(name: str, k: int | None) -> str:
    return name if k is None else f"{name}_at_{k}"


def _relevant(lists: Lists, above: float) -> Floats:
    return (lists.label > above).astype(np.float64)


def _any_relevant(lists: Lists, relevant: Floats) -> Floats:
    """Return how many are relevant in each list, NaN for none: then no order is better."""
    found = lists.add(relevant)
    return np.where(found > 0, found, np.nan)


@rule
class NDCG(OfLists):
    """The gain of each list's order, discounted by the logarithm of the place, over the best order's.

    Equal scores count by the mean over their orders. Lists in which nothing has a gain do not
    count, since no order of them is better; the others count by the mean weight of their rows.

    Parameters
    ----------
    k
        How many places from the top count; None for all.
    gain
        What a label is worth: itself (``"linear"``), or 2^label - 1 (``"exponential"``).
    group
        What makes a list: ``"unit"``, or the name of a tag of the records, such as ``"query"``.
    needs
        What rows are ordered by, ``"score"`` or ``"output"``; the largest comes first.

    References
    ----------
    Järvelin, K. and Kekäläinen, J. (2002). Cumulated gain-based evaluation of IR techniques.
    ACM Transactions on Information Systems 20, 422-446.

    Examples
    --------
    >>> from tidemill.measures.grouped import truth_for
    >>> label, score = np.array([2.0, 0.0, 1.0]), np.array([0.8, 0.9, 0.1])
    >>> pairs = truth_for(NDCG(), label, {"unit": np.array(["ann"] * 3)})
    >>> round(NDCG()(pairs, score, np.ones(3)), 4)
    0.6697
    """

    _: KW_ONLY
    k: Annotated[int, Whole(1)] | None = 10
    gain: Annotated[str, OneOf(_GAINS)] = "linear"
    group: Annotated[str, Text()] = "unit"
    needs: Annotated[Needs, _SAID] = "score"

    @property
    def name(self) -> str:
        """The name in snake case."""
        return _at("ndcg", self.k)

    def _value(self, lists: Lists) -> Floats:
        if lists.label.min() < 0:
            raise BadInput(
                f"label {lists.label.min():g} is below 0, and a gain is not.",
                fix="code how relevant a row is as 0, 1, 2, ...",
            )
        gain = lists.label if self.gain == _GAINS[0] else np.exp2(lists.label) - 1
        worth = 1 / np.log2(lists.rank + 2.0)
        if self.k is not None:
            worth = np.where(lists.rank < self.k, worth, 0.0)
        best = gain[
            np.lexsort((-gain, lists.of_list(np.arange(lists.starts.size, dtype=np.float64))))
        ]
        most = lists.add(best * worth)
        return lists.add(gain * lists.on_average(worth)) / np.where(most > 0, most, np.nan)

    @classmethod
    def examples(cls) -> Iterator[NDCG]:
        """Yield instances for tests and docs."""
        yield cls()
        yield cls(k=None, gain="exponential", group="query", needs="output")


@rule
class MRR(OfLists):
    """The mean of one over the place of the first relevant row in each list.

    Equal scores count by the mean over their orders. Lists without a relevant row do not count;
    the others count by the mean weight of their rows.

    Parameters
    ----------
    k
        How many places from the top count, 0 for a list whose first is below; None for all.
    above
        Rows with a label above this are relevant.
    group
        What makes a list: ``"unit"``, or the name of a tag of the records, such as ``"query"``.
    needs
        What rows are ordered by, ``"score"`` or ``"output"``; the largest comes first.

    References
    ----------
    Voorhees, E. M. (1999). The TREC-8 question answering track report. TREC 8, 77-82.

    Examples
    --------
    >>> from tidemill.measures.grouped import truth_for
    >>> label, score = np.array([0.0, 1.0, 1.0, 0.0]), np.array([0.9, 0.8, 0.4, 0.3])
    >>> units = np.array(["ann", "ann", "bob", "bob"])
    >>> MRR()(truth_for(MRR(), label, {"unit": units}), score, np.ones(4))
    0.75
    """

    _: KW_ONLY
    k: Annotated[int, Whole(1)] | None = None
    above: Annotated[float, Between()] = 0.0
    group: Annotated[str, Text()] = "unit"
    needs: Annotated[Needs, _SAID] = "score"

    @property
    def name(self) -> str:
        """The name in snake case."""
        return _at("mrr", self.k)

    def _value(self, lists: Lists) -> Floats:
        relevant = _relevant(lists, self.above)
        worth = 1 / (lists.rank + 1.0)
        if self.k is not None:
            worth = np.where(lists.rank < self.k, worth, 0.0)
        found = lists.add(chance_of_first(lists, relevant) * worth)
        return np.where(lists.add(relevant) > 0, found, np.nan)

    @classmethod
    def examples(cls) -> Iterator[MRR]:
        """Yield instances for tests and docs."""
        yield cls()
        yield cls(k=10, above=1.0, group="query")


@rule
class MAP(OfLists):
    """The mean over lists of average precision: that at the place of each relevant row.

    Equal scores count by the mean over their orders. Lists without a relevant row do not count;
    the others count by the mean weight of their rows.

    Parameters
    ----------
    above
        Rows with a label above this are relevant.
    group
        What makes a list: ``"unit"``, or the name of a tag of the records, such as ``"query"``.
    needs
        What rows are ordered by, ``"score"`` or ``"output"``; the largest comes first.

    References
    ----------
    Buckley, C. and Voorhees, E. M. (2000). Evaluating evaluation measure stability. SIGIR 2000,
    33-40.

    Examples
    --------
    >>> from tidemill.measures.grouped import truth_for
    >>> label, score = np.array([0.0, 1.0, 1.0]), np.array([0.9, 0.8, 0.4])
    >>> pairs = truth_for(MAP(), label, {"unit": np.array(["ann"] * 3)})
    >>> round(MAP()(pairs, score, np.ones(3)), 4)
    0.5833
    """

    _: KW_ONLY
    above: Annotated[float, Between()] = 0.0
    group: Annotated[str, Text()] = "unit"
    needs: Annotated[Needs, _SAID] = "score"

    @property
    def name(self) -> str:
        """The name in snake case."""
        return "map"

    def _value(self, lists: Lists) -> Floats:
        relevant = _relevant(lists, self.above)
        precision = lists.add(expected_precision_at_relevant(lists, relevant))
        return precision / _any_relevant(lists, relevant)

    @classmethod
    def examples(cls) -> Iterator[MAP]:
        """Yield instances for tests and docs."""
        yield cls()
        yield cls(above=2.0, group="query")

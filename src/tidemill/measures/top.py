"""Metrics of the top of a list: how much of it is relevant, and how much of what is relevant it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated

import numpy as np

from tidemill.core.limits import Between, OneOf, Text, Whole
from tidemill.core.rule import rule
from tidemill.measures.lists import Floats, Lists, OfLists
from tidemill.measures.ranking import Needs

_SAID = OneOf(("score", "output"))


def _in_top(lists: Lists, k: int, above: float) -> tuple[Floats, Floats]:
    """Return how many relevant rows each list's first k hold, over ties on average, and all."""
    relevant = (lists.label > above).astype(np.float64)
    top = lists.on_average((lists.rank < k).astype(np.float64))
    return lists.add(relevant * top), lists.add(relevant)


@rule
class PrecisionAt(OfLists):
    """The mean share of relevant rows among the first k of each list.

    The share is of k, also in a shorter list. Equal scores count by the mean over their orders;
    lists count by the mean weight of their rows.

    Parameters
    ----------
    k
        How many places from the top count.
    above
        Rows with a label above this are relevant.
    group
        What makes a list: ``"unit"``, or the name of a tag of the records, such as ``"query"``.
    needs
        What rows are ordered by, ``"score"`` or ``"output"``; the largest comes first.

    References
    ----------
    Manning, C. D., Raghavan, P. and Schütze, H. (2008). Introduction to Information Retrieval.
    Cambridge, section 8.4.

    Examples
    --------
    >>> from tidemill.measures.grouped import truth_for
    >>> label, score = np.array([0.0, 1.0, 1.0]), np.array([0.9, 0.8, 0.4])
    >>> pairs = truth_for(PrecisionAt(2), label, {"unit": np.array(["ann"] * 3)})
    >>> PrecisionAt(2)(pairs, score, np.ones(3))
    0.5
    """

    k: Annotated[int, Whole(1)]
    _: KW_ONLY
    above: Annotated[float, Between()] = 0.0
    group: Annotated[str, Text()] = "unit"
    needs: Annotated[Needs, _SAID] = "score"

    @property
    def name(self) -> str:
        """The name in snake case."""
        return f"precision_at_{self.k}"

    def _value(self, lists: Lists) -> Floats:
        return _in_top(lists, self.k, self.above)[0] / self.k

    @classmethod
    def examples(cls) -> Iterator[PrecisionAt]:
        """Yield instances for tests and docs."""
        yield cls(10)
        yield cls(3, above=1.0, group="query")


@rule
class RecallAt(OfLists):
    """The mean share of each list's relevant rows that are among its first k.

    Equal scores count by the mean over their orders. Lists without a relevant row do not count;
    the others count by the mean weight of their rows.

    Parameters
    ----------
    k
        How many places from the top count.
    above
        Rows with a label above this are relevant.
    group
        What makes a list: ``"unit"``, or the name of a tag of the records, such as ``"query"``.
    needs
        What rows are ordered by, ``"score"`` or ``"output"``; the largest comes first.

    References
    ----------
    Manning, C. D., Raghavan, P. and Schütze, H. (2008). Introduction to Information Retrieval.
    Cambridge, section 8.4.

    Examples
    --------
    >>> from tidemill.measures.grouped import truth_for
    >>> label, score = np.array([0.0, 1.0, 1.0]), np.array([0.9, 0.8, 0.4])
    >>> pairs = truth_for(RecallAt(2), label, {"unit": np.array(["ann"] * 3)})
    >>> RecallAt(2)(pairs, score, np.ones(3))
    0.5
    """

    k: Annotated[int, Whole(1)]
    _: KW_ONLY
    above: Annotated[float, Between()] = 0.0
    group: Annotated[str, Text()] = "unit"
    needs: Annotated[Needs, _SAID] = "score"

    @property
    def name(self) -> str:
        """The name in snake case."""
        return f"recall_at_{self.k}"

    def _value(self, lists: Lists) -> Floats:
        found, relevant = _in_top(lists, self.k, self.above)
        return found / np.where(relevant > 0, relevant, np.nan)

    @classmethod
    def examples(cls) -> Iterator[RecallAt]:
        """Yield instances for tests and docs."""
        yield cls(10)
        yield cls(3, above=1.0, group="query")

"""What is kept of a column of categories: how often each value was met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.measures.tallies import not_among, not_negative, whole

MOST = 50_000
"""How many categories of a column are kept, unless something else is said."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Categories:
    """How often each value was met: exactly up to ``most`` values, beyond that with an error.

    Parameters
    ----------
    values
        The values that are kept, sorted.
    counts
        int64, shape (m,): how many rows of each were seen.
    nulls
        Rows that are null.
    others
        Rows of values that were not kept.
    error
        A count may be too low by at most so much, and a value that is not kept was met at
        most so often. 0 while every value is kept.
    most
        How many values are kept: the most frequent, of equals the first in the alphabet.
    """

    values: tuple[str, ...] = ()
    counts: NDArray[np.int64]
    nulls: int = 0
    others: int = 0
    error: int = 0
    most: int = MOST

    def __post_init__(self) -> None:
        counts = whole(self.counts, np.int64)
        ascending = all(a < b for a, b in zip(self.values, self.values[1:], strict=False))
        if counts.shape != (len(self.values),) or not ascending or (counts <= 0).any():
            raise BadInput(
                "categories must ascend, each with a count above 0.",
                fix="use Categories.of_counts.",
            )
        object.__setattr__(self, "counts", counts)
        not_negative(self, ("nulls", "others", "error", "most"))

    @classmethod
    def of_counts(
        cls,
        counts: Mapping[str, int],
        *,
        nulls: int = 0,
        others: int = 0,
        error: int = 0,
        most: int = MOST,
    ) -> Categories:
        """Keep the most frequent of counted values.

        Examples
        --------
        >>> kept = Categories.of_counts({"a": 3, "b": 1, "c": 2}, most=2)
        >>> kept.values, kept.counts.tolist(), kept.others, kept.error
        (('a', 'c'), [3, 2], 1, 1)
        """
        met: list[tuple[str, int]] = [(v, n) for v, n in counts.items() if n]
        if len(met) > most:
            met.sort(key=lambda pair: (-pair[1], pair[0]))
            dropped = met[most:]
            others += sum(n for _, n in dropped)
            error += dropped[0][1]
            del met[most:]
        met.sort()
        return cls(
            values=tuple(v for v, _ in met),
            counts=np.array([n for _, n in met], dtype=np.int64),
            nulls=nulls,
            others=others,
            error=error,
            most=most,
        )

    @property
    def n(self) -> int:
        """How many rows hold a value."""
        return int(self.counts.sum()) + self.others

    @property
    def rows(self) -> int:
        """How many rows were counted, whatever they hold."""
        return self.n + self.nulls

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Categories):
            return NotImplemented
        return (
            self.values == other.values
            and np.array_equal(self.counts, other.counts)
            and (self.nulls, self.others, self.error, self.most)
            == (other.nulls, other.others, other.error, other.most)
        )

    __hash__ = None  # type: ignore[assignment]

    def as_dict(self) -> dict[str, int]:
        """Return the count of each value that is kept."""
        return dict(zip(self.values, self.counts.tolist(), strict=True))

    def plus(self, *others: Categories) -> Categories:
        """Add counts.

        In any order and grouping the same while at most ``most`` values are met in all;
        beyond that which ones are kept may depend on the grouping, and ``error`` holds for all.
        """
        every = (self, *others)
        if any(p.most != self.most for p in others):
            raise BadInput(
                f"profiles keep {sorted({p.most for p in every})} categories.",
                fix="count all with the same limit of categories.",
            )
        total: Counter[str] = Counter()
        for part in every:
            total.update(part.as_dict())
        return Categories.of_counts(
            total,
            nulls=sum(p.nulls for p in every),
            others=sum(p.others for p in every),
            error=sum(p.error for p in every),
            most=self.most,
        )

    def minus(self, other: Categories) -> Categories:
        """Take away counts that are among these.

        Raises
        ------
        BadInput
            If some values were not kept, or there is more to take away than there is.
        """
        if self.error or other.error:
            raise BadInput(
                f"more than {self.most} categories: their counts are not exact.",
                fix="count the rows that are left instead of subtracting.",
            )
        total = Counter(self.as_dict())
        total.subtract(other.as_dict())
        if min(total.values(), default=0) < 0 or self.nulls < other.nulls:
            raise not_among()
        return Categories.of_counts(total, nulls=self.nulls - other.nulls, most=self.most)

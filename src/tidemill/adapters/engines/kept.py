"""What is kept of the values an engine has counted: the most frequent, and how many others."""

from __future__ import annotations

from collections.abc import Mapping

from tidemill.measures.categories import Categories


def kept(met: Mapping[str | None, int], rows: int, most: int) -> Categories:
    """Keep the most frequent of some values.

    Parameters
    ----------
    met
        How often each value was met, None where there is none: at least the ``most + 1`` most
        frequent, of equals the first in the alphabet.
    rows
        How many rows were counted.
    most
        How many values are kept.

    Examples
    --------
    >>> few = kept({"ab": 2, "a": 2, "c": 9, None: 1}, 20, 2)
    >>> few.values, few.nulls, few.others, few.error
    (('a', 'c'), 1, 8, 2)
    """
    nulls = met.get(None, 0)
    known = {v: n for v, n in met.items() if v is not None}
    others = rows - nulls - sum(known.values())
    return Categories.of_counts(known, nulls=nulls, others=others, most=most)

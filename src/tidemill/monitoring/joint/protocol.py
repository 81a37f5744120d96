"""What a rule on many columns at once is: it is shown some rows of each window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from tidemill.core.errors import BadValue
from tidemill.core.signals import Judgement
from tidemill.core.verdict import Verdict
from tidemill.measures.condition import All

LEAST_ROWS = 40
"""Rows a window must have to be compared."""


@dataclass(frozen=True, kw_only=True)
class Joint:
    """How far windows are from the usual ones in many columns at once.

    Parameters
    ----------
    value
        The distance, in the unit of its rule; NaN where it cannot be said.
    judgement
        What is thought of it. ``effect`` is the distance above what is usual.
    n
        Rows of the current windows that were looked at.
    where
        The region in which current has more rows, where the rule can name one.
    """

    value: float
    judgement: Judgement
    n: int = 0
    where: All | None = None


@runtime_checkable
class JointRule(Protocol):
    """A distance in many columns: declares how many rows it wants, and is shown a sample."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Features, outputs and projections by name; empty for all features that it can take."""
        ...

    @property
    def rows(self) -> int:
        """The most rows of one window that it is shown."""
        ...

    @property
    def metric(self) -> str:
        """The name of its number; drift of this kind begins with ``"drift_"``."""
        ...

    def compared(
        self, usual: Sequence[pa.Table], current: Sequence[pa.Table], /, *, alpha: float
    ) -> Joint:
        """Compare windows with the usual ones, a table each; windows are the units of evidence.

        Parameters
        ----------
        usual, current
            Some rows of each window, drawn at random; every table has the same columns. A
            vector is a column of lists.
        alpha
            How likely a false ALERT may be.
        """
        ...


class OfColumns:
    """What rules on many columns share: the names under which their number is kept."""

    columns: Any

    @property
    def signal_kind(self) -> str:
        return "drift"

    @property
    def column(self) -> str:
        return shown(self.columns)


def judged(
    beyond: float, p: float, *, alpha: float, floor: float, seen: float, words: str
) -> Judgement:
    """Judge a distance: evidence, a size at the floor, and whether twice the floor would be seen.

    Parameters
    ----------
    beyond
        How large the change is, without what chance adds.
    p, alpha
        The evidence, and its level.
    floor
        From which size on a change matters.
    seen
        The size of a change that gives evidence in half of cases.
    words
        What is known, for people.

    Examples
    --------
    >>> how = {"alpha": 0.01, "floor": 0.1, "words": "distance 0.3, usual 0.1"}
    >>> [judged(0.2, p, seen=0.15, **how).verdict.value for p in (0.001, 0.2)]
    ['ALERT', 'OK']
    >>> judged(0.2, 0.2, seen=0.25, **how).why
    'too little: twice the floor of 0.1 is mostly missed, a change of 0.25 is not; distance 0.3, usual 0.1'
    """
    certain, large = p <= alpha, beyond >= floor
    verdict, why = Verdict.OK, words
    if certain and large:
        verdict = Verdict.ALERT
    elif certain:
        why = f"certain, but less than {floor:g} above the usual: {words}"
    elif floor and not seen <= 2 * floor:
        verdict = Verdict.NO_VERDICT
        found = f", a change of {seen:.2g} is not" if math.isfinite(seen) else ""
        why = f"too little: twice the floor of {floor:g} is mostly missed{found}; {words}"
    return Judgement(verdict=verdict, why=why, p=p, effect=beyond, low=0.0)


def nothing(why: str, *, n: int = 0) -> Joint:
    """Return the answer where there is none, with its reason."""
    said = Judgement(verdict=Verdict.NO_VERDICT, why=why)
    return Joint(value=math.nan, judgement=said, n=n)


def named(owner: str, columns: Any) -> tuple[str, ...]:
    """Take column names in a list or a tuple; none of them, or one alone, is fine too.

    Raises
    ------
    BadValue
        If one is no name, or is there twice.

    Examples
    --------
    >>> named("MMD", "embedding"), named("MMD", ["a", "b"])
    (('embedding',), ('a', 'b'))
    """
    found = (columns,) if isinstance(columns, str) else columns
    fits = isinstance(found, list | tuple) and all(isinstance(c, str) and c for c in found)
    if not fits or len(set(found)) < len(found):
        raise BadValue(
            f"{owner}(columns={columns!r}): columns must be names, each once.",
            fix="pass columns as names, such as ('age', 'income').",
        )
    return tuple(found)


def shown(columns: Sequence[str]) -> str:
    """Write the columns of a signal: empty for all of them.

    Examples
    --------
    >>> shown(("age", "income"))
    'age, income'
    """
    return ", ".join(columns)


def enough(usual: Sequence[pa.Table]) -> list[pa.Table]:
    """Return the usual windows with enough rows: half of the median, and 40."""
    sizes = sorted(table.num_rows for table in usual)
    least = max(LEAST_ROWS, sizes[len(sizes) // 2] // 2 if sizes else 0)
    return [table for table in usual if table.num_rows >= least]

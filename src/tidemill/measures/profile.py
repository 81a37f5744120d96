"""A profile: what is kept of a table's rows, so that windows compare without their data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from tidemill.core.errors import BadInput
from tidemill.measures.categories import MOST, Categories
from tidemill.measures.grid import Grid
from tidemill.measures.numbers import Numbers
from tidemill.measures.parts import Part, joined, without

if TYPE_CHECKING:  # the edge counts rows without Arrow
    import pyarrow as pa

__all__ = ["MOST", "Categories", "Numbers", "Part", "Profile", "merge", "of_table", "subtract"]

KINDS = ("number", "category", "time", "null")
"""Kinds of column; a ``"time"`` is counted as seconds since 1970 in UTC, a ``"null"`` has no
value in any row, and so no type."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Counts of the columns of some rows; two profiles are equal when every count is.

    Parameters
    ----------
    rows
        How many rows. A column that was not there in some of them has fewer.
    columns
        The counts of each column.
    kinds
        The kind of each column: number, category, time or null.
    start, end
        Which time it is of, [start, end), where known. Not subtractable: they stay bounds.
    skipped
        Columns that cannot be counted, with the reason.
    parts
        Which files of the edge were added up, so that none is counted twice.
    """

    rows: int
    columns: Mapping[str, Numbers | Categories]
    kinds: Mapping[str, str]
    start: datetime | None = None
    end: datetime | None = None
    skipped: Mapping[str, str] = field(default_factory=dict[str, str])
    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        if set(self.columns) != set(self.kinds):
            raise BadInput("each column needs its kind.", fix="pass kinds for the same columns.")
        for name, column in self.columns.items():
            kind = self.kinds[name]
            fits = isinstance(column, Numbers) == (kind in {"number", "time"})
            if kind not in KINDS or not fits:
                raise BadInput(
                    f"column {name!r} is a {kind!r} counted as {type(column).__name__}.",
                    fix=f"use one of {', '.join(KINDS)}, with Numbers for a number or a time.",
                )
            if column.rows > self.rows:
                raise BadInput(
                    f"column {name!r} has {column.rows} rows of {self.rows}.",
                    fix="count every row of the profile once.",
                )
        for when in (self.start, self.end):
            if when is not None and when.tzinfo is None:
                raise BadInput(f"the time {when} has no zone.", fix="use UTC.")
        object.__setattr__(self, "parts", joined(self.parts))

    @property
    def grids(self) -> dict[str, Grid]:
        """The grid of each column of numbers or times: count what comes later on the same."""
        return {n: c.grid for n, c in self.columns.items() if isinstance(c, Numbers)}

    def to_bytes(self) -> bytes:
        """Write a portable file: a digest and compressed JSON, described in `profile_file`."""
        from tidemill.measures.profile_file import encode

        return encode(self)

    @classmethod
    def from_bytes(cls, content: bytes) -> Profile:
        """Read what :meth:`to_bytes` wrote.

        Raises
        ------
        BadInput
            If it is no profile, is damaged, or is of a version not known here.
        """
        from tidemill.measures.profile_file import decode

        return decode(content)


def of_table(
    table: pa.Table,
    *,
    grids: Mapping[str, Grid] | None = None,
    most: int = MOST,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Profile:
    """Count a table in memory.

    Numbers, durations and times are counted on a grid; truth values, texts and dictionaries
    by value. Columns of other types are skipped with the reason.

    Parameters
    ----------
    table
        Any Arrow table.
    grids
        The grid of each column of numbers, as ``reference.grids``; fitted to the column where
        there is none.
    most
        How many categories of a column are kept.
    start, end
        Which time the rows are of.

    Examples
    --------
    >>> import pyarrow as pa
    >>> table = pa.table({"age": [31.0, None, 45.0], "city": ["Bonn", "Bonn", None]})
    >>> profile = of_table(table)
    >>> profile.rows, profile.kinds, profile.columns["city"].as_dict()
    (3, {'age': 'number', 'city': 'category'}, {'Bonn': 2})
    """
    from tidemill.measures.counting import count

    return count(table, grids=grids or {}, most=most, start=start, end=end)


def merge(*profiles: Profile) -> Profile:
    """Add profiles up, as if their rows had been counted together.

    The order does not matter, nor what is added first (for categories: while no more than
    ``most`` values are met). A column that one of them does not have counts as not there.

    Raises
    ------
    BadInput
        If a column's grids or kinds differ, or a file of the edge would be counted twice.

    Examples
    --------
    >>> import pyarrow as pa
    >>> monday, tuesday = (of_table(pa.table({"x": [v]})) for v in ("a", "b"))
    >>> both = merge(monday, tuesday)
    >>> both.rows, both.columns["x"].values
    (2, ('a', 'b'))
    >>> subtract(both, tuesday) == monday
    True
    """
    columns: dict[str, Numbers | Categories] = {}
    kinds: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for name in {n: None for p in profiles for n in p.columns}:
        found = [(p.columns[name], p.kinds[name]) for p in profiles if name in p.columns]
        columns[name], kinds[name] = _together(name, found)
    for profile in profiles:
        skipped |= profile.skipped
    return Profile(
        rows=sum(p.rows for p in profiles),
        columns=columns,
        kinds=kinds,
        start=min((p.start for p in profiles if p.start), default=None),
        end=max((p.end for p in profiles if p.end), default=None),
        skipped=skipped,
        parts=tuple(part for p in profiles for part in p.parts),
    )


def subtract(whole: Profile, part: Profile) -> Profile:
    """Take away rows that were merged before; what cannot be subtracted stays as a bound.

    Raises
    ------
    BadInput
        If the part was not in the whole, or the counts of categories are not exact.
    """
    columns, kinds = dict(whole.columns), dict(whole.kinds)
    for name, taken in part.columns.items():
        if name not in columns:
            raise BadInput(f"the whole has no column {name!r}.", fix="subtract what was merged.")
        columns[name] = _less(name, columns[name], taken)
        if not columns[name].rows and whole.rows > part.rows:
            del columns[name], kinds[name]  # the column was only in the part
    return Profile(
        rows=whole.rows - part.rows,
        columns=columns,
        kinds=kinds,
        start=whole.start,
        end=whole.end,
        skipped=whole.skipped,
        parts=without(whole.parts, part.parts),
    )


def _together(
    name: str, found: list[tuple[Numbers | Categories, str]]
) -> tuple[Numbers | Categories, str]:
    """Add up a column, and say its kind."""
    kinds = {kind for _, kind in found} - {"null"}
    if len(kinds) > 1:
        raise BadInput(
            f"column {name!r} is a {' and a '.join(sorted(kinds))}.",
            fix="compare the profiles instead of adding them: the column's type changed.",
        )
    if not kinds:
        first, *others = (c for c, _ in found if isinstance(c, Categories))
        return first.plus(*others), "null"
    kind = kinds.pop()
    typed = [c for c, k in found if k == kind]
    nulls = sum(c.nulls for c, k in found if k == "null")
    numbers = [c for c in typed if isinstance(c, Numbers)]
    categories = [c for c in typed if isinstance(c, Categories)]
    try:
        if numbers:
            whole: Numbers | Categories = numbers[0].plus(*numbers[1:])
        else:
            whole = categories[0].plus(*categories[1:])
    except BadInput as error:
        raise BadInput(f"column {name!r}: {error.what}", fix=error.fix) from None
    return _with_nulls(whole, nulls), kind


def _less(
    name: str, whole: Numbers | Categories, taken: Numbers | Categories
) -> Numbers | Categories:
    try:
        if isinstance(whole, Numbers) and isinstance(taken, Numbers):
            return whole.minus(taken)
        if isinstance(whole, Categories) and isinstance(taken, Categories):
            return whole.minus(taken)
        if taken.rows == taken.nulls <= whole.nulls:
            return _with_nulls(whole, -taken.nulls)
    except BadInput as error:
        raise BadInput(f"column {name!r}: {error.what}", fix=error.fix) from None
    raise BadInput(f"column {name!r} is of two kinds.", fix="subtract only what was merged before.")


def _with_nulls(column: Numbers | Categories, nulls: int) -> Numbers | Categories:
    return replace(column, nulls=column.nulls + nulls) if nulls else column

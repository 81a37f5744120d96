"""What profilers of every engine share: how columns are counted, and the profiles of days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from tidemill.adapters.engines.days import ends_of
from tidemill.measures.aligned import robust_sd
from tidemill.measures.categories import Categories
from tidemill.measures.counting import kind_of
from tidemill.measures.numbers import Numbers
from tidemill.measures.profile import Profile

_FEW_CELLS = 50
_FINE = 10  # cells in a robust sd, where 100 are meant


def kinds_of(schema: pa.Schema, names: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Say how each column is counted, and why others are not.

    Examples
    --------
    >>> kinds_of(pa.schema({"x": pa.int8(), "tags": pa.list_(pa.string())}), ["x", "tags"])
    ({'x': 'number'}, {'tags': 'a column of type list<item: string> cannot be counted'})
    """
    kinds: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for name in names:
        type_ = schema.field(name).type
        kind = kind_of(type_)
        if kind is None:
            skipped[name] = f"a column of type {type_} cannot be counted"
        else:
            kinds[name] = kind
    return kinds, skipped


def on_a_grid(kinds: Mapping[str, str]) -> list[str]:
    """Return the columns that are counted on a grid.

    Examples
    --------
    >>> on_a_grid({"x": "number", "city": "category", "at": "time"})
    ['x', 'at']
    """
    return [name for name, kind in kinds.items() if kind in {"number", "time"}]


def of_days(
    totals: Mapping[int, int],
    columns: Mapping[str, Mapping[int, Numbers | Categories]],
    kinds: dict[str, str],
    skipped: dict[str, str],
    zone: str,
) -> tuple[Profile, ...]:
    """Make the profile of each day.

    Parameters
    ----------
    totals
        How many rows a day has, by days since 1970.
    columns
        What was counted of each column, by day.
    kinds, skipped
        As of :func:`kinds_of`.
    zone
        Whose midnights part the days.
    """
    found: list[Profile] = []
    for day, rows in totals.items():
        start, end = ends_of(day, zone)
        counted = {name: columns[name][day] for name in kinds}
        found.append(
            Profile(rows=rows, columns=counted, kinds=kinds, skipped=skipped, start=start, end=end)
        )
    return tuple(found)


def too_coarse(counted: Numbers) -> bool:
    """Tell whether a grid puts different values that lie on no lattice into a few cells."""
    if counted.grid.step or not counted.low < counted.high:
        return False
    return counted.cells.size < _FEW_CELLS or robust_sd(counted) < _FINE * counted.grid.unit

"""Profiles of a table in memory, whole or day by day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from tidemill.adapters.engines.days import MOST_BY_DAY, arrow_days, checked, ends_of, sql_day
from tidemill.measures.categories import MOST
from tidemill.measures.counting import kind_of, values_of
from tidemill.measures.grid import Grid
from tidemill.measures.profile import Profile, of_table


class ArrowProfiler:
    """Counts the rows of an Arrow table; the same questions as `DuckDBProfiler` answers.

    Parameters
    ----------
    table
        The rows.

    Examples
    --------
    >>> rows = ArrowProfiler(pa.table({"x": [1.0, 2.0, None]}))
    >>> rows.profile(["x"], grids=rows.grids(["x"])).columns["x"].nulls
    1
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self.schema: pa.Schema = table.schema

    def close(self) -> None:
        """Nothing is open."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self._table.num_rows

    def grids(self, names: Sequence[str]) -> dict[str, Grid]:
        """Fit a grid to each of some columns of numbers or times."""
        found: dict[str, Grid] = {}
        for name in names:
            if kind_of(self.schema.field(name).type) in {"number", "time"}:
                found[name] = Grid.around(values_of(_plain(self._table.column(name))))
        return found

    def profile(
        self, names: Sequence[str], *, grids: Mapping[str, Grid], most: int = MOST
    ) -> Profile:
        """Count all rows."""
        return of_table(self._table.select(list(names)), grids=grids, most=most)

    def days(
        self,
        names: Sequence[str],
        *,
        time: str,
        zone: str = "UTC",
        grids: Mapping[str, Grid],
        most: int = MOST_BY_DAY,
    ) -> tuple[Profile, ...]:
        """Count the rows of each day; rows without a time are left out."""
        sql_day(time, self.schema, zone)  # refuses what is no time
        days = arrow_days(self._table.column(time), zone).combine_chunks()
        known = days.drop_null().to_numpy()
        met, counts = np.unique(known, return_counts=True)
        totals = checked(dict(zip(met.tolist(), counts.tolist(), strict=True)), time)
        order = np.argsort(days.fill_null(1 << 40).to_numpy(zero_copy_only=False), kind="stable")
        rows = self._table.select(list(names)).take(pa.array(order[: known.size]))
        grids = {**self.grids([n for n in names if n not in grids]), **grids}
        found: list[Profile] = []
        at = 0
        for day, n in totals.items():
            start, end = ends_of(day, zone)
            part = rows.slice(at, n)
            found.append(of_table(part, grids=grids, most=most, start=start, end=end))
            at += n
        return tuple(found)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the values that are not null, of a dictionary its values."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.drop_null()

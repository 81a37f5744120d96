"""Which files of a version of a Delta table may hold the rows of some days: asked often, listed once."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

_ROUNDED = timedelta(milliseconds=1)
"""A log keeps the newest moment of a file cut to milliseconds."""


class Listing:
    """The files of one version, with what the log says of their rows.

    A look asks a table for its files several times, and the log would be gone through each time.

    Parameters
    ----------
    root
        What the path of each file begins with.
    delta
        The table, at the version that is listed.
    """

    def __init__(self, root: str, delta: DeltaTable) -> None:
        self.version = delta.version()
        adds = pa.table(delta.get_add_actions(flatten=True)).sort_by("path")
        self._root = root
        self._paths = adds["path"]
        by_day = "partition.day" in adds.column_names
        names = ("partition.day",) * 2 if by_day else ("min.predicted_at", "max.predicted_at")
        self._first, self._last = (_column(adds, name).cast(pa.date32()) for name in names)
        self._newest = _column(adds, "max.available_at")

    def files(
        self, *, since: date | None, until: date | None, arrived: datetime | None
    ) -> tuple[str, ...]:
        """Return the files that may hold a row of the days asked for, or that came since."""
        asked: list[pa.ChunkedArray] = []
        if since is not None:
            asked.append(pc.greater_equal(self._last, pa.scalar(since)))
        if until is not None:
            asked.append(pc.less_equal(self._first, pa.scalar(until)))
        if arrived is not None:
            least = pa.scalar(arrived - _ROUNDED, self._newest.type)
            asked.append(pc.greater_equal(self._newest, least))
        paths = self._paths
        if asked:
            # Of a file that the log says nothing of, anything may be true.
            paths = paths.filter(pc.fill_null(reduce(pc.and_kleene, asked), True))
        return tuple(f"{self._root}/{path}" for path in paths.to_pylist())


def _column(adds: pa.Table, name: str) -> pa.ChunkedArray:
    if name in adds.column_names:
        return adds[name]
    return pa.chunked_array([pa.nulls(adds.num_rows, pa.timestamp("us", "UTC"))])

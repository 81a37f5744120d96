"""Grids for the columns of Parquet files: from a few rows, or from all where those say too little."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidemill.adapters.engines.duckdb_sql import listed, quoted, select, text, told
from tidemill.measures.counting import kind_of, values_of
from tidemill.measures.grid import Grid

_QUANTILES = 1000
_TOGETHER = 64  # columns read in one pass
_EACH = 8192  # rows that are looked at, in the middle of all


class GridFit:
    """Fits grids to columns of Parquet files.

    Parameters
    ----------
    connection
        Of DuckDB.
    files
        The files of the table.
    options
        How they are read.
    schema
        The columns.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        files: tuple[str, ...],
        options: str,
        schema: pa.Schema,
    ) -> None:
        self._connection = connection
        self._files = files
        self._options = options
        self._schema = schema
        self._table = f"read_parquet({listed(files)}, {options})"

    def few(self, names: Sequence[str]) -> dict[str, Grid]:
        """Fit to a few rows."""
        found: dict[str, Grid] = {}
        for at in range(0, len(names), _TOGETHER):
            part = names[at : at + _TOGETHER]
            sample = self._sample(part)
            for name in part:
                found[name] = Grid.around(sample.get(name, np.zeros(0)))
        return found

    def of_all(self, name: str) -> Grid:
        """Fit a grid to a column of which a few rows say too little: to its quantiles."""
        at = ", ".join(f"{k / _QUANTILES:g}" for k in range(_QUANTILES + 1))
        column = quoted(name)
        where = f"WHERE {column} IS NOT NULL"
        if pa.types.is_floating(self._schema.field(name).type):
            where += f" AND isfinite({column})"
        asked = select(f"unnest(quantile_disc({column}, [{at}])) AS x", self._table, where)
        with told(self._files):
            found = self._connection.execute(asked).to_arrow_table()
        return Grid.around(values_of(found.column(0).drop_null()))

    def _sample(self, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """Read the values in the middle of the files, where they have the columns."""
        file, first = self._middle()
        wanted = ", ".join(map(text, names))
        asked = select(
            f"COLUMNS(c -> c IN ({wanted}))",
            f"read_parquet({listed([file])}, file_row_number = true, {self._options})",
            f"WHERE file_row_number BETWEEN {first} AND {first + _EACH - 1}",
        )
        with told(self._files):
            try:
                sample = self._connection.execute(asked).to_arrow_table()
            except duckdb.BinderException:
                return {}  # none of the columns is in this file
        return {
            field.name: values_of(sample.column(field.name).drop_null())
            for field in sample.schema
            if kind_of(field.type) in {"number", "time"}
        }

    def _middle(self) -> tuple[str, int]:
        """Choose the rows in the middle of all: a file, and the first row in it."""
        # In a fixed order: rows are not kept in theirs, and the same files get the same grids.
        files = f"parquet_file_metadata({listed(self._files)})"
        asked = select("file_name, num_rows", files, "ORDER BY file_name")
        with told(self._files):
            sizes = self._connection.execute(asked).fetchall()
        ends = np.cumsum([n for _, n in sizes])
        row = max(0, int(ends[-1]) // 2 - _EACH // 2)
        k = min(int(np.searchsorted(ends, row, side="right")), len(sizes) - 1)
        return sizes[k][0], row - int(ends[k] - sizes[k][1])

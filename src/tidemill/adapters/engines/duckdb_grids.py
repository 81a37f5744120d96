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
from tidemill.measures.numbers import Numbers

_FEW_CELLS = 50
_QUANTILES = 1000
_TOGETHER = 64  # columns read in one pass
_PLACES, _EACH = 2, 8192  # so many rows at so many places


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
            for name, values in self._sample(names[at : at + _TOGETHER]).items():
                found[name] = Grid.around(np.concatenate([np.zeros(0), *values]))
        return found

    def of_all(self, name: str) -> Grid:
        """Fit a grid to a column of which a few places said too little: to its quantiles."""
        at = ", ".join(f"{k / _QUANTILES:g}" for k in range(_QUANTILES + 1))
        column = quoted(name)
        where = f"WHERE {column} IS NOT NULL"
        if pa.types.is_floating(self._schema.field(name).type):
            where += f" AND isfinite({column})"
        asked = select(f"unnest(quantile_disc({column}, [{at}])) AS x", self._table, where)
        with told(self._files):
            found = self._connection.execute(asked).to_arrow_table()
        return Grid.around(values_of(found.column(0).drop_null()))

    def _sample(self, names: Sequence[str]) -> dict[str, list[NDArray[np.float64]]]:
        """Read the values that grids are fitted to: from a few places, always the same."""
        found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in names}
        wanted = ", ".join(map(text, names))
        for file, first in self._places():
            source = f"read_parquet({listed([file])}, file_row_number = true, {self._options})"
            asked = select(
                f"COLUMNS(c -> c IN ({wanted}))",
                source,
                f"WHERE file_row_number BETWEEN {first} AND {first + _EACH - 1}",
            )
            try:
                sample = self._connection.execute(asked).to_arrow_table()
            except duckdb.BinderException:
                continue  # none of the columns is in this file
            for name in sample.column_names:
                if kind_of(sample.schema.field(name).type) in {"number", "time"}:
                    found[name].append(values_of(sample.column(name).drop_null()))
        return found

    def _places(self) -> list[tuple[str, int]]:
        """Choose a few places over all files, evenly by rows: a file, and a row in it."""
        asked = select("file_name, num_rows", f"parquet_file_metadata({listed(self._files)})")
        with told(self._files):
            sizes = self._connection.execute(asked).fetchall()
        ends = np.cumsum([n for _, n in sizes])
        found: list[tuple[str, int]] = []
        for row in sorted({int(ends[-1]) * k // _PLACES for k in range(_PLACES)}):
            k = int(np.searchsorted(ends, row, side="right"))
            if k < len(sizes):
                found.append((sizes[k][0], row - int(ends[k] - sizes[k][1])))
        return found


def too_coarse(counted: Numbers) -> bool:
    """Tell whether a grid puts different values that lie on no lattice into a few cells."""
    few = 0 < counted.cells.size < _FEW_CELLS
    return few and not counted.grid.step and counted.low < counted.high

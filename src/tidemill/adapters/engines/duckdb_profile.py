"""Profiles of Parquet files, counted by DuckDB and numpy; never more than a few rows in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidemill.adapters.engines.days import MOST_BY_DAY, checked, sql_day
from tidemill.adapters.engines.duckdb_grids import GridFit
from tidemill.adapters.engines.duckdb_sql import listed, quoted, select, text, told
from tidemill.adapters.engines.kept import kept
from tidemill.adapters.engines.profiled import kinds_of, of_days, on_a_grid, too_coarse
from tidemill.adapters.engines.tally import Tally
from tidemill.measures.categories import MOST, Categories
from tidemill.measures.grid import Grid
from tidemill.measures.numbers import Numbers
from tidemill.measures.profile import Profile

_BATCH = 1 << 15  # rows; larger ones leave the processor's cache
_TOGETHER = 16  # columns of numbers read in one pass
_ABREAST = 2  # passes at a time: numpy counts in one core only, and other ones would be idle

_SETTINGS = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET TimeZone = 'UTC'",
    "SET enable_progress_bar = false",
    "SET preserve_insertion_order = false",
    "SET memory_limit = '160MB'",  # beyond it DuckDB spills to the temporary folder
)


class DuckDBProfiler:
    """Counts the rows of Parquet files; the same counts as `measures.profile.of_table`.

    Numbers are streamed and counted on their grid in numpy, which takes half the time of doing
    so in SQL; categories are grouped by DuckDB. Grids are fitted to 8,000 rows in
    the middle of the files: they set how fine is counted, not what is counted. Where that turns out
    too coarse, the column is counted again on a grid of all its rows.

    Parameters
    ----------
    files
        Parquet files of one table.
    hive
        Whether folders such as ``day=2024-01-01`` are columns.
    beside
        Another one, whose threads and memory this one shares.

    Raises
    ------
    BadInput
        If DuckDB cannot read them.
    """

    def __init__(
        self, files: Sequence[str], *, hive: bool = False, beside: DuckDBProfiler | None = None
    ) -> None:
        self._connection = duckdb.connect() if beside is None else beside.cursor()
        for setting in (*_SETTINGS, f"SET temp_directory = {text(tempfile.gettempdir())}"):
            self._connection.execute(setting)
        self._files = tuple(files)
        self._options = f"hive_partitioning = {hive}"
        if len(files) > 1:  # a column may have come in later files
            self._options += ", union_by_name = true"
        self._rows = f"read_parquet({listed(self._files)}, {self._options})"
        with told(self._files):
            reader = self._connection.execute(select("*", self._rows, "LIMIT 0"))
            self.schema: pa.Schema = reader.to_arrow_reader(1).schema
        self._fit = GridFit(self._connection, self._files, self._options, self.schema)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return another connection to the same threads and memory."""
        return self._connection.cursor()

    def close(self) -> None:
        """Let go of the files."""
        self._connection.close()

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self._ask(select("count(*)", self._rows))[0][0]

    def grids(self, names: Sequence[str]) -> dict[str, Grid]:
        """Fit a grid to each of some columns of numbers or times."""
        return self._fit.few(names)

    def profile(
        self, names: Sequence[str], *, grids: Mapping[str, Grid], most: int = MOST
    ) -> Profile:
        """Count all rows.

        Parameters
        ----------
        names
            The columns.
        grids
            The grid of each column of numbers; fitted where there is none.
        most
            How many categories of a column are kept.
        """
        kinds, skipped = kinds_of(self.schema, names)
        numbers = on_a_grid(kinds)
        rows = self.rows
        columns: dict[str, Numbers | Categories] = {
            n: _all_null(rows, most) for n, kind in kinds.items() if kind == "null"
        }
        others = [n for n, kind in kinds.items() if kind == "category"]
        # DuckDB groups categories while numpy counts numbers.
        with ThreadPoolExecutor(1) as beside:
            grouped = beside.submit(self._all_categories, others, rows, most)
            fitted = self.grids([n for n in numbers if n not in grids])
            tallies = self._tallies(numbers, {**fitted, **grids}, day=None)
            coarse = [n for n in fitted if too_coarse(tallies[n].numbers(0))]
            tallies |= self._tallies(coarse, {n: self._fit.of_all(n) for n in coarse}, day=None)
            columns |= {name: tally.numbers(0) for name, tally in tallies.items()}
            columns |= grouped.result()
        ordered = {name: columns[name] for name in kinds}
        return Profile(rows=rows, columns=ordered, kinds=kinds, skipped=skipped)

    def days(
        self,
        names: Sequence[str],
        *,
        time: str,
        zone: str = "UTC",
        grids: Mapping[str, Grid],
        most: int = MOST_BY_DAY,
    ) -> tuple[Profile, ...]:
        """Count the rows of each day; rows without a time are left out.

        Parameters
        ----------
        names, grids, most
            As for :meth:`profile`.
        time
            The column that says when.
        zone
            Whose midnights part the days; times without a zone are taken to be of it.

        Raises
        ------
        BadInput
            If the column holds no times, or more days than anyone compares.
        """
        day = sql_day(time, self.schema, zone)
        asked = select(f"{day}, count(*)", self._rows, f"WHERE ({day}) IS NOT NULL GROUP BY 1")
        totals = checked({int(d): int(n) for d, n in self._ask(asked)}, time)
        kinds, skipped = kinds_of(self.schema, names)
        numbers = on_a_grid(kinds)
        fitted = self.grids([n for n in numbers if n not in grids])
        tallies = self._tallies(numbers, {**fitted, **grids}, day=day)
        coarse = [n for n in fitted if too_coarse(tallies[n].whole())]
        tallies |= self._tallies(coarse, {n: self._fit.of_all(n) for n in coarse}, day=day)
        columns: dict[str, Mapping[int, Numbers | Categories]] = {}
        for name, kind in kinds.items():
            if name in tallies:
                columns[name] = tallies[name].by_day(list(totals))
            elif kind == "null":
                columns[name] = {d: _all_null(n, most) for d, n in totals.items()}
            else:
                columns[name] = self._categories_by_day(name, day, totals, most)
        return of_days(totals, columns, kinds, skipped, zone)

    def _tallies(
        self, names: list[str], grids: Mapping[str, Grid], *, day: str | None
    ) -> dict[str, Tally]:
        """Count columns of numbers, some in a pass and some passes at a time."""
        tallies = {name: Tally(grids[name]) for name in names}
        each = max(1, min(_TOGETHER, -(-len(names) // _ABREAST)))
        parts = [names[at : at + each] for at in range(0, len(names), each)]
        with ThreadPoolExecutor(_ABREAST) as passes:
            # Each pass has columns of its own, so that no two threads add to one tally.
            list(passes.map(lambda part: self._pass({n: tallies[n] for n in part}, day), parts))
        return tallies

    def _pass(self, tallies: Mapping[str, Tally], day: str | None) -> None:
        """Read columns once, on a connection of their own, and add what is met to their tallies."""
        wanted = ", ".join([*map(quoted, tallies), *([day] if day else [])])
        asked = select(wanted, self._rows, f"WHERE ({day}) IS NOT NULL" if day else "")
        with told(self._files), self.cursor() as connection:
            for batch in connection.execute(asked).to_arrow_reader(_BATCH):
                days = _days(batch.column(len(tallies))) if day else None
                for k, tally in enumerate(tallies.values()):
                    tally.add_column(batch.column(k), days)

    def _all_categories(self, names: list[str], rows: int, most: int) -> dict[str, Categories]:
        """Count columns of categories, on a connection of their own."""
        with told(self._files), self.cursor() as connection:
            return {name: self._categories(connection, name, rows, most) for name in names}

    def _categories(
        self, connection: duckdb.DuckDBPyConnection, name: str, rows: int, most: int
    ) -> Categories:
        """Count a column of categories."""
        # Booleans and enums are counted by their text, as everywhere.
        # By place: the table may have columns of the names given here.
        grouped = select(f"{quoted(name)}::VARCHAR AS k, count(*) AS n", self._rows, "GROUP BY 1")
        first = f"{grouped} ORDER BY 1 NULLS FIRST LIMIT {most + 2}"
        met = connection.execute(first).fetchnumpy()
        values, counts = met["k"].tolist(), met["n"].astype(np.int64)
        nulls = 0
        if values and values[0] is None:
            nulls, values, counts = int(counts[0]), values[1:], counts[1:]
        if len(values) <= most:
            return Categories(values=tuple(values), counts=counts, nulls=nulls, most=most)
        ordered = f"WHERE k IS NOT NULL ORDER BY n DESC, k LIMIT {most + 1}"
        best = dict(connection.execute(select("k, n", f"({grouped})", ordered)).fetchall())
        return kept({None: nulls, **best}, rows, most)

    def _categories_by_day(
        self, name: str, day: str, totals: Mapping[int, int], most: int
    ) -> dict[int, Categories]:
        """Count a column of categories day by day: of each day the most frequent."""
        grouped = select(
            f"{day} AS d, {quoted(name)}::VARCHAR AS k, count(*) AS n",
            self._rows,
            f"WHERE ({day}) IS NOT NULL GROUP BY 1, 2",
        )
        best = select(
            "d, k, n",
            f"({grouped})",
            "QUALIFY k IS NULL OR row_number() OVER "
            f"(PARTITION BY d ORDER BY k IS NULL, n DESC, k) <= {most + 1}",
        )
        met: dict[int, dict[str | None, int]] = {d: {} for d in totals}
        for batch in self._stream(best):
            for d, k, n in zip(*(batch.column(i).to_pylist() for i in range(3)), strict=True):
                met[d][k] = n
        return {d: kept(counts, totals[d], most) for d, counts in met.items()}

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        with told(self._files):
            return self._connection.execute(query).fetchall()

    def _stream(self, query: str) -> Iterator[pa.RecordBatch]:
        with told(self._files):
            yield from self._connection.execute(query).to_arrow_reader(_BATCH)


def _days(column: pa.Array) -> NDArray[np.int64]:
    return np.asarray(np.from_dlpack(column), np.int64)


def _all_null(rows: int, most: int) -> Categories:
    return Categories(counts=np.zeros(0, np.int64), nulls=rows, most=most)

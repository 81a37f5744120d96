"""Profiles of tables counted by Spark: only counts leave it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import ibis
import numpy as np
import pyarrow as pa

from tidemill.adapters.engines.days import MOST_BY_DAY, checked, sql_day
from tidemill.adapters.engines.duckdb_sql import select
from tidemill.adapters.engines.kept import kept
from tidemill.adapters.engines.profiled import kinds_of, of_days, on_a_grid, too_coarse
from tidemill.adapters.engines.spark_sql import readable
from tidemill.core.errors import BadInput
from tidemill.measures.categories import MOST, Categories
from tidemill.measures.counting import values_of
from tidemill.measures.grid import Grid
from tidemill.measures.numbers import Numbers
from tidemill.measures.profile import Profile

_TOGETHER = 16  # columns counted in one question; more make a plan too long to be compiled
_EACH = 8192  # rows a grid is fitted to, unless somebody knows better ones
_QUANTILES = 1000
_NO_DAY = "0L"

Grids = Mapping[str, Grid]


class SparkProfiler:
    """Counts the rows of a table; the same counts as `DuckDBProfiler` on the same grids.

    Parameters
    ----------
    session
        A Spark session; its time zone becomes UTC.
    rows
        The table, as Spark's DataFrame.
    few
        Fits grids to a few rows of some columns, if not those that Spark gives first.

    Raises
    ------
    BadInput
        If Spark cannot read it.
    """

    def __init__(
        self,
        session: Any,
        rows: Any,
        *,
        few: Callable[[Sequence[str]], dict[str, Grid]] | None = None,
    ) -> None:
        self._session = session
        self._connection: Any = ibis.pyspark.connect(session)
        session.conf.set("spark.sql.variable.substitute", "false")
        self._names = (f"tidemill_{id(self):x}_{n}" for n in itertools.count())
        self._made: list[str] = []
        self._rows, self._table = rows, self._view(rows)
        self.schema: pa.Schema = rows.limit(0).toArrow().schema
        self._few = few

    def close(self) -> None:
        """Forget the views; the session stays."""
        while self._made:
            self._session.catalog.dropTempView(self._made.pop())

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self._ask(select("count(*) AS n", self._table))[0]["n"]

    def grids(self, names: Sequence[str]) -> dict[str, Grid]:
        """Fit a grid to each of some columns of numbers or times."""
        names = on_a_grid(kinds_of(self.schema, names)[0])
        if self._few is not None:
            return self._few(names)
        part = self._rows.select(*map(_quoted, names)).limit(_EACH).toArrow() if names else None
        return {n: Grid.around(values_of(part[n].drop_null())) for n in names if part is not None}

    def profile(self, names: Sequence[str], *, grids: Grids, most: int = MOST) -> Profile:
        """Count all rows."""
        kinds, skipped = kinds_of(self.schema, names)
        rows = self.rows
        columns = self._counted(kinds, grids, {0: rows}, day=None, most=most)
        whole = {name: columns[name][0] for name in kinds}
        return Profile(rows=rows, columns=whole, kinds=kinds, skipped=skipped)

    def days(
        self,
        names: Sequence[str],
        *,
        time: str,
        zone: str = "UTC",
        grids: Grids,
        most: int = MOST_BY_DAY,
    ) -> tuple[Profile, ...]:
        """Count the rows of each day; rows without a time are left out."""
        day = self._day(time, zone)
        asked = select(f"{day} AS d, count(*) AS n", self._table, "GROUP BY 1")
        found = {r["d"]: r["n"] for r in self._ask(asked) if r["d"] is not None}
        totals = checked(found, time)
        kinds, skipped = kinds_of(self.schema, names)
        columns = self._counted(kinds, grids, totals, day=day, most=most)
        return of_days(totals, columns, kinds, skipped, zone)

    def _counted(
        self,
        kinds: Mapping[str, str],
        grids: Grids,
        totals: Mapping[int, int],
        *,
        day: str | None,
        most: int,
    ) -> dict[str, dict[int, Numbers | Categories]]:
        """Count columns day by day; one day 0 where there are no days."""
        numbers = on_a_grid(kinds)
        fitted = self.grids([n for n in numbers if n not in grids])
        counted = self._numbers(numbers, {**fitted, **grids}, totals, day)
        coarse = [n for n in fitted if _too_coarse(counted[n])]
        finer = {n: self._of_all(n) for n in coarse}
        counted |= self._numbers(coarse, finer, totals, day)
        found: dict[str, dict[int, Numbers | Categories]] = {n: {**c} for n, c in counted.items()}
        others = [n for n, kind in kinds.items() if kind == "category"]
        found |= {n: {**c} for n, c in self._categories(others, totals, day, most).items()}
        for name in (n for n, kind in kinds.items() if kind == "null"):
            found[name] = {d: kept({None: n}, n, most) for d, n in totals.items()}
        return found

    def _numbers(
        self, names: Sequence[str], grids: Grids, totals: Mapping[int, int], day: str | None
    ) -> dict[str, dict[int, Numbers]]:
        """Count cells of columns of numbers, some in a question."""
        found: dict[str, dict[int, Numbers]] = {}
        for first in range(0, len(names), _TOGETHER):
            part = names[first : first + _TOGETHER]
            values = ", ".join(f"{self._value(n)} AS v{k}" for k, n in enumerate(part))
            plain = self._view(
                self._session.sql(select(f"{day or _NO_DAY} AS d, {values}", self._table))
            )
            rows = self._connection.table(plain)
            cells = {f"c{k}": grids[n].expression(rows[f"v{k}"]) for k, n in enumerate(part)}
            inner = readable(self._connection.compile(rows.mutate(**cells)))
            long = ", ".join(f"{k}, c{k}, v{k}" for k in range(len(part)))
            finite = "CASE WHEN abs(v) < double('Infinity') THEN v END"
            spread = select(f"d, stack({len(part)}, {long}) AS (k, c, v)", f"({inner})")
            query = select(
                f"d, k, c, count(*) AS n, min({finite}) AS low, max({finite}) AS high",
                f"({spread})",
                "WHERE d IS NOT NULL GROUP BY d, k, c",
            )
            cells_of: dict[tuple[int, int], list[dict[str, Any]]] = {}
            for row in self._ask(query):
                cells_of.setdefault((row["k"], row["d"]), []).append(row)
            for k, name in enumerate(part):
                of_days = {d: cells_of.get((k, d), []) for d in totals}
                found[name] = {d: _numbers(grids[name], rows) for d, rows in of_days.items()}
        return found

    def _categories(
        self, names: Sequence[str], totals: Mapping[int, int], day: str | None, most: int
    ) -> dict[str, dict[int, Categories]]:
        """Count values of columns of categories: of each day the most frequent."""
        if not names:
            return {}
        # Booleans are counted by their text, as everywhere.
        long = ", ".join(f"{k}, CAST({_quoted(n)} AS STRING)" for k, n in enumerate(names))
        spread = select(
            f"{day or _NO_DAY} AS d, stack({len(names)}, {long}) AS (k, v)", self._table
        )
        grouped = "WHERE d IS NOT NULL GROUP BY d, k, v"
        counts = select("d, k, v, count(*) AS n", f"({spread})", grouped)
        place = "row_number() OVER (PARTITION BY d, k, v IS NULL ORDER BY n DESC, v) AS p"
        best = select(f"*, {place}", f"({counts})")
        query = select("d, k, v, n", f"({best})", f"WHERE p <= {most + 1}")
        met: dict[tuple[int, int], dict[str | None, int]] = {}
        for row in self._ask(query):
            met.setdefault((row["k"], row["d"]), {})[row["v"]] = row["n"]
        return {
            name: {d: kept(met.get((k, d), {}), n, most) for d, n in totals.items()}
            for k, name in enumerate(names)
        }

    def _of_all(self, name: str) -> Grid:
        """Fit a grid to a column of which a few rows say too little: to its quantiles."""
        at = ", ".join(f"{k / _QUANTILES:g}D" for k in range(_QUANTILES + 1))
        value = self._value(name)
        asked = select(
            f"percentile_approx(v, array({at}), 1000000) AS q",
            f"({select(f'{value} AS v', self._table)})",
            "WHERE abs(v) < double('Infinity')",
        )
        return Grid.around(np.asarray(self._ask(asked)[0]["q"] or [], float))

    def _value(self, name: str) -> str:
        """Write a number or time as a DOUBLE: times in seconds since 1970, days at midnight."""
        type_, column = self.schema.field(name).type, _quoted(name)
        if pa.types.is_date(type_):
            return f"unix_date({column}) * 86400D"
        if pa.types.is_timestamp(type_):
            return f"unix_micros(CAST({column} AS TIMESTAMP)) / 1000000D"
        return f"CAST({column} AS DOUBLE)"

    def _day(self, time: str, zone: str) -> str:
        """Write the day of a row, as days since 1970."""
        sql_day(time, self.schema, zone)  # refuses what is no time
        type_, column = self.schema.field(time).type, _quoted(time)
        if pa.types.is_timestamp(type_) and type_.tz is not None:
            column = f"from_utc_timestamp({column}, '{zone}')"
        return f"CAST(unix_date(CAST({column} AS DATE)) AS BIGINT)"

    def _view(self, rows: Any) -> str:
        self._made.append(next(self._names))
        rows.createOrReplaceTempView(self._made[-1])
        return self._made[-1]

    def _ask(self, query: str) -> list[dict[str, Any]]:
        return self._session.sql(query).toArrow().to_pylist()


def open_profiler(
    session: Any, paths: Sequence[str], *, few: Callable[[Sequence[str]], dict[str, Grid]] | None
) -> SparkProfiler:
    """Count Parquet files where they are, with columns that came in later ones.

    Raises
    ------
    BadInput
        If Spark cannot read them.
    """
    base = _common_folder(paths)
    try:
        reader = session.read.option("mergeSchema", "true")
        reader = (
            reader.option("basePath", base) if base and any("=" in p for p in paths) else reader
        )
        return SparkProfiler(session, reader.parquet(*paths), few=few)
    except Exception as error:
        if "pyspark" not in type(error).__module__:
            raise
        said = " ".join(str(error).partition("\n")[0].split())[:300].rstrip(".")
        raise BadInput(
            f"{paths[0]} cannot be read by Spark: {said}.", fix="check the path."
        ) from None


def _common_folder(paths: Iterable[str]) -> str:
    """Return the folder above all folders that name a value.

    Examples
    --------
    >>> _common_folder(["t/day=1/a.parquet", "t/day=2/b.parquet"])
    't'
    """
    return next(_heads(paths), "")


def _heads(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        parts = path.split("/")
        named = [k for k, part in enumerate(parts) if "=" in part]
        yield "/".join(parts[: named[0]]) if named else "/".join(parts[:-1])


def _numbers(grid: Grid, rows: list[dict[str, Any]]) -> Numbers:
    known = [r for r in rows if r["c"] is not None]
    lows = [r["low"] for r in known if r["low"] is not None]
    highs = [r["high"] for r in known if r["high"] is not None]
    return Numbers.of_cells(
        grid,
        np.array([r["c"] for r in known], np.int64),
        np.array([r["n"] for r in known], np.int64),
        nulls=sum(r["n"] for r in rows if r["c"] is None),
        low=min(lows, default=math.nan) + 0.0,
        high=max(highs, default=math.nan) + 0.0,
    )


def _too_coarse(by_day: Mapping[int, Numbers]) -> bool:
    first, *others = by_day.values()
    return too_coarse(first.plus(*others) if others else first)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"

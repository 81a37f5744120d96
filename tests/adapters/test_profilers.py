"""Parquet files are counted as Arrow in memory is: the same numbers, whole and day by day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.adapters.engines.arrow_profile import ArrowProfiler
from tidemill.adapters.engines.days import ends_of
from tidemill.adapters.engines.duckdb_profile import DuckDBProfiler
from tidemill.adapters.sources.parquet import parquet_files
from tidemill.core.errors import BadInput, BadValue, NotFound
from tidemill.measures.profile import of_table

START = datetime(2024, 3, 29, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def table() -> pa.Table:
    rng, n = np.random.default_rng(0), 6000
    x = rng.lognormal(size=n)
    x[:4] = [np.nan, np.inf, -np.inf, -0.0]
    holes = rng.random(n) < 0.1
    return pa.table(
        {
            "at": pa.array(
                [None if k == 7 else START + timedelta(minutes=k) for k in range(n)],
                pa.timestamp("us", "UTC"),
            ),
            "x": pa.array(x, mask=holes),
            "small": pa.array(rng.integers(-3, 4, n), pa.int8(), mask=holes),
            "single": pa.array(rng.normal(size=n), pa.float32()),
            "price": pa.array([Decimal(int(v)) / 4 for v in rng.integers(0, 40, n)]),
            "day": pa.array(
                [date(2024, 1, 1) + timedelta(days=int(v)) for v in x[4:]] + [None] * 4
            ),
            "naive": pa.array(
                [START.replace(tzinfo=None) + timedelta(seconds=int(k)) for k in range(n)]
            ),
            "yes": pa.array(rng.random(n) < 0.2, mask=holes),
            "city": pa.array(rng.choice(["Bonn", "Köln", "", "it's"], n), mask=holes),
            'odd "name"': pa.array([f"v{v}" for v in rng.zipf(1.5, n) % 500]),
            "coded": pa.array(rng.choice(["a", "b"], n)).dictionary_encode(),
            "id": pa.array([f"{k:05}" for k in rng.permutation(n)]),
            "constant": pa.array(np.ones(n)),
            "never": pa.nulls(n, pa.float64()),
            "list": pa.array([[1]] * n),
            "bytes": pa.array([b"x"] * n),
        }
    )


@pytest.fixture(scope="module")
def file(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("profilers") / "table.parquet"
    pq.write_table(table, path, row_group_size=1500)
    return path


def test_a_file_is_counted_as_arrow_in_memory(table, file):
    rows = DuckDBProfiler([str(file)])
    grids = ArrowProfiler(table).grids(table.column_names)
    for most in (50_000, 20):
        found = rows.profile(table.column_names, grids=grids, most=most)
        expected = of_table(table, grids=grids, most=most)
        wrong = [n for n in expected.columns if found.columns.get(n) != expected.columns[n]]
        assert wrong == []
        assert replace(found, skipped={}) == replace(expected, skipped={})
        assert set(found.skipped) == set(expected.skipped) == {"list", "bytes"}


def test_columns_read_in_passes_side_by_side_are_each_counted_once(tmp_path):
    rng = np.random.default_rng(1)
    table = pa.table({f"x{k}": rng.normal(k, size=700) for k in range(37)})
    pq.write_table(table, tmp_path / "wide.parquet", row_group_size=100)
    grids = ArrowProfiler(table).grids(table.column_names)
    rows = DuckDBProfiler([str(tmp_path / "wide.parquet")])
    assert rows.profile(table.column_names, grids=grids) == of_table(table, grids=grids)
    one = rows.profile(["x5"], grids=grids)  # fewer columns than passes
    assert one.columns["x5"] == of_table(table, grids=grids).columns["x5"]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata"])
def test_days_are_counted_as_arrow_in_memory(table, file, zone):
    names = [n for n in table.column_names if n != "at"]
    arrow = ArrowProfiler(table)
    grids = arrow.grids(names)
    how = {"time": "at", "zone": zone, "grids": grids, "most": 30}
    found, expected = DuckDBProfiler([str(file)]).days(names, **how), arrow.days(names, **how)
    for one, other in zip(found, expected, strict=True):
        assert replace(one, skipped={}) == replace(other, skipped={})
    assert sum(day.rows for day in found) == table.num_rows - 1  # one row has no time


def test_a_day_is_as_long_as_its_clock_says(file):
    days = DuckDBProfiler([str(file)]).days(["x"], time="at", zone="Europe/Berlin", grids={})
    full = {str(d.start): (d.rows, (d.end - d.start).total_seconds() / 3600) for d in days}
    assert full["2024-03-30 23:00:00+00:00"] == (23 * 60, 23.0)  # the clocks went forward
    assert full["2024-03-31 22:00:00+00:00"] == (24 * 60, 24.0)
    assert ends_of(19_813, "UTC")[0] == datetime(2024, 3, 31, tzinfo=UTC)


def test_a_grid_fitted_to_rows_that_are_all_alike_is_fitted_again(tmp_path):
    values = np.zeros(60_000)
    values[10_000:29_000] = 1e-6 * np.random.default_rng(0).normal(size=19_000)
    pq.write_table(pa.table({"x": values}), tmp_path / "x.parquet")
    counted = DuckDBProfiler([str(tmp_path / "x.parquet")]).profile(["x"], grids={}).columns["x"]
    assert counted.n == 60_000
    assert counted.cells.size > 100  # on the first grid all of them would be in one cell


def test_too_many_categories_keep_the_most_frequent(tmp_path):
    n = 200_000
    names = pa.array(np.arange(n) // 2).cast(pa.string())
    often = pa.array(["often"] * 1000)
    pq.write_table(pa.table({"k": pa.concat_arrays([names, often])}), tmp_path / "k.parquet")
    counted = DuckDBProfiler([str(tmp_path / "k.parquet")]).profile(["k"], grids={}).columns["k"]
    assert (len(counted.values), counted.n, counted.error) == (50_000, n + 1000, 2)
    assert counted.as_dict()["often"] == 1000


def test_files_of_a_table_may_differ_in_their_columns(tmp_path):
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": [2.5], "y": ["new"]}), tmp_path / "b.parquet")
    files = parquet_files(str(tmp_path))
    found = DuckDBProfiler(files.paths, hive=files.hive).profile(["x", "y"], grids={})
    assert found.rows == 3
    assert (found.columns["x"].low, found.columns["x"].high) == (1.0, 2.5)
    assert (found.columns["y"].values, found.columns["y"].nulls) == (("new",), 2)


def test_folders_patterns_and_delta_are_lists_of_files(tmp_path):
    from deltalake import write_deltalake

    for day in ("2024-01-01", "2024-01-02"):
        (tmp_path / "hive" / f"day={day}").mkdir(parents=True)
        pq.write_table(pa.table({"x": [1.0]}), tmp_path / "hive" / f"day={day}" / "x.parquet")
    hive = parquet_files(str(tmp_path / "hive"))
    assert (len(hive.paths), hive.hive) == (2, True)
    assert DuckDBProfiler(hive.paths, hive=True).schema.names == ["x", "day"]
    assert len(parquet_files(str(tmp_path / "hive" / "*" / "*.parquet")).paths) == 2
    write_deltalake(tmp_path / "delta", pa.table({"x": [1.0, 2.0]}))
    write_deltalake(tmp_path / "delta", pa.table({"x": [5.0]}), mode="overwrite")
    delta = parquet_files(str(tmp_path / "delta"))
    assert DuckDBProfiler(delta.paths).rows == 1  # the files of the newest version alone
    (tmp_path / "x.csv").write_text("x\n1\n")
    assert parquet_files(str(tmp_path / "x.csv")) is None
    with pytest.raises(NotFound, match="no file"):
        parquet_files(str(tmp_path / "nowhere.parquet"))


def test_what_is_no_parquet_no_time_or_no_zone_is_said(file, tmp_path):
    (tmp_path / "text.parquet").write_text("hello, I am text")
    with pytest.raises(BadInput, match=r"text\.parquet cannot be read"):
        DuckDBProfiler([str(tmp_path / "text.parquet")])
    rows = DuckDBProfiler([str(file)])
    with pytest.raises(BadInput, match="no time"):
        rows.days(["x"], time="city", grids={})
    with pytest.raises(NotFound, match="did you mean 'at'"):
        rows.days(["x"], time="att", grids={})
    with pytest.raises(BadValue, match="no time zone 'Mars'"):
        rows.days(["x"], time="at", zone="Mars", grids={})

"""Commands without a project on tables that stay in a real PostgreSQL, with a role that may only read."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.adapters.sources.addresses import read
from tidemill.adapters.sources.ibis_address import connect

WHAT_THERE_IS = "SELECT count(*), (SELECT count(*) FROM pg_namespace) FROM pg_class"


@pytest.fixture(scope="module")
def shop(postgres, tmp_path_factory):
    """Two tables in PostgreSQL, the same rows in files, and the address for a reader."""
    rng = np.random.default_rng(5)
    folder = tmp_path_factory.mktemp("shop")
    postgres.ask("CREATE SCHEMA shop")
    postgres.ask("CREATE ROLE shop_reader LOGIN")
    postgres.ask("GRANT USAGE ON SCHEMA shop TO shop_reader")
    for name, shift in (("before", 0.0), ("after", 0.6)):
        x = (rng.normal(size=800) + shift).round(6).tolist()
        y = rng.normal(size=800).round(6).tolist()
        pq.write_table(pa.table({"x": x, "y": y}), folder / f"{name}.parquet")
        rows = ",".join(f"({a},{b})" for a, b in zip(x, y, strict=True))
        postgres.ask(f"CREATE TABLE shop.{name} (x float8, y float8)")
        postgres.ask(f"INSERT INTO shop.{name} VALUES {rows}")
        postgres.ask(f"GRANT SELECT ON shop.{name} TO shop_reader")
    yield postgres.url.replace("postgres@", "shop_reader@"), folder
    postgres.ask("DROP SCHEMA shop CASCADE")
    postgres.ask("DROP ROLE shop_reader")


def test_drift_of_two_tables_is_that_of_the_same_rows_in_files(tidemill, shop, postgres):
    address, folder = shop
    was = postgres.ask(WHAT_THERE_IS)
    sides = [f"{address}?table=shop.{name}" for name in ("before", "after")]
    said = tidemill("drift", *sides, "--show-sql", "--scan-cap", 800, "--json")
    same = tidemill("drift", folder / "before.parquet", folder / "after.parquet", "--json")
    assert said.code == same.code == 4
    assert json.loads(said.out)["columns"] == json.loads(same.out)["columns"]
    assert said.err.count("COUNT(*)") == 2
    assert '"shop"."after"' in said.err
    assert "LIMIT 801" in said.err
    assert postgres.ask(WHAT_THERE_IS) == was


def test_a_file_can_be_compared_with_a_table(tidemill, shop):
    address, folder = shop
    said = tidemill(
        *("drift", folder / "before.parquet", address, "--table", "shop.before", "--json"),
        *("--scan-cap", 800),
    )
    assert said.code == 0, said.err


@pytest.mark.parametrize("command", ["drift", "backtest"])
def test_a_table_beyond_the_cap_is_refused_before_a_row_is_fetched(tidemill, shop, command):
    address, _ = shop
    one = f"{address}?table=shop.before"
    sides = [one, one] if command == "drift" else [one]
    said = tidemill(command, *sides, "--scan-cap", 799, "--show-sql")
    assert said.code == 1
    assert "has 800 rows, and --scan-cap is 799. Fix: raise --scan-cap" in said.err
    assert "COUNT(*)" in said.err
    assert "LIMIT" not in said.err


def test_a_role_that_may_write_does_not(shop, postgres):
    connection = connect(postgres.url)
    try:
        with pytest.raises(Exception, match="read-only transaction"):
            connection.raw_sql("CREATE TABLE shop.made (x int)")
    finally:
        connection.disconnect()


def test_what_is_for_databases_is_refused_of_files(tidemill, shop):
    _, folder = shop
    file = folder / "before.parquet"
    for option in (("--show-sql",), ("--scan-cap", 5)):
        said = tidemill("drift", file, file, *option)
        assert said.code == 2
        assert "is no database" in said.err
    said = tidemill("drift", "duckdb://x.db", "duckdb://x.db", "--scan-cap", 0)
    assert "--scan-cap is 0" in said.err


def test_the_table_of_an_address_is_read_by_name(shop):
    address, folder = shop
    rows = read(f"{address}?table=shop.after")
    assert rows.equals(pq.read_table(folder / "after.parquet"))


def test_a_password_in_an_address_is_not_in_what_is_said(tidemill, shop, postgres):
    address, _ = shop
    postgres.ask("CREATE VIEW shop.seen AS SELECT '2024-01-01T00:00Z'::timestamptz + x * "
                 "interval '9 days' AS time, y AS x, (y > 0)::int AS label FROM shop.before")  # fmt: skip
    postgres.ask("GRANT SELECT ON shop.seen TO shop_reader")
    secret = address.replace("shop_reader@", "shop_reader:hush@")
    said = tidemill("check", f"{secret}?table=shop.seen", "--label-delay", "1d", "--json")
    assert '"table": "postgresql://' in said.out, said.err
    assert "hush" not in said.out + said.err

"""System signals of records: the same numbers as numpy, whatever the columns hold."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.core.errors import BadInput, BadValue
from tidemill.core.ports import Snapshot
from tidemill.monitoring.system import ErrorShare, Latency, Throughput

NAN, INF = math.nan, math.inf
SCHEMA = pa.schema(
    [
        ("window", pa.int64()),
        ("latency_ms", pa.float64()),
        ("p_log", pa.float64()),
        ("output", pa.float64()),
        ("output_text", pa.string()),
        ("score", pa.float64()),
    ]
)


def measured(rule: Any, rows: list[dict[str, Any]], folder: Path | None = None) -> dict[int, Any]:
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    snapshot = Snapshot(schema=SCHEMA, arrow=table)
    if folder is not None:
        pq.write_table(table, folder / "r.parquet")
        snapshot = Snapshot(schema=SCHEMA, files=(str(folder / "r.parquet"),))
    engine = DuckDBEngine()
    records = engine.table(snapshot)
    found = engine.arrow(records.group_by("window").aggregate(**rule.measured(records)))
    return {r["window"]: (r["value"], r["n"]) for r in found.to_pylist()}


@pytest.mark.parametrize("stored", [False, True])
def test_latency_is_numpys_quantile_of_what_can_be_a_latency(stored: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    good = rng.lognormal(3, 1, 500)
    odd = [None, NAN, INF, -INF, -1.0]
    rows = [{"window": k % 2, "latency_ms": float(v)} for k, v in enumerate(good)]
    rows += [{"window": 0, "latency_ms": v} for v in odd] + [{"window": 2, "latency_ms": NAN}]
    for share in (0.5, 0.95, 0.99):
        found = measured(Latency(share), rows, tmp_path if stored else None)
        for window in (0, 1):
            value, n = found[window]
            assert value == pytest.approx(np.quantile(good[window::2], share))
            assert n == 250
        assert found[2] == (None, 0)  # nothing to measure is no number, not a fast service


def test_names_tell_which_quantile() -> None:
    names = [Latency(s).metric for s in (0.5, 0.95, 0.99, 0.999)]
    assert names == ["latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "latency_p99.9_ms"]
    with pytest.raises(BadValue):
        Latency(95.0)


def test_throughput_and_errors_count_those_that_were_not_logged() -> None:
    logged_less = [{"window": 0, "p_log": 0.1, "output": 1.0}] * 10
    failed = [{"window": 0, "p_log": 1.0, "output": NAN}] * 20
    odd = [{"window": 1, "p_log": p, "output_text": "x"} for p in (None, 0.0, NAN, -1.0, 2.0)]
    rows = [*logged_less, *failed, *odd, {"window": 1, "score": 0.5}, {"window": 1, "score": NAN}]
    assert measured(Throughput(window="1m"), rows) == {
        0: (pytest.approx(2.0), 30),
        1: (pytest.approx(7 / 60), 7),
    }
    assert measured(ErrorShare(), rows) == {
        0: (pytest.approx(20 / 120), 30),
        1: (pytest.approx(1 / 7), 7),
    }


@pytest.mark.parametrize("rule", [Latency(), Throughput(), ErrorShare()])
def test_an_absent_column_is_told(rule: Any) -> None:
    with pytest.raises(BadInput, match="Fix:"):
        rule.measured(ibis.memtable({"record_id": ["a"]}))


@pytest.mark.parametrize("rule", [Latency(), Throughput(), ErrorShare()])
def test_no_records_are_no_number(rule: Any) -> None:
    records = ibis.memtable(SCHEMA.empty_table())
    found = records.aggregate(**rule.measured(records)).to_pyarrow().to_pylist()[0]
    assert found["value"] is None
    assert not found["n"]


@pytest.mark.parametrize("dialect", ["snowflake", "postgres", "databricks"])
@pytest.mark.parametrize("rule", [Latency(), Throughput(), ErrorShare()])
def test_warehouses_understand_it(rule: Any, dialect: str) -> None:
    # BigQuery and Trino have no exact quantile in Ibis.
    records = ibis.table(ibis.schema(SCHEMA), name="records")
    asked = records.group_by("window").aggregate(**rule.measured(records))
    assert "SELECT" in str(ibis.to_sql(asked, dialect=dialect))

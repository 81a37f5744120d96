"""Two tables counted by both engines, whole and day by day, and compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tidemill.adapters.engines.duckdb_profile import DuckDBProfiler
from tidemill.adapters.engines.spark_profile import open_profiler
from tidemill.faces.comparing import drift

NAMES = ["x", "k", "whole", "text", "many", "yes", "when", "day", "none", "list", "same"]


def both_count_alike(session: Any, folder: Path) -> None:
    """Hold profiles to profiles, and a comparison to a comparison."""
    folder.mkdir()
    files = [str(folder / f"{k}.parquet") for k in range(2)]
    for k, file in enumerate(files):
        pq.write_table(_rows(k), file)
    near = DuckDBProfiler(files)
    far = open_profiler(session, files, few=near.grids)
    for most in (5, 50_000):
        assert same(
            near.profile(NAMES, grids={}, most=most), far.profile(NAMES, grids={}, most=most)
        )
    asked: dict[str, Any] = {"time": "when", "zone": "America/New_York", "grids": {}, "most": 5}
    one, other = near.days(NAMES, **asked), far.days(NAMES, **asked)
    assert len(one) == len(other) > 5
    assert all(map(same, one, other))
    far.close()
    how: dict[str, Any] = {
        "time": "when",
        "ignore": ("list",),
    }  # whose type each spells its own way
    told = [drift(*files, engine=engine, **how).to_dict() for engine in ("duckdb", "spark")]
    assert told[0] == told[1]
    assert {c["verdict"] for c in told[0]["columns"]} >= {"ALERT", "OK"}


def same(one: Any, other: Any) -> bool:
    assert (one.rows, one.kinds, one.start, one.end) == (
        other.rows,
        other.kinds,
        other.start,
        other.end,
    )
    assert one.skipped.keys() == other.skipped.keys()
    for name, column in one.columns.items():
        assert column == other.columns[name], name
    return True


def _rows(k: int) -> pa.Table:
    rng = np.random.default_rng(k)
    n = 3000
    x = rng.normal(size=n) + k
    x[:4] = [np.nan, np.inf, -np.inf, -0.0]
    start = datetime(2024, 3, 8 + 12 * k, 3, tzinfo=UTC)  # the clocks go forward in between
    when = [None if j == 7 else start + timedelta(minutes=5.1) * j for j in range(n)]
    texts = ["a", "B", None, "ü", "b'\"`", "true", ""]
    columns = {
        "x": x,
        "k": pa.array([None if j % 9 == 0 else j % 4 for j in range(n)], pa.int32()),
        "whole": rng.integers(-(10**12), 10**12, n),
        "text": [texts[j % 7] for j in range(n)],
        "many": [f"v{j % 300}" for j in rng.integers(0, 300, n)],
        "yes": [None if j % 5 == 0 else j % 3 == 0 for j in range(n)],
        "when": pa.array(when, pa.timestamp("us", "UTC")),
        "day": [None if w is None else w.date() for w in when],
        "none": pa.nulls(n, pa.float64()),
        "list": [[1.0]] * n,
        "same": np.full(n, 3.5),
    }
    return pa.table(columns)

"""What a question costs: small expressions on Arrow against DuckDB, in milliseconds.

    python benchmarks/engine.py [--rows 30000] [--features 30] [--times 20]

``built`` is what Ibis takes to write the expression down, whoever evaluates it; the other
figures are what evaluating takes on top.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from ibis.expr import types as ir

from tidemill import Outcome, Recent, Uniform
from tidemill.adapters.engines.arrow import ArrowEngine
from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.core.ports import Engine, Snapshot
from tidemill.core.rules import Past
from tidemill.testing import data

FORMED = ("record_id", "predicted_at", "label_id", "label", "label_text", "source_kind")


def main() -> None:
    """Print a line a question."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--rows", type=int, default=30_000)
    ask.add_argument("--features", type=int, default=30)
    ask.add_argument("--times", type=int, default=20)
    given = ask.parse_args()
    rows = data.records(given.rows)
    for k in range(given.features):
        values = np.random.default_rng(k).normal(size=given.rows)
        rows = rows.append_column(f"f_{k}", pa.array(values))
    rows = data.reservoir(rows)
    arrow = ArrowEngine(DuckDBEngine())
    engines: dict[str, Engine] = {"duckdb": DuckDBEngine(), "arrow": arrow}
    questions = {"Outcome + Recent + form": formed, "Uniform": chosen, "the table": itself}
    print(f"{given.rows:,} rows, {rows.num_columns} columns; best of {given.times}, ms")
    for name, question in questions.items():
        told = [f"{name:<24}"]
        for engine_name, engine in engines.items():
            built = spent(lambda: question(engine, rows), given.times)  # noqa: B023 - called at once
            asked = question(engine, rows)
            took = spent(lambda: engine.arrow(asked), given.times)  # noqa: B023 - called at once
            told.append(f"{engine_name}: built {built:6.2f}, evaluated {took:7.2f}")
        print("   ".join(told))
    print(f"fell back {arrow.fell_back} times")


def formed(engine: Engine, rows: pa.Table) -> ir.Table:
    """Ask for the rows of a dataset, as ``form`` does."""
    table = engine.table(Snapshot(schema=rows.schema, arrow=rows))
    final = Outcome(final_after="1d")(table, data.NOW - timedelta(days=2))
    recent = Recent("21d")(final, Past(now=data.NOW))
    return recent.select(*FORMED, "weight", "row_hash").order_by("predicted_at", "record_id")


def chosen(engine: Engine, rows: pa.Table) -> ir.Table:
    """Ask which records to label."""
    table = engine.table(Snapshot(schema=rows.schema, arrow=rows))
    return Uniform(1000)(table).order_by("record_id")


def itself(engine: Engine, rows: pa.Table) -> ir.Table:
    """Ask for nothing but the rows."""
    return engine.table(Snapshot(schema=rows.schema, arrow=rows))


def spent(call: Callable[[], Any], times: int) -> float:
    """Return the least time of a call, in milliseconds: what it takes when nothing else runs."""
    call()
    took = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        took.append((time.perf_counter() - start) * 1e3)
    return min(took)


if __name__ == "__main__":
    main()

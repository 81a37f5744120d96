"""What Spark takes, and what we add: drift, metrics and sampling on Spark on this machine.

    python benchmarks/spark.py [--rows 1000000]

``engine`` is the time inside of Spark (writing the plan, running it, handing rows over); ``whole``
is what a person waits for, without the start of the session.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql.classic.dataframe import DataFrame
from scale import write

from tidemill import Uniform
from tidemill.adapters.engines.spark import SparkEngine
from tidemill.adapters.sources.spark_session import local_session
from tidemill.core.ports import Snapshot
from tidemill.core.records import RECORDS, conform
from tidemill.faces.comparing import drift
from tidemill.monitoring.proxies import Proxy
from tidemill.monitoring.quality import Finite, InRange, NullRate
from tidemill.strategy.watching.windows import Windows

TIMES = 3
DAY = timedelta(days=1)
inside = [0.0, 0]


def main() -> None:
    """Print a line a question."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--rows", type=int, default=1_000_000)
    rows = ask.parse_args().rows
    for of, name in (
        (DataFrame, "toArrow"),
        (SparkSession, "sql"),
        (SparkSession, "createDataFrame"),
    ):
        watch(of, name)
    session = local_session(**{"spark.driver.memory": "2g"})
    session.sparkContext.setLogLevel("ERROR")
    with tempfile.TemporaryDirectory() as folder:
        records, _ = write(Path(folder), rows)
        near = Path(folder, "near.parquet")
        pq.write_table(pq.ParquetFile(records).read_row_groups([0]), near)
        stored = Path(folder, "stored.parquet")
        table = pq.read_table(records)
        features = [n for n in table.column_names if n[0] in "xc"]
        table = table.rename_columns([f"f_{n}" if n in features else n for n in table.column_names])
        table = conform(table, RECORDS).drop_columns(["day"])
        pq.write_table(table, stored)
        snapshot = Snapshot(schema=table.schema, files=(str(stored),))
        del table
        engine = SparkEngine(session)
        print(f"{rows:,} records, s, best of {TIMES}")
        told = {
            "drift": lambda: drift(str(near), str(records), time="predicted_at", engine="spark"),
            "metrics": lambda: metrics(engine, snapshot),
            "sampling": lambda: engine.arrow(
                Uniform(10_000)(engine.table(snapshot)).order_by("record_id")
            ),
        }
        for name, question in told.items():
            whole, of_spark = best(question)
            ours = (whole - of_spark) / whole
            print(f"{name:<10} engine {of_spark:6.2f}   whole {whole:6.2f}   ours {ours:6.1%}")


def metrics(engine: SparkEngine, snapshot: Snapshot) -> Any:
    """Measure some signals by day, as a look does."""
    rows = engine.table(snapshot)
    rules = [
        *(InRange(f"x{k}", low=-3, high=3) for k in range(5)),
        Finite("x5"),
        NullRate("x6", at_most=0.1),
    ]
    rules.append(Proxy("size", lambda r: r.f_x0))
    made = {f"{n}_{k}": e for k, r in enumerate(rules) for n, e in r.measured(rows).items()}
    numbered = Windows(every=DAY).number(rows)
    return engine.arrow(rows.group_by(window=numbered).aggregate(**made))


def watch(of: Any, name: str) -> None:
    """Note the time a method takes, but for what it calls that is noted too."""
    method = getattr(of, name)

    def noted(*args: Any, **named: Any) -> Any:
        began, inside[1] = time.perf_counter(), inside[1] + 1
        try:
            return method(*args, **named)
        finally:
            inside[1] -= 1
            if not inside[1]:
                inside[0] += time.perf_counter() - began

    setattr(of, name, noted)


def best(question: Callable[[], Any]) -> tuple[float, float]:
    """Return the least time of a question, and what of it Spark took."""
    question()
    took = []
    for _ in range(TIMES):
        inside[0], began = 0.0, time.perf_counter()
        question()
        took.append((time.perf_counter() - began, inside[0]))
    return min(took)


if __name__ == "__main__":
    main()

"""What it costs to put Arrow rows into an event table, and whether commits get slower.

Two ratios in one run: the CPU of appending records against writing the same rows as Parquet with
the same compression (at most 1.6), and the time of a commit after many against the first ones (at
most 2, with the merging that ``append`` does by itself included).

    python benchmarks/events.py [--rows 1000000] [--commits 10000]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tidemill.adapters.stores.delta import DeltaEvents
from tidemill.core.records import RECORDS, conform
from tidemill.testing import data

BATCH = 100_000


def many(rows: int) -> pa.Table:
    """Make records of one day with 13 numbers and ten texts."""
    rng = np.random.default_rng(0)
    base = conform(data.records(1), RECORDS)
    picked = base.take(pa.array(np.zeros(rows, np.int64)))
    ids = pa.array([f"{k:032x}" for k in range(rows)])
    picked = picked.set_column(picked.column_names.index("record_id"), "record_id", ids)
    for k in range(13):
        picked = picked.append_column(f"f_n{k}", pa.array(rng.normal(size=rows)))
    texts = np.array([f"value {k}" for k in range(200)])
    for k in range(10):
        picked = picked.append_column(f"f_t{k}", pa.array(texts[rng.integers(0, 200, rows)]))
    return picked


def cpu() -> float:
    """Return the processor seconds of this process."""
    used = os.times()
    return used.user + used.system


def append_against_parquet(rows: int, folder: Path) -> tuple[float, float]:
    """Return the CPU seconds of writing Parquet and of appending the same batches."""
    table = many(rows)
    batches = [table.slice(k, BATCH) for k in range(0, rows, BATCH)]
    # The first write of a process starts threads and loads code, here as there.
    pq.write_table(batches[0], folder / "warm.parquet", compression="zstd", compression_level=1)
    DeltaEvents(folder / "warm").append("records", batches[0], writer="warm", sequence=0)
    begin = cpu()
    for k, batch in enumerate(batches):
        path = folder / f"{k}.parquet"
        pq.write_table(batch, path, compression="zstd", compression_level=1)
    written = cpu() - begin
    events = DeltaEvents(folder / "events")
    begin = cpu()
    for k, batch in enumerate(batches):
        events.append("records", batch, writer="bench", sequence=k)
    return written, cpu() - begin


def commits(n: int, folder: Path) -> tuple[float, float, float]:
    """Return the seconds of the first commits, of the last ones (medians), and the worst of those."""
    events, took = DeltaEvents(folder / "many"), []
    rows = conform(data.records(5), RECORDS)
    for k in range(n):
        begin = time.perf_counter()
        events.append("records", rows, writer="bench", sequence=k)
        took.append(time.perf_counter() - begin)
    few = max(20, min(100, n // 4))
    mean = statistics.fmean(took[-2 * few :]) / statistics.fmean(took[: 2 * few])
    return statistics.median(took[5:few]), statistics.median(took[-few:]), mean


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=1_000_000)
    asked.add_argument("--commits", type=int, default=10_000)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        written, appended = append_against_parquet(given.rows, Path(name))
        print("| what | figure | bar |")
        print("|---|---|---|")
        print(f"| Parquet, {given.rows:,} rows | {written:.2f} s CPU | |")
        print(f"| into the table | {appended:.2f} s CPU, {appended / written:.2f}x | 1.6x |")
        first, last, mean = commits(given.commits, Path(name))
        print(f"| a commit, the first ones | {first * 1e3:.1f} ms | |")
        said = f"{last * 1e3:.1f} ms, {last / first:.2f}x; on average {mean:.2f}x"
        print(f"| a commit after {given.commits:,} | {said} | 2x |")


if __name__ == "__main__":
    main()

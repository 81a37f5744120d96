"""Print what counting rows at the edge costs: CPU microseconds a row of 24 fields.

Run ``python benchmarks/edge.py``. Rows have 14 numbers and 10 categories. The bars: 5 us a row
by call, 0.5 us a row in Arrow batches. ``x JSON`` is the time as a multiple of writing the row
as JSON with the standard library, measured in the same run. Threads show CPU time a row, all
threads together; a pause is the slowest single call.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from tidemill.measures.edge import EdgeProfile
from tidemill.measures.profile import Profile, of_table

ROWS, BATCH, REPEATS = 50_000, 10_000, 5
NUMBERS, CATEGORIES = 14, 10


def table(rows: int) -> pa.Table:
    """Draw rows as a service sees them: numbers with some nulls, categories of 2 to 2,000 values."""
    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {}
    for i in range(NUMBERS):
        values = rng.lognormal(size=rows) if i % 2 else rng.normal(size=rows)
        columns[f"n{i}"] = pa.array(values, mask=rng.random(rows) < 0.01 * (i % 3))
    for i, levels in enumerate(np.geomspace(2, 2_000, CATEGORIES).astype(int)):
        columns[f"c{i}"] = pa.array([f"value {v}" for v in rng.integers(0, levels, rows)])
    return pa.table(columns)


def best(what: Callable[[], None], rows: int) -> float:
    """Return the CPU microseconds a row of the fastest of some runs."""
    taken: list[float] = []
    for _ in range(REPEATS):
        begun = time.process_time()
        what()
        taken.append(time.process_time() - begun)
    return 1e6 * min(taken) / rows


def by_call(reference: Profile, rows: list[dict[str, Any]], threads: int) -> None:
    """Count rows one by one, in some threads."""
    edge = EdgeProfile(reference)

    def some(part: list[dict[str, Any]]) -> None:
        for row in part:
            edge.add(row)

    workers = [threading.Thread(target=some, args=(rows[i::threads],)) for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    edge.to_profile()


def by_batch(reference: Profile, batches: list[Any]) -> None:
    """Count batches; making the profile at the end is measured on its own, as part of a file."""
    edge = EdgeProfile(reference)
    for batch in batches:
        edge.add_batch(batch)


def slowest(reference: Profile, rows: list[dict[str, Any]]) -> float:
    """Return the milliseconds of the slowest call."""
    edge, taken = EdgeProfile(reference), 0.0
    for row in rows:
        begun = time.perf_counter()
        edge.add(row)
        taken = max(taken, time.perf_counter() - begun)
    return 1e3 * taken


def main() -> None:
    """Measure and print."""
    whole = table(ROWS)
    reference = of_table(whole)
    rows = whole.to_pylist()
    as_json = best(lambda: [json.dumps(row) for row in rows] and None, ROWS)

    def line(what: str, cost: float, bar: str = "") -> None:
        print(f"{what:44} {cost:6.2f} us   {cost / as_json:5.2f} x JSON   {bar}")

    line("json.dumps of the row", as_json)
    for threads in (1, 2, 8):
        bar = "bar 5 us" if threads == 1 else ""
        line(
            f"by call, {threads} thread(s)",
            best(lambda t=threads: by_call(reference, rows, t), ROWS),
            bar,
        )
    batches = whole.to_batches(BATCH)
    line("Arrow batches of 10,000", best(lambda: by_batch(reference, batches), ROWS), "bar 0.5 us")
    small = whole.to_batches(1_000)
    line("Arrow batches of 1,000", best(lambda: by_batch(reference, small), ROWS))
    coded = [
        pa.table(
            {
                n: c.dictionary_encode() if n[0] == "c" else c
                for n, c in zip(batch.schema.names, batch.columns, strict=True)
            }
        )
        for batch in batches
    ]
    line(
        "Arrow batches, categories as dictionaries", best(lambda: by_batch(reference, coded), ROWS)
    )
    numbers = [batch.select([f"n{i}" for i in range(NUMBERS)]) for batch in batches]
    arrays = [
        {n: np.asarray(c.fill_null(0.0)) for n, c in zip(b.schema.names, b.columns, strict=True)}
        for b in numbers
    ]
    grids = EdgeProfile(reference.grids)
    line(
        "14 NumPy arrays of 10,000",
        best(lambda: [grids.add_batch(a) for a in arrays] and None, ROWS),
    )
    print(f"{'slowest single call':44} {slowest(reference, rows):6.2f} ms")
    with tempfile.TemporaryDirectory() as folder:
        edge = EdgeProfile(reference)
        edge.add_batch(whole)
        begun = time.process_time()
        path = edge.save(folder)
        took = time.process_time() - begun
        size = path.stat().st_size if path else 0
        print(f"{'a file of it':44} {size / 1024:6.0f} KiB, {1e3 * took:.1f} ms")
    for module in ("numpy", "tidemill.measures.edge"):
        code = (
            f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
        )
        best_of = min(
            float(
                subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
            )
            for _ in range(REPEATS)
        )
        print(f"{'import ' + module:44} {1e3 * best_of:6.0f} ms CPU")


if __name__ == "__main__":
    main()

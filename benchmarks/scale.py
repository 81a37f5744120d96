"""What a project of many records costs: import, first turn, later turns, drift, questions.

    python benchmarks/scale.py [--rows 1000000] [--engine duckdb] [--keep FOLDER]

Each step is a command in a process of its own, as a user runs it: CPU seconds, wall seconds and
the most memory it held. Records have twelve features and lie on 60 days; one in ten has a label;
10,000 records a day are chosen.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tidemill.project import CONFIG, create_project

DAYS = 60
RATE = 0.3
PART = 250_000  # rows made at a time
STRATEGY = """
from tidemill import AUC, AtLeast, Every, Monitoring, Newest, Outcome, Recent, Strategy, Uniform

def train(dataset, previous):
    slope = dataset.label.mean()
    return lambda frame: 0 * frame["x0"] + slope

strategy = Strategy(
    curation=Uniform(10_000, per="1d"), labels=Outcome(final_after="1d"), trigger=Every("7d"),
    dataset=Recent("30d"), training=train, holdout=Newest(at_least=100, days=5),
    offline=[AtLeast(AUC(), 0.4)], monitoring=Monitoring(),
)
"""


def main() -> None:
    """Print a line a step."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--rows", type=int, default=1_000_000)
    ask.add_argument("--engine", choices=("duckdb", "spark"), default="duckdb")
    ask.add_argument("--keep", type=Path)
    given = ask.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = given.keep or Path(folder)
        print(f"{given.rows:,} records, {given.engine}: CPU s, wall s, peak MiB")
        project = create_project(root / f"mill-{given.rows}", strategy=STRATEGY, salt="scale")
        with (project / CONFIG).open("a") as config:
            config.write(f'\n[engine]\nkind = "{given.engine}"\n')
        records, labels = write(root, given.rows)
        mine = ["--project", str(project)]
        step("records import", ["records", "import", str(records), *mine])
        step("labels import", ["labels", "import", str(labels), "--label", "label", *mine])
        step("first turn", ["run", *mine])
        step("turn, nothing due", ["run", *mine])
        step("records import again", ["records", "import", str(records), *mine])
        step("sql", ["sql", "select count(*) as n, avg(x0) as x from records", *mine])
        half = str(root / "half.parquet")
        pq.write_table(pq.ParquetFile(records).read_row_groups([0]), half)
        step("drift, two tables", ["drift", half, str(records), "--time", "predicted_at"])


def write(root: Path, rows: int) -> tuple[Path, Path]:
    """Write a table of records in order of time, and the labels of a tenth of them."""
    rng = np.random.default_rng(0)
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0) - timedelta(days=DAYS)
    paths = root / f"records-{rows}.parquet", root / f"labels-{rows}.parquet"
    out = [None, None]
    for first in range(0, rows, PART):
        n = min(PART, rows - first)
        micros = (np.arange(first, first + n) * (DAYS * 86_400e6 / rows)).astype("timedelta64[us]")
        at = pa.array(np.datetime64(start.replace(tzinfo=None), "us") + micros)
        at = at.cast(pa.timestamp("us", "UTC"))
        ids = pa.array(rng.permutation(n) + first).cast(pa.string())
        columns = {f"x{k}": rng.normal(size=n) for k in range(10)}
        columns |= {f"c{k}": pa.array(rng.integers(0, 50, n)).cast(pa.string()) for k in range(2)}
        whole = {"record_id": ids, "predicted_at": at, "available_at": at, **columns}
        whole["score"] = rng.random(n)
        few = pa.table({"record_id": ids, "label": (rng.random(n) < RATE).astype(float)})
        few = few.append_column("available_at", at).slice(0, n // 10)
        for k, table in enumerate((pa.table(whole), few)):
            out[k] = out[k] or pq.ParquetWriter(paths[k], table.schema)
            out[k].write_table(table)
    for writer in out:
        writer.close()
    return paths


def step(name: str, words: list[str]) -> None:
    """Run a command and print what it took."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        command = [str(Path(sys.executable).with_name("tidemill")), *words]
        child = subprocess.Popen(command, stdout=said, stderr=said)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - began
        cpu, most = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
        print(f"{name:<22} {cpu:8.1f} {wall:8.1f} {most:8,.0f}", flush=True)
        if child.returncode not in (0, 4):
            said.seek(0)
            sys.exit(f"{' '.join(words)} ended with {child.returncode}: {said.read()[-2000:]}")


if __name__ == "__main__":
    main()

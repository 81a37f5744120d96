"""How long ``tidemill drift`` takes against its floor: whole processes, Parquet to finished answer.

13 columns of numbers and 10 of categories, two of them with 50,000 values; reference and current
of so many rows each; f00, f04, f08 and c2 shifted. The floor is ``drift_floor.py``. Ratios are of
the medians of runs taken in turn; CPU seconds are steadier than wall seconds on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import duckdb

LEVELS = (3, 5, 8, 12, 20, 40, 50_000, 50_000, 2, 2)
MANY = 50_000
SHIFTED, WHOLE, HOLES = (0, 4, 8), 2, 3  # of columns: which; what k % 4 makes of them
FLOOR = Path(__file__).parent / "drift_floor.py"
PROGRAM = "from tidemill.faces.cli.app import main; import sys; sys.exit(main())"


def make(path: Path, rows: int, *, seed: int, shifted: bool) -> None:
    """Write a window; every value follows from its row, its column and the seed."""

    def uniform(column: int) -> str:
        return f"(hash(i * 64 + {column} + {seed * 1_000_003}) / 18446744073709551616.0)"

    def normal(column: int) -> str:
        away = f"sqrt(-2 * ln({uniform(column)} + 1e-12))"
        return f"({away} * cos(6.283185307179586 * {uniform(column + 32)}))"

    columns: list[str] = []
    for k in range(13):
        value = f"{normal(k)} + {0.2 if shifted and k in SHIFTED else 0.0}e0"
        if k % 4 == 1:
            value = f"exp({value})"
        if k % 4 == WHOLE:
            value = f"round({value} * 10)::INTEGER"
        if k % 4 == HOLES:
            value = f"CASE WHEN {uniform(k + 40)} < 0.02 THEN NULL ELSE {value} END"
        columns.append(f"{value} AS f{k:02d}")
    for k, levels in enumerate(LEVELS):
        at = uniform(k + 14)
        if levels < MANY:
            at = f"pow({at}, {1.6 if shifted and k == WHOLE else 2})"
        columns.append(f"'v' || floor({at} * {levels})::INTEGER AS c{k}")
    connection = duckdb.connect()
    connection.execute("SET memory_limit = '2GB'; SET preserve_insertion_order = false")
    connection.execute(
        f"COPY (SELECT {', '.join(columns)} FROM range({rows}) t(i)) TO '{path}' "
        "(FORMAT parquet, COMPRESSION zstd)"
    )


def run(words: list[str]) -> tuple[float, float, float]:
    """Run a process; return its wall seconds, CPU seconds and peak memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status) not in (0, 4):
        raise RuntimeError(process.stderr.read().decode() if process.stderr else "it failed")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def measure(folder: Path, rows: int, runs: int) -> None:
    """Print what drift and its floor take at so many rows."""
    files = [folder / f"{side}{rows}.parquet" for side in ("reference", "current")]
    for k, file in enumerate(files):
        make(file, rows, seed=k + 1, shifted=k == 1)
    programs = {
        "floor": [sys.executable, str(FLOOR), *map(str, files)],
        "drift": [sys.executable, "-c", PROGRAM, "drift", *map(str, files)],
    }
    taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in programs}
    for _ in range(runs):
        for name, words in programs.items():
            taken[name].append(run(words))
    for file in files:
        file.unlink()
    found = {name: [median(values) for values in zip(*t, strict=True)] for name, t in taken.items()}
    for name, (wall, cpu, memory) in found.items():
        print(f"{rows:>10,} {name}: {wall:.2f} s, {cpu:.2f} CPU s, {memory:.0f} MB")
    (wall, cpu, _), (base, base_cpu, _) = found["drift"], found["floor"]
    print(
        f"{rows:>10,} drift / floor: {wall / base:.2f} wall, {cpu / base_cpu:.2f} CPU, "
        f"{wall - base:+.2f} s wall, {cpu - base_cpu:+.2f} CPU s"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        for size in asked.rows:
            measure(Path(made), size, asked.runs)

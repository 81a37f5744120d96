"""What a look costs after a week, five weeks and a year of history, with the same new data.

``python benchmarks/monitoring.py [days]`` lives a project day by day, 2,000 records a day of 8
numbers and 4 categories, one turn a day, and times the look of the last day: CPU of this process,
the median of five days. A week has no reference to compare with yet (five windows are the least)
and one is full after 28, so a look after five weeks does what one after a year does; the bar of 1.2
is against the week. Then a turn with nothing due, and a question over the whole history, from
signals and from profiles.

On two quiet cores: a week 0.35, five weeks 0.40 and a year 0.38 CPU seconds, 1.15 and 1.08 times the
week. A turn with nothing due is 4 ms after a month and after a year.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from tidemill.core.clock import ReplayedClock, instant
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.project import Mill, create_project, open_project
from tidemill.strategy.turn import run_once
from tidemill.strategy.watching.costing import costs as costs_of

START = instant("2023-01-01")
IDLE = 60
ROWS, NUMBERS, TEXTS = 2000, 8, 4
MEASURED = 5
STRATEGY = """
from tidemill import *
from tidemill.loop.training.function import always_the_mean
strategy = Strategy(
    training=always_the_mean, curation=Uniform(500, per="1d"), labels=Outcome(final_after="12h"),
    metrics=[Accuracy()],
    monitoring=Monitoring(reference="sliding", signals=[NullRate("n0", at_most=0.1), RowCount(at_least=9)]),
)
"""


def serve(mill: Mill, clock: ReplayedClock, day: int) -> None:
    """A day goes by: its records and their labels are taken in."""
    rng = np.random.default_rng(day)
    start = START + timedelta(days=day)
    at = [start + timedelta(seconds=43 * k) for k in range(ROWS)]
    columns = {f"n{k}": rng.normal(size=ROWS) for k in range(NUMBERS)}
    columns |= {f"c{k}": rng.choice(list("abcdefgh"), ROWS) for k in range(TEXTS)}
    ids = [f"{day}-{k}" for k in range(ROWS)]
    said = (columns["n0"] > 0).astype(float)
    table = pa.table({"record_id": ids, "at": at, "output": said, **columns})
    clock.move_to(start + timedelta(days=1, hours=13))
    mill.import_records(
        table, Columns(time="at", available_at="at", output="output"), source="bench"
    )
    label = (columns["n0"] + rng.normal(size=ROWS) > 0).astype(float)
    mill.import_labels(pa.table({"record_id": ids, "label": label}), FactColumns(), source="bench")


def idle(mill: Mill) -> float:
    """Return the median CPU seconds of a turn with nothing due."""
    times: list[float] = []
    for _ in range(IDLE):
        began = time.process_time()
        plan = run_once(mill.world, mill.strategy)
        times.append(time.process_time() - began)
        assert not plan.steps
    return statistics.median(times)


def main(days: int) -> None:
    """Live the days, and print what looks cost on the way."""
    with tempfile.TemporaryDirectory() as folder:
        path = create_project(Path(folder) / "mill", strategy=STRATEGY, salt="bench")
        clock = ReplayedClock(START)
        costs: list[float] = []
        with open_project(path, clock=clock) as mill:
            for day in range(days):
                serve(mill, clock, day)
                began = time.process_time()
                mill.run()
                costs.append(time.process_time() - began)
                if day % 28 == 27:  # noqa: PLR2004 - as an operator would, once a month
                    for table in ("records", "labels", "chosen", "profiles", "signals"):
                        mill.world.events.compact(table)
                if day + 1 in {28, days}:
                    print(
                        f"a turn with nothing due, {day + 1} days: {1000 * idle(mill):.1f} CPU ms"
                    )
            week = statistics.median(costs[7 - MEASURED : 7])
            for name, end in (("a week", 7), ("five weeks", 35), ("all", days)):
                if end <= days:
                    found = statistics.median(costs[end - MEASURED : end])
                    ratio = f"{found / week:.2f} x the week"
                    print(f"a look after {name:<11} ({end:>3} days): {found:.3f} CPU s, {ratio}")
            began = time.perf_counter()
            points = mill.signals("accuracy").num_rows
            print(f"the series of a metric, {points} windows: {time.perf_counter() - began:.3f} s")
            began = time.perf_counter()
            found = costs_of(mill.world, mill.strategy)
            print(f"profiles: {found}; in {time.perf_counter() - began:.3f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 365)

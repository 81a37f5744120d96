"""What a turn costs: the demo's year, orchestration apart from user code, and idle turns.

``python benchmarks/turns.py [weeks]`` runs the demo into a temporary folder and prints, for
the whole and per weekly turn, the wall time, the time waited for fits and answers, and the
rest, which is orchestration: of the turns themselves, and of logging and labelling the week
before them; then a turn with nothing due after a month and after a year.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from tidemill.core.clock import ReplayedClock
from tidemill.core.model import Answers
from tidemill.faces.demo import run
from tidemill.faces.demo.flights import Flights
from tidemill.project import Mill
from tidemill.strategy.turn import Plan, run_once

MONTH = 4
IDLE = 60

waited: list[float] = []
answered = [0.0]
orchestrated: list[float] = []
taken_in: list[float] = []
idle: dict[int, float] = {}
_answer = run.answer
_week = run._week  # noqa: SLF001 - the week of the demo, timed from outside


def timed_week(mill: Mill, clock: ReplayedClock, flights: Flights, k: int) -> run.Ticked:
    """Do a week of the demo, and note what of it was waiting for user code."""
    jobs, spent, turned = mill.world.jobs, [0.0], [0.0]
    run_all = mill.run
    answered[0] = 0.0
    wait = jobs.wait

    def timed_wait(seconds: float) -> None:
        start = time.perf_counter()
        wait(seconds)
        spent[0] += time.perf_counter() - start

    def timed_run() -> list[Plan]:
        start = time.perf_counter()
        plans = run_all()
        turned[0] = time.perf_counter() - start
        return plans

    jobs.wait = timed_wait  # type: ignore[method-assign]
    mill.run = timed_run  # type: ignore[method-assign, assignment]
    try:
        tick = _week(mill, clock, flights, k)
    finally:
        jobs.wait = wait  # type: ignore[method-assign]
        mill.run = run_all  # type: ignore[method-assign]
    waited.append(spent[0])
    orchestrated.append(turned[0] - spent[0])
    taken_in.append(tick.seconds - turned[0] - answered[0])
    if k in (MONTH, weeks):
        idle[k] = idle_turn(mill)
    return tick


def timed_answer(model: object, features: pa.Table) -> Answers:
    """Answer, and note how long the model took: that is not orchestration."""
    start = time.perf_counter()
    said = _answer(model, features)
    answered[0] += time.perf_counter() - start
    return said


def idle_turn(mill: Mill) -> float:
    """Return the median milliseconds of a turn with nothing due."""
    times = []
    for _ in range(IDLE):
        start = time.perf_counter()
        plan = run_once(mill.world, mill.strategy)
        times.append(1000 * (time.perf_counter() - start))
        assert not plan.steps
    return statistics.median(times)


if __name__ == "__main__":
    weeks = int(sys.argv[1]) if len(sys.argv) > 1 else run.YEAR
    run.YEAR = weeks  # type: ignore[misc]
    run.answer = timed_answer  # type: ignore[assignment]
    run._week = timed_week  # noqa: SLF001
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run.run_demo(Path(folder, "demo"))
    total = time.perf_counter() - began
    print(f"{weeks} weeks in {total:.1f} s")
    print(f"waiting for fits and answers: {sum(waited):.1f} s")
    middle, slowest = statistics.median(orchestrated), max(orchestrated)
    print(f"orchestration of a weekly turn: median {middle:.2f} s, slowest {slowest:.2f} s")
    print(f"logging and labelling its week: median {statistics.median(taken_in):.2f} s")
    month, year = idle[MONTH], idle[weeks]
    print(f"idle turn after {MONTH} weeks {month:.1f} ms, after {weeks} weeks {year:.1f} ms:")
    print(f"ratio {year / month:.2f}")

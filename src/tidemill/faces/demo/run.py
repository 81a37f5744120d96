"""``tidemill demo``: a year of flights through the mill, under a replayed clock.

There is no second code path: every week the clock moves on, what was scheduled since is
logged with what the champion says, what has landed is labelled, and the mill turns, on the
same stores as in production.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tidemill.core.clock import ReplayedClock, instant
from tidemill.core.failpoints import failpoint
from tidemill.core.model import answer
from tidemill.core.ports import Json
from tidemill.core.records import MOMENT
from tidemill.core.work import same_features
from tidemill.faces.demo import story
from tidemill.faces.demo.flights import Flights, load
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.project import CONFIG, Mill, create_project, open_project

START = instant("2013-01-01")
WEEK = timedelta(days=7)
YEAR, QUICK = 52, 8
COMPACT_EVERY = 13
"""Weeks between compactions, so that a year of commits stays quick to read."""


@dataclass(frozen=True, kw_only=True)
class Ticked:
    """What one week cost and what became of it."""

    at: datetime
    line: str
    seconds: float


def run_demo(project: Path, *, quick: bool = False, as_json: bool = False) -> int:
    """Run the demo, or go on with it from where it was stopped; returns the exit code."""
    weeks = QUICK if quick else YEAR
    say = Console(stderr=as_json, highlight=False, soft_wrap=True)
    if not (project / CONFIG).exists():
        text = resources.files("tidemill.faces.demo").joinpath("strategy.py").read_text("utf-8")
        # A fixed salt: everybody who runs the demo sees the same year.
        create_project(project, strategy=text, salt="flights-2013")
    flights = load()
    clock = ReplayedClock(START)
    ticks: list[Ticked] = []
    with open_project(project, clock=clock) as mill, _bar(weeks) as advance:
        for k in range(_first(mill), weeks + 1):
            ticks.append(_week(mill, clock, flights, k))
            say.print(ticks[-1].line)
            advance()
        found = story.tell(mill, flights, START, WEEK)
        files = story.paint(found, project / "report")
    found |= {"turns": _costs(ticks), "files": [str(f) for f in files]}
    if as_json:
        print(json.dumps(found, default=str, allow_nan=False))
    else:
        story.show(found, say, project)
    return 0


def _first(mill: Mill) -> int:
    """Return the week to go on with: the one whose turn was the last, which may be unfinished."""
    last = mill.world.state.fact("last_turn")
    return 1 if last is None else max(1, int((datetime.fromisoformat(last) - START) / WEEK))


def _week(mill: Mill, clock: ReplayedClock, flights: Flights, k: int) -> Ticked:
    """Let a week go by, and turn."""
    began, now = time.perf_counter(), START + k * WEEK
    clock.move_to(now)
    _serve(mill, flights, now)
    _land(mill, flights, now)
    started = len(mill.world.state.journal())
    plans = mill.run()
    failpoint("demo.week")
    if k % COMPACT_EVERY == 0:
        for table in ("records", "labels", "chosen"):
            mill.world.events.compact(table)
    steps = mill.world.state.journal(after=started)
    seconds = time.perf_counter() - began
    return Ticked(at=now, line=story.line(mill, now, steps, plans), seconds=seconds)


def _serve(mill: Mill, flights: Flights, now: datetime) -> None:
    """The app: whoever was in front answered each flight at its scheduled departure."""
    due = _between(flights.records, "scheduled", now)
    fronts = [f for f in mill.world.state.fronts() if f.at <= now - WEEK + timedelta(seconds=1)]
    columns = Columns(time="scheduled", available_at="scheduled", unit="unit")
    if fronts and fronts[-1].version is not None:
        version = fronts[-1].version
        model, kinds = mill.model(version)
        said = answer(
            model, same_features(due.drop_columns(["record_id", "scheduled", "unit"]), kinds)
        )
        due = due.append_column("score", pa.array(said.score))
        due = due.append_column("output", pa.array(said.output))
        due = due.append_column("model", pa.array([version] * due.num_rows, pa.string()))
        columns = Columns(
            time="scheduled",
            available_at="scheduled",
            unit="unit",
            score="score",
            output="output",
            model="model",
        )
    mill.import_records(due, columns, source="departures")


def _land(mill: Mill, flights: Flights, now: datetime) -> None:
    """The flights that landed since the last turn say whether they were late."""
    landed = _between(flights.outcomes, "landed", now)
    columns = FactColumns(value="late", happened_at="landed", available_at="landed")
    mill.import_labels(landed, columns, source="outcome:landed")


def _between(table: pa.Table, column: str, now: datetime) -> pa.Table:
    start, end = pa.scalar(now - WEEK, MOMENT), pa.scalar(now, MOMENT)
    return table.filter((pc.field(column) > start) & (pc.field(column) <= end))


@contextmanager
def _bar(weeks: int) -> Generator[Callable[[], None], None, None]:
    """Show progress on standard error, on a terminal only."""
    terminal = Console(stderr=True)
    columns = (TextColumn("weeks"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(
        *columns, TimeElapsedColumn(), console=terminal, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("weeks", total=weeks)
        yield lambda: bar.advance(task)


def _costs(ticks: list[Ticked]) -> Json:
    seconds = np.array([t.seconds for t in ticks]) if ticks else np.zeros(1)
    return {
        "n": len(ticks),
        "seconds": round(float(seconds.sum()), 2),
        "median_seconds": round(float(np.median(seconds)), 3),
        "slowest_seconds": round(float(seconds.max()), 3),
    }

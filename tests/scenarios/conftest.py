"""A small mill whose stores are in memory and whose clock is moved by hand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tidemill import AUC, AtLeast, Every, Newest, NoWorseThan, Outcome, Recent, Strategy, Uniform
from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.stores.memory import MemoryBlobs, MemoryEvents, MemoryInbox
from tidemill.adapters.stores.sql import SqlState
from tidemill.adapters.trainers.inline import Inline
from tidemill.core.clock import ReplayedClock
from tidemill.core.ports import World
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.project import arrow
from tidemill.strategy import importing
from tidemill.strategy.check import problems
from tidemill.strategy.storing import Counts
from tidemill.strategy.turn import Plan, settle

START = datetime(2024, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)


class Line:
    """A model that scores by the direction between the means of both classes."""

    classes_ = (0.0, 1.0)

    def __init__(self, names: list[str], slope: np.ndarray, middle: float) -> None:
        self.names, self.slope, self.middle = names, slope, middle

    def predict_proba(self, frame: Any) -> np.ndarray:
        x = np.nan_to_num(frame[self.names].to_numpy(dtype=float))
        p = 1 / (1 + np.exp(-(x @ self.slope - self.middle)))
        return np.column_stack([1 - p, p])

    def predict(self, frame: Any) -> np.ndarray:
        return (self.predict_proba(frame)[:, 1] > 0.5).astype(float)


def learn(dataset: Any, previous: object) -> Line:
    names = [n for n, t in zip(dataset.features.column_names, dataset.features.schema.types,
                               strict=True) if pa.types.is_floating(t)]  # fmt: skip
    x = np.nan_to_num(dataset.to_pandas()[names].to_numpy(dtype=float))
    one = dataset.label == 1
    slope = x[one].mean(axis=0) - x[~one].mean(axis=0)
    middle = float((x[one].mean(axis=0) + x[~one].mean(axis=0)) @ slope / 2)
    return Line(names, slope, middle)


@dataclass
class Small:
    """A mill in memory."""

    strategy: Strategy
    world: World
    clock: ReplayedClock
    counts: list[Counts] = field(default_factory=list)

    def records(self, table: Any, *, source: str = "file", **columns: Any) -> Counts:
        given = Columns(**{"time": "at", **columns})
        done = importing.records(self.world, self.strategy, arrow(table), given, source=source)
        return self._added_up(done)

    def labels(self, table: Any, *, source: str = "truth", kind: str = "outcome",
               name: str = "labels", **columns: Any) -> Counts:  # fmt: skip
        done = importing.facts(self.world, self.strategy, arrow(table), FactColumns(**columns),
                               source=source, name=name, kind=kind)  # fmt: skip
        return self._added_up(done)

    def _added_up(self, counts: Counts) -> Counts:
        parts = (counts.accepted, counts.already, counts.sampled_out, counts.waiting)
        assert sum(parts) + counts.quarantined == counts.seen
        assert sum((counts.reasons or {}).values()) == counts.quarantined
        self.counts.append(counts)
        return counts

    def run(self, **moved: float) -> list[Plan]:
        if moved:
            self.clock.move_to(self.clock.now() + timedelta(**moved))
        return settle(self.world, self.strategy)

    def with_strategy(self, **changes: Any) -> Small:
        self.strategy = replace(self.strategy, **changes)
        return self

    def table(self, name: str) -> pa.Table:
        return self.world.events.snapshot(name).arrow

    def problems(self) -> list[str]:
        return [str(flaw) for flaw in problems(self.world)]


def small_mill(*, salt: str = "s", start: datetime = START, **changes: Any) -> Small:
    rules: dict[str, Any] = {
        "training": learn,
        "curation": Uniform(400, per="7d"),
        "labels": Outcome(final_after="1d"),
        "trigger": Every("7d"),
        "dataset": Recent("30d"),
        "holdout": Newest(at_least=60, days=5),
        "offline": [AtLeast(AUC(), 0.55), NoWorseThan("champion", AUC(), margin=0.1)],
    }
    clock = ReplayedClock(start)
    world = World(
        clock=clock,
        events=MemoryEvents(),
        engine=DuckDBEngine(),
        state=SqlState(None),
        blobs=MemoryBlobs(),
        jobs=Inline(),
        inbox=MemoryInbox(),
        salt=salt,
    )
    return Small(strategy=Strategy(**(rules | changes)), world=world, clock=clock)


def week_of(number: int, *, n: int = 300, seed: int = 0, turn: float = 0.3) -> tuple[Any, Any]:
    """Make a week of records and their labels, which arrive five hours later."""
    rng = np.random.default_rng([seed, number])
    start = START + number * WEEK
    at = [start + timedelta(seconds=float(s)) for s in np.sort(rng.uniform(0, 6.7 * 86_400, n))]
    x, w = rng.normal(size=(2, n))
    angle = turn * number
    p = 1 / (1 + np.exp(-2 * (x * np.cos(angle) + w * np.sin(angle))))
    label = (rng.random(n) < p).astype(float)
    ids = [f"{number}-{k}" for k in range(n)]
    records = pa.table({"record_id": ids, "at": at, "x": x, "w": w})
    done = [a + timedelta(hours=5) for a in at]
    return records, pa.table({"record_id": ids, "label": label, "done": done})


@pytest.fixture
def small() -> Any:
    """Return the maker of small mills."""
    return small_mill


@pytest.fixture
def week() -> Any:
    """Return the maker of weeks."""
    return week_of


@pytest.fixture
def four_weeks(small: Any, week: Any) -> Small:
    """A mill that has turned for four weeks."""
    mill = small()
    for number in range(4):
        records, labels = week(number, n=150)
        mill.clock.move_to(START + (number + 1) * WEEK)
        mill.records(records, available_at="at")
        mill.labels(labels, happened_at="done", available_at="done")
        mill.run()
    return mill

"""Replaying the weeks that were just run comes to the same decisions, on other stores."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.stores.memory import MemoryBlobs, MemoryEvents, MemoryInbox
from tidemill.adapters.stores.sql import SqlState
from tidemill.adapters.trainers.inline import Inline
from tidemill.core.clock import ReplayedClock, instant
from tidemill.core.ports import World
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.project import create_project, open_project
from tidemill.strategy.replay import decisions, replay, turns_of

START, WEEK = instant("2024-01-01"), timedelta(days=7)

STRATEGY = """
import numpy as np
from tidemill import *


class Line:
    classes_ = (0.0, 1.0)

    def fit(self, x, y):
        self.weights = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)[0]
        return self

    def predict_proba(self, frame):
        p = np.clip(np.c_[frame.to_numpy(), np.ones(len(frame))] @ self.weights, 0.01, 0.99)
        return np.c_[1 - p, p]

    def predict(self, frame):
        return (self.predict_proba(frame)[:, 1] > 0.5).astype(float)


def train(dataset, previous):
    return Line().fit(dataset.to_pandas().to_numpy(), dataset.label)


strategy = Strategy(
    training=train,
    log=Rate(0.9),
    curation=Uniform(300, per="7d"),
    labels=Outcome(final_after="1d"),
    trigger=Every("7d"),
    dataset=Recent("21d"),
    holdout=Newest(at_least=50, days=5),
    offline=[AtLeast(AUC(), 0.6), NoWorseThan("champion", AUC(), margin=0.05)],
)
"""


def a_week(k: int) -> tuple[pa.Table, pa.Table]:
    random = np.random.default_rng(k)
    seconds = np.sort(random.uniform(0, WEEK.total_seconds() - 1, 400))
    at = [START + k * WEEK + timedelta(seconds=float(s)) for s in seconds]
    x, y = random.normal(size=(2, 400))
    chance = 1 / (1 + np.exp(-2 * (x * np.cos(k / 2) + y * np.sin(k / 2))))
    ids = [f"{k}-{n}" for n in range(400)]
    records = pa.table({"record_id": ids, "at": at, "x": x, "y": y})
    late = [t + timedelta(hours=5) for t in at]
    truth = (random.random(400) < chance).astype(float)
    return records, pa.table({"record_id": ids, "label": truth, "known": late})


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    folder = create_project(tmp_path_factory.mktemp("lived") / "p", strategy=STRATEGY, salt="s")
    clock = ReplayedClock(START)
    with open_project(folder, clock=clock) as mill:
        pending = []
        for k in range(5):
            now = START + (k + 1) * WEEK
            clock.move_to(now)
            records, labels = a_week(k)
            mill.import_records(records, Columns(time="at", available_at="at"), source="app")
            pending.append(labels)
            known = pa.concat_tables(pending)
            here = pa.compute.less_equal(known["known"], pa.scalar(now, known["known"].type))
            columns = FactColumns(happened_at="known", available_at="known")
            mill.import_labels(known.filter(here), columns, source="outcome:x")
            pending = [known.filter(pa.compute.invert(here))]
            mill.run()
        yield mill


def in_memory(salt: str):
    def make(clock: ReplayedClock) -> World:
        return World(
            clock=clock,
            events=MemoryEvents(),
            engine=DuckDBEngine(),
            state=SqlState(None),
            blobs=MemoryBlobs(),
            jobs=Inline(),
            inbox=MemoryInbox(),
            salt=salt,
        )

    return make


def test_the_lived_weeks_held_something_to_decide(lived):
    targets = {row.target for row in lived.world.state.journal()}
    assert {"chosen", "live"} <= targets
    assert len(turns_of(lived.world)) == 5


def test_replaying_the_weeks_just_run_decides_the_same(lived):
    again = replay(lived.world, lived.strategy, in_memory(lived.world.salt))
    assert decisions(again.world) == decisions(lived.world)
    again.world.close()


def test_another_strategy_decides_otherwise_on_the_same_history(lived):
    from dataclasses import replace

    from tidemill import Every

    monthly = replace(lived.strategy, trigger=Every("28d"))
    again = replay(lived.world, monthly, in_memory(lived.world.salt), at=turns_of(lived.world))
    ours, theirs = (
        sum(key.startswith("release") for key in decisions(w)) for w in (again.world, lived.world)
    )
    assert ours < theirs
    again.world.close()

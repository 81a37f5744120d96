"""The quick replay in columns decides what the real mill decides, and what a lived one did."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tidemill import Newest, NoWorseThan, Outcome, Uniform
from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.stores.memory import MemoryBlobs, MemoryEvents, MemoryInbox
from tidemill.adapters.stores.sql import SqlState
from tidemill.adapters.trainers.inline import Inline
from tidemill.adapters.trainers.shared import Work
from tidemill.core.clock import ReplayedClock
from tidemill.core.ports import World
from tidemill.loop.datasets import Latest
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.loop.offline import AtLeast
from tidemill.loop.triggers import Every
from tidemill.loop.triggers.volume import Labels, Records
from tidemill.measures import AUC, Accuracy
from tidemill.project import create_project, open_project
from tidemill.strategy.backtest.answers import Steps
from tidemill.strategy.backtest.given import of_project
from tidemill.strategy.backtest.simulate import simulate
from tidemill.strategy.backtest.worlds import Bench
from tidemill.strategy.replay import decisions, replay, turns_of

sys.path.insert(0, str(Path(__file__).parent))

import backtest_worlds as tiny


def real(clock: ReplayedClock, *, salt: str = "s") -> World:
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


def stored(history: Any) -> World:
    """Return a real world that holds a history."""
    world = real(ReplayedClock(tiny.START))
    for name in ("records", "labels"):
        world.events.append(name, history.tables[name], writer="app", sequence=1)
    return world


def late(seed: int) -> Any:
    """A world whose records come late and whose labels come later, out of order."""
    rng = np.random.default_rng(seed)
    at = tiny.spread(8, 60, rng)
    x, w = rng.normal(size=(2, at.size))
    label = (x + 0.5 * rng.normal(size=at.size) > 0).astype(float)
    label[rng.random(at.size) < 0.1] = np.nan
    hour = 3_600_000_000
    return tiny.history_of(
        at,
        {"f_x": x, "f_w": w},
        label,
        delay=rng.integers(0, 200 * hour, at.size),
        arrives=rng.integers(0, 30 * hour, at.size),
    )


GATED: dict[str, Any] = {
    "holdout": Newest(at_least=20, days=4),
    "offline": [AtLeast(Accuracy(), 0.55), NoWorseThan("champion", AUC(), margin=0.02)],
}
ASKED = {
    "gates": {"labels": Outcome(final_after="2d"), **GATED},
    "few labels": {"curation": Uniform(25, per="3d"), "trigger": Labels(40), **GATED},
    "absent": {
        "trigger": Records(90),
        "labels": Outcome(final_after="9d", absent=0),
        "dataset": Latest(150),
    },
}


@pytest.mark.parametrize("name", ASKED)
def test_the_replay_in_columns_decides_as_the_real_mill_does(name):
    history = late(sorted(ASKED).index(name))
    strategy = tiny.strategy_of(**{"trigger": Every("7d"), **ASKED[name]})
    moments = [tiny.START + k * timedelta(days=6) for k in range(2, 10)]
    world = stored(history)
    again = replay(world, strategy, real, at=moments[:-1])
    ours = tiny.driven(
        history, strategy, at=moments, look=lambda runs, bench: decisions(runs[0].world)
    )
    assert ours == decisions(again.world)
    assert sum(key.startswith("release") for key in ours) > 2
    again.world.close()


STRATEGY = """
import numpy as np
from tidemill import *
from tidemill.loop.triggers import AnyOf, Below, Cusum


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


def train(dataset, _previous):
    return Line().fit(dataset.to_pandas().to_numpy(), dataset.label)


strategy = Strategy(
    training=train,
    log=Rate(0.9),
    curation=Uniform(150, per="7d"),
    labels=Outcome(final_after="1d"),
    trigger={trigger},
    dataset=Recent("14d"),
    holdout=Newest(at_least=40, days=5),
    offline=[AtLeast(AUC(), 0.6), NoWorseThan("champion", AUC(), margin=0.05)],
)
"""
TRIGGER = "AnyOf(Cusum(Accuracy(), reference=3, threshold=2.0), Below(AUC(), 0.85, windows=3))"


def a_week(k: int, rng: np.random.Generator) -> tuple[pa.Table, pa.Table]:
    n = 220
    seconds = np.sort(rng.uniform(0, 7 * 86_400 - 1, n))
    at = [tiny.START + k * tiny.WEEK + timedelta(seconds=float(s)) for s in seconds]
    x, y = rng.normal(size=(2, n))
    turn = 0.0 if k < 3 else 1.2
    label = (x * np.cos(turn) + y * np.sin(turn) + 0.4 * rng.normal(size=n) > 0).astype(float)
    ids = [f"{k}-{j}" for j in range(n)]
    known = [t + timedelta(hours=float(h)) for t, h in zip(at, rng.uniform(1, 60, n), strict=True)]
    records = pa.table({"record_id": ids, "at": at, "x": x, "y": y})
    return records, pa.table({"record_id": ids, "label": label, "known": known})


def live(folder: Path, weeks: int) -> Any:
    """Live through some weeks: the champion answers each record, and the mill turns weekly."""
    text = STRATEGY.replace("{trigger}", TRIGGER)
    made = create_project(folder / "p", strategy=text, salt="s")
    clock, rng, pending = ReplayedClock(tiny.START), np.random.default_rng(3), []
    mill = open_project(made, clock=clock)
    for k in range(weeks):
        records, labels = a_week(k, rng)
        now = tiny.START + (k + 1) * tiny.WEEK
        front = mill.world.state.front()
        named = Columns(time="at", available_at="at")
        if front is not None:
            version, said = mill.ask(records.select(["x", "y"]))
            assert version == front.version
            records = records.append_column("said", pa.array(said.output))
            records = records.append_column("score", pa.array(said.score))
            named = Columns(time="at", available_at="at", output="said", score="score",
                            features=["x", "y"])  # fmt: skip
        clock.move_to(now)
        mill.import_records(records, named, source="app")
        pending.append(labels)
        known = pa.concat_tables(pending)
        here = np.array([t <= now for t in known["known"].to_pylist()])
        columns = FactColumns(happened_at="known", available_at="known")
        mill.import_labels(known.filter(pa.array(here)), columns, source="outcome:x")
        pending = [known.filter(pa.array(~here))]
        mill.run()
    return mill


@pytest.fixture(scope="module")
def mill(tmp_path_factory):
    one = live(tmp_path_factory.mktemp("lived"), 7)
    yield one
    one.close()


def test_replaying_what_was_lived_gives_the_same_retrains_gates_and_fronts(mill):
    lived, moments = mill.world, turns_of(mill.world)
    given = of_project(lived, title="p")
    steps = Steps([*moments, moments[-1] + tiny.WEEK], given.history.at)
    bench = Bench(given.history, steps, Work(), latency=timedelta(0), salt=lived.salt)
    run = bench.run("same", mill.strategy)
    simulate([run], moments)
    ours, theirs = decisions(run.world), decisions(lived)
    assert ours == theirs
    states = [m.state for m in lived.state.machines("release")]
    assert states.count("retired") + states.count("live") > 1
    assert len(states) < len(moments) - 1
    assert fronts(run.world) == fronts(lived)
    assert gates(run.world) == gates(lived)
    bench.close()


def fronts(world: World) -> list[tuple[Any, ...]]:
    return [(f.version, f.at.replace(microsecond=0)) for f in world.state.fronts()]


def gates(world: World) -> list[tuple[Any, ...]]:
    return [
        (m.id, m.state, m.payload.get("verdict"), m.payload.get("why"))
        for m in world.state.machines("release")
    ]


def test_a_history_of_a_project_holds_what_it_logged(mill):
    given = of_project(mill.world, title="p", until=datetime(2024, 1, 22, tzinfo=UTC))
    kept = 3 * 220
    assert 0.8 * kept < len(given.history) < kept
    assert given.task == "binary"
    assert {n for n, _ in given.features} == {"x", "y"}
    assert given.chosen is not None
    assert not given.answered

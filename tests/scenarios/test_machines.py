"""Several machines turn one mill: state on PostgreSQL, tables and models where all see them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tidemill.core.as_of import as_of
from tidemill.core.clock import ReplayedClock, instant
from tidemill.project import create_project
from tidemill.strategy.turn import run_once

START = instant("2024-01-01")

STRATEGY = """
import numpy as np

from tidemill import AUC, AtLeast, Every, Newest, Outcome, Recent, Strategy, Uniform


class Line:
    classes_ = (0.0, 1.0)

    def __init__(self, slope):
        self.slope = slope

    def predict_proba(self, frame):
        p = 1 / (1 + np.exp(-self.slope * frame["x"].to_numpy(dtype=float)))
        return np.column_stack([1 - p, p])

    def predict(self, frame):
        return (frame["x"].to_numpy(dtype=float) * self.slope > 0).astype(float)


def train(dataset, previous):
    x = dataset.to_pandas()["x"].to_numpy(dtype=float)
    return Line(float(x[dataset.label == 1].mean() - x[dataset.label == 0].mean()))


strategy = Strategy(
    curation=Uniform(200, per="1d"),
    labels=Outcome(final_after="0s"),
    trigger=Every("1d"),
    dataset=Recent("30d"),
    holdout=Newest(at_least=30, days=5),
    training=train,
    offline=[AtLeast(AUC(), 0.55)],
    signing="auto",
)
"""

MACHINE = """
import json, sys, time
from datetime import datetime, timedelta
import numpy as np, pyarrow as pa
from tidemill.core.clock import ReplayedClock
from tidemill.core.errors import Busy
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.project.opening import open_project
from tidemill.strategy.decided import digest
from tidemill.strategy.check import problems

folder, start = sys.argv[1], datetime.fromisoformat(sys.argv[2])
clock = ReplayedClock(start)
mill = open_project(folder, clock=clock)

def until_free(work):
    busy = 0
    while True:
        try:
            return work(), busy
        except Busy:
            busy += 1
            time.sleep(0.01)

def bring(k):
    rng = np.random.default_rng(k)
    now = start + (k + 1) * timedelta(days=7)
    at = [now - timedelta(hours=2) * (n + 1) for n in range(80)]
    x = rng.normal(size=80)
    label = (rng.random(80) < 1 / (1 + np.exp(-3 * x))).astype(float)
    ids = [f"r{k}-{n}" for n in range(80)]
    records = pa.table({"record_id": ids, "at": at, "x": x})
    until_free(lambda: mill.import_records(records, Columns(time="at"), source="log"))
    labels = pa.table({"record_id": ids, "label": label})
    until_free(lambda: mill.import_labels(labels, FactColumns(), source="outcome"))

print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    what, *more = json.loads(line)
    said = None
    if what == "at":
        clock.move_to(datetime.fromisoformat(more[0]))
    elif what == "bring":
        bring(*more)
    elif what == "log":
        mill.log({"x": 0.5}, record_id=more[0], time=start)
        mill.label(more[0], 1.0)
    elif what == "run":
        said = until_free(mill.run)[1]
    elif what == "hold":
        held = mill.world.state.lease("test")
        held.__enter__()
    elif what == "let go":
        held.__exit__(None, None, None)
    elif what == "try":
        try:
            mill.run()
        except Busy as error:
            said = str(error)
    elif what == "look":
        front = mill.world.state.front()
        said = [list(map(str, problems(mill.world))), digest(mill.world),
                front and front.version, len(mill.world.state.rows("jobs")),
                [str(r) for r in mill.world.state.journal()]]
    print(json.dumps(said), flush=True)
mill.world.close()
"""


class Machine:
    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", MACHINE, str(folder), START.isoformat()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
        self.hear()

    def say(self, *what: Any) -> None:
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        return json.loads(self.process.stdout.readline())

    def do(self, *what: Any) -> Any:
        self.say(*what)
        return self.hear()

    def close(self) -> None:
        self.process.communicate(timeout=30)


def live(machines: list[Machine], *, logged: int) -> list[Any]:
    """Live two weeks: one machine brings what came in and logs, then all turn at once."""
    for k in range(2):
        now = START + (k + 1) * timedelta(days=7)
        for machine in machines:
            machine.do("at", now.isoformat())
        first = machines[k % len(machines)]
        first.do("bring", k)
        for n in range(logged):
            first.do("log", f"live-{k}-{n}")
        first.do("run")
        for machine in machines:
            machine.do("at", (now + timedelta(days=2)).isoformat())
        for machine in machines:
            machine.say("run")
        for machine in machines:
            machine.hear()
    return machines[-1].do("look")


def test_two_machines_come_to_what_one_comes_to(postgres: Any, tmp_path: Path) -> None:
    create_project(tmp_path / "alone", strategy=STRATEGY, salt="two machines")
    for name in ("one", "other"):  # the second machine has a copy of both files
        create_project(tmp_path / name, strategy=STRATEGY, salt="two machines",
                       state=postgres.url, events=str(tmp_path / "shared"))  # fmt: skip
    alone = Machine(tmp_path / "alone")
    one, other = (Machine(tmp_path / name) for name in ("one", "other"))
    wanted = live([alone], logged=4)
    found = live([one, other], logged=4)
    one.do("hold")
    assert "is changing this project. Fix: wait" in other.do("try")
    one.do("let go")
    for machine in (alone, one, other):
        machine.close()
    assert wanted[0] == found[0] == []
    assert found[1:3] == wanted[1:3], (found[4], wanted[4])
    assert found[2].startswith("v")
    # Each job was started once, on one of the two.
    assert found[3] == len({p.parent.name for p in tmp_path.glob("o*/jobs/*/log.txt")}) > 0
    assert not list(tmp_path.glob("o*/events")) + list(tmp_path.glob("o*/state.db"))


def test_a_machine_whose_clock_is_behind_never_goes_behind_the_last_turn(small: Any) -> None:
    mill = small()
    mill.clock.move_to(START + timedelta(days=8))
    behind = replace(mill.world, clock=ReplayedClock(mill.clock.now() - timedelta(hours=1)))
    mill.records({"record_id": ["first"], "at": [START], "x": [1.0]})
    run_once(mill.world, mill.strategy)
    turned = datetime.fromisoformat(mill.world.state.fact("last_turn"))
    seen = as_of(mill.world, turned).arrow(as_of(mill.world, turned).records()).num_rows

    mill.world, ahead = behind, mill.world
    mill.records({"record_id": ["late"], "at": [START], "x": [1.0]})
    plan = run_once(behind, mill.strategy)
    assert plan.now > turned
    assert datetime.fromisoformat(behind.state.fact("last_turn")) >= turned
    mill.records({"record_id": ["later"], "at": [START], "x": [1.0]})
    arrived = dict(zip(*mill.table("records").select(["record_id", "available_at"]).to_pydict()
                       .values(), strict=True))  # fmt: skip
    assert arrived["late"] > turned
    assert arrived["later"] > plan.now
    view = as_of(ahead, turned)
    assert view.arrow(view.records()).num_rows == seen == 1


def test_a_job_that_runs_on_another_machine_is_left_alone_until_its_time_is_over(
    small: Any,
) -> None:
    from tidemill.adapters.trainers.inline import Inline
    from tidemill.adapters.trainers.placed import PlacedJobs
    from tidemill.core.ports import Job

    state, clock = small().world.state, ReplayedClock(START)
    here, there = (PlacedJobs(Inline(), state, name, clock=clock) for name in ("here", "there"))
    job = Job(id="v1-label", kind="label", work=lambda rows: rows, table=pa.table({"x": [1.0]}),
              seconds=60)  # fmt: skip
    here.start(job)
    assert here.poll(job.id) is not None
    assert there.poll(job.id) is None
    there.start(job)
    assert len(state.rows("jobs")) == 1
    clock.move_to(START + timedelta(seconds=121))
    assert there.poll(job.id).facts["lost"]
    there.start(job)
    assert [row["place"] for row in state.rows("jobs")] == ["here", "there"]


@pytest.fixture(autouse=True)
def _clean(postgres: Any) -> Any:
    yield
    for (name,) in postgres.ask("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tidemill%'"):
        postgres.ask(f"DROP SCHEMA {name} CASCADE")

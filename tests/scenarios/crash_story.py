"""The story that crash tests kill: weeks of a small mill on real stores, told in steps.

Each step is what a real service does and would do again after a kill: it imports the same
file, logs the same ids, asks for the same signature. A file beside the project says how many
steps are done, so a new process goes on with the step during which the last one died.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.adapters.spool.frames import framed
from tidemill.adapters.spool.logger import Logger
from tidemill.adapters.spool.shipping import Shipper
from tidemill.adapters.spool.writer import Writer
from tidemill.adapters.stores.files import write_whole
from tidemill.core.clock import ReplayedClock, instant
from tidemill.core.errors import Busy, NotAllowed
from tidemill.core.machines import RELEASE
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.measures.edge import EdgeProfile
from tidemill.measures.grid import Grid
from tidemill.project import CONFIG, STRATEGY, Mill, create_project, open_project
from tidemill.strategy import erasing, front, signing, worth
from tidemill.strategy.check import problems
from tidemill.strategy.decided import digest
from tidemill.strategy.watching import telling

START = instant("2024-01-01")
PERIOD = timedelta(days=4)
ROWS = 90
TABLES = ("records", "labels", "chosen")

OUTCOMES = """
import time
from pathlib import Path

from sklearn.linear_model import LogisticRegression
from tidemill import AUC, AtLeast, Every, Newest, NoWorseThan, Outcome, Recent, Strategy, Uniform

class Scaled:
    classes_ = (0.0, 1.0)
    def __init__(self, model, x, w):
        self.model, self.x, self.w = model, x, w
    def predict(self, features):
        return (self.predict_proba(features)[:, 1] > 0.5).astype(float)
    def predict_proba(self, features):
        scaled = features[["x", "w"]] * [self.x, self.w]
        return self.model.predict_proba(scaled)

def train(dataset, previous):
    period = int(dataset.to_pandas()["period"].max())
    if (Path(PROJECT) / "slow").exists():
        (Path(PROJECT) / "fits").open("a").write("fit\\n")
        time.sleep(1.5)
    if period == 1:
        raise ValueError("nothing can be learnt from the second period")
    model = LogisticRegression().fit(dataset.to_pandas()[["x", "w"]], dataset.label)
    if period == 3:
        return Scaled(model, -1, -1)
    return Scaled(model, 1, 4.5 if period in (4, 5) else 1)

strategy = Strategy(
    curation=Uniform(80, per="4d"),
    labels=Outcome(final_after="0s"),
    trigger=Every("4d"),
    dataset=Recent("20d"),
    training=train,
    holdout=Newest(at_least=20, days=5),
    offline=[AtLeast(AUC(), 0.6), NoWorseThan("champion", AUC(), margin=0.1)],
    signing=SIGNING,
    deadline="3d",
)
"""

LABELLER = """
import numpy as np
from sklearn.linear_model import LogisticRegression
from tidemill import (
    AUC, AtLeast, Automatic, Every, InRange, Monitoring, Newest, Recent, Strategy, Uniform,
)

def ask(features):
    if features["period"].max() == 1:
        raise ValueError("out of credit")
    return (features["x"] + features["w"] > 0).astype(float)

strategy = Strategy(
    curation=Uniform(40, per="2d"),
    labels=Automatic(ask, name="sum", price=0.01),
    trigger=Every("4d"),
    dataset=Recent("20d"),
    training=LogisticRegression(),
    holdout=Newest(at_least=20, days=5),
    offline=[AtLeast(AUC(), 0.6)],
    metrics=[AUC()],
    monitoring=Monitoring(signals=[InRange("x", low=-1, high=9, at_most=0.01)], routes=["told"]),
)
"""


@dataclass(kw_only=True)
class Tale:
    """Where a story is told: its project, its clock, the mill while it is open."""

    root: Path
    plot: str
    clock: ReplayedClock
    open: Mill | None = None

    @property
    def project(self) -> Path:
        return self.root / "project"

    @property
    def mill(self) -> Mill:
        if self.open is None:
            self.open = open_project(self.project, clock=self.clock)
        return self.open

    def close(self) -> None:
        if self.open is not None:
            self.open.close()
            self.open = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """What happens at a moment; done again from its start after a kill."""

    name: str
    at: datetime
    act: Callable[[Tale], None]


def steps(plot: str) -> list[Step]:
    """Return a story in order."""
    return outcomes() if plot == "outcomes" else labeller()


def outcomes() -> list[Step]:
    """Eight candidates: live, failed, rolled back, refused, superseded, signed, expired."""
    told = [Step(name="create", at=START, act=_create)]
    for k in range(8):
        come, now = START + k * PERIOD + timedelta(hours=1), START + (k + 1) * PERIOD
        if k == 6:
            told.append(Step(name="people sign", at=come, act=_people_sign))
        told.append(Step(name=f"arrive {k}", at=come, act=_arrive(k)))
        told.append(Step(name=f"run {k}", at=now, act=_run))
        later = now + timedelta(minutes=30)
        if k == 0:
            told.append(Step(name="serve", at=later, act=_serve))
            told.append(Step(name="take in", at=later, act=_run))
            told.append(Step(name="serve many", at=later, act=_serve_many))
            told.append(Step(name="take in many", at=later, act=_run))
        if k == 2:
            told.append(Step(name="roll back", at=later, act=_roll_back))
            told.append(Step(name="compact", at=later, act=_compact))
        if k == 5:
            told.append(Step(name="approve", at=later, act=_sign("v6", "approve")))
            told.append(Step(name="run approved", at=later, act=_run))
        if k == 7:
            told.append(Step(name="reject", at=later, act=_sign("v8", "reject")))
            told.append(Step(name="run rejected", at=later, act=_run))
            told.append(Step(name="erase", at=later, act=_erase))
            told.append(Step(name="run after", at=later, act=_run))
    return told


def labeller() -> list[Step]:
    """Windows that a function labels; it fails on one of them."""
    told = [Step(name="create", at=START, act=_create)]
    for k in range(2):
        now = START + (k + 1) * PERIOD
        told.append(Step(name=f"arrive {k}", at=now, act=_arrive_spread(k)))
        told.append(Step(name=f"run {k}", at=now, act=_run))
    told.append(Step(name="silence", at=now, act=_silence))
    told.append(Step(name="close", at=now, act=_close))
    told.append(Step(name="keep a backtest", at=now, act=_keep_backtest))
    told.append(Step(name="import from the edge", at=now, act=_import_profiles))
    later = START + 2 * PERIOD + timedelta(days=1)
    told.append(Step(name="ask", at=later, act=lambda tale: tale.mill.retrain("ada")))
    told.append(Step(name="run asked", at=later, act=_run))
    return told


def _create(tale: Tale) -> None:
    if not (tale.project / CONFIG).exists():
        create_project(tale.project, strategy=_strategy(tale), salt="crash")
        with (tale.project / CONFIG).open("a") as config:
            config.write('\n[channels]\ntold = "file:told.jsonl"\n')
    _ = tale.mill.world  # opened for the first time


def _strategy(tale: Tale, signing: str = "auto") -> str:
    text = OUTCOMES if tale.plot == "outcomes" else LABELLER
    return text.replace("SIGNING", repr(signing)).replace("PROJECT", repr(str(tale.project)))


def _people_sign(tale: Tale) -> None:
    tale.close()
    part = tale.project / "strategy.part"
    part.write_text(_strategy(tale, "approve"))
    part.replace(tale.project / STRATEGY)


def _silence(tale: Tale) -> None:
    until = tale.clock.now() + timedelta(days=1)
    telling.silence(tale.mill.world, "i1", until=until, who="ada")


def _close(tale: Tale) -> None:
    try:
        telling.close(tale.mill.world, "i1", who="ada", why="known")
    except NotAllowed:  # it was closed before the kill
        return


def _keep_backtest(tale: Tale) -> None:
    document: dict[str, Any] = {
        "strategies": [{"name": "own", "kind": "asked", "hash": "h"}],
        "retraining": [],
        "history": {"scored_from": None, "scored_to": None, "step": "4d", "steps": 2},
        "metric": {"words": "AUC"},
        "conclusion": ["Nothing could be scored."],
    }
    worth.keep(tale.mill.world, tale.mill.strategy, document)


def _import_profiles(tale: Tale) -> None:
    grids = {**tale.mill.profile().grids, "tokens": Grid(0.0, 1.0)}
    start, files = START + 2 * PERIOD - timedelta(days=1), []
    for n in range(2):
        edge = EdgeProfile(grids, writer="api", sequence=n + 1)
        edge.add_batch({name: [0.1 * k for k in range(40)] for name in grids})
        made = edge.to_profile(start=start, end=start + timedelta(days=1))
        files.append(tale.root / f"api-{n}.profile")
        files[-1].write_bytes(made.to_bytes())
    tale.mill.import_profiles(files[:1])
    tale.mill.import_profiles(files)


def _rows(k: int, at: list[datetime]) -> tuple[pa.Table, np.ndarray]:
    rng = np.random.default_rng(k)
    x, w = rng.normal(size=(2, len(at)))
    label = (rng.random(len(at)) < 1 / (1 + np.exp(-3 * x - w))).astype(float)
    ids = [f"r{k}-{n}" for n in range(len(at))]
    period = np.full(len(at), float(k))
    return pa.table({"record_id": ids, "at": at, "x": x, "w": w, "period": period}), label


def _arrive(k: int) -> Callable[[Tale], None]:
    def act(tale: Tale) -> None:
        now = tale.clock.now()
        # Served over the twelve days before; the log is handed over now.
        at = [now - timedelta(hours=3.2) * (n + 1) for n in range(ROWS)]
        rows, label = _rows(k, at)
        if tale.mill.world.state.front() is not None:
            version, said = tale.mill.ask(rows.select(["x", "w", "period"]))
            rows = rows.append_column("score", pa.array(said.score))
            rows = rows.append_column("model", pa.array([version] * ROWS))
        names = {n: n for n in ("score", "model") if n in rows.column_names}
        bad = rows.slice(0, 1).set_column(0, "record_id", pa.array([""]))
        tale.mill.import_records(
            pa.concat_tables([rows, bad]), Columns(time="at", **names), source="log"
        )
        ids = [*rows["record_id"].to_pylist(), f"r{k + 1}-0", f"live-{k}"]
        labels = pa.table({"record_id": ids, "label": [*label.tolist(), 1.0, 1.0]})
        tale.mill.import_labels(labels, FactColumns(), source="outcome")

    return act


def _arrive_spread(k: int) -> Callable[[Tale], None]:
    def act(tale: Tale) -> None:
        now = tale.clock.now()
        at = [now - timedelta(hours=3.2) * (n + 1) for n in range(95)]
        rows, _ = _rows(k, at)
        if k == 0:  # a calm first look
            rows = rows.set_column(2, "x", pc.max_element_wise(rows["x"], -0.9))
        period = [float(k if n < 47 else 0) for n in range(95)]
        rows = rows.set_column(4, "period", pa.array(period))
        came = [now - timedelta(hours=1) * (n + 1) for n in range(95)]
        rows = rows.append_column("came", pa.array(came))
        tale.mill.import_records(rows, Columns(time="at", available_at="came"), source="log")

    return act


def _serve(tale: Tale) -> None:
    for n in range(4):
        tale.mill.predict({"x": 0.1 * n, "w": 1.0, "period": 0.0}, record_id=f"live-{n}", unit="u")
    tale.mill.feedback("live-0", 1, kind="thumb")
    tale.mill.feedback("many-0", 1, kind="thumb")
    tale.mill.feedback("never", 1, kind="thumb")
    tale.mill.label("live-1", 1)
    tale.mill.label("many-1", 0)
    service = Logger(tale.project)
    service.close()
    service.log({"x": 0.0})  # too late: it is counted as lost
    _ship(tale)


def _ship(tale: Tale) -> None:
    """Hand over from elsewhere, through a place that is the mill's own folder here."""
    writer = Writer(tale.root / "pod" / "spool")
    said = ("live-2", 1, "shipped", tale.clock.now().isoformat())
    writer.write(*framed(2, said))
    Shipper(writer, Landing(tale.project), every=60.0, warn=_never).close()


def _never(what: str, error: Exception | None) -> None:
    raise AssertionError(what) from error


@dataclass(frozen=True)
class Landing:
    """Objects that are files of a folder, each written whole."""

    folder: Path

    def put(self, name: str, data: bytes) -> None:
        write_whole(self.folder / name, data)

    def get(self, name: str) -> bytes | None:
        raise NotImplementedError(name)

    delete = names = get


def _serve_many(tale: Tale) -> None:
    many = pa.table({"x": [0.5, 0.6, 0.7], "w": [0.0] * 3, "period": [0.0] * 3})
    tale.mill.log(many, output=[1.0, 0.0, 1.0], record_id=[f"many-{n}" for n in range(3)])


def _run(tale: Tale) -> None:
    while True:
        try:
            tale.mill.run()
        except Busy:  # another process is at it; cron would come again
            time.sleep(0.02)
        else:
            return


def _roll_back(tale: Tale) -> None:
    try:
        front.rollback(tale.mill.world, who="ada", why="too many complaints", version="v3")
    except NotAllowed:  # it was rolled back before the kill
        return


def _compact(tale: Tale) -> None:
    for table in TABLES:
        tale.mill.world.events.compact(table)


def _erase(tale: Tale) -> None:
    erasing.erase(tale.mill.world, erasing.Whose(unit="u"), who="ada")


def _sign(version: str, decision: str) -> Callable[[Tale], None]:
    def act(tale: Tale) -> None:
        state = tale.mill.world.state
        machine = state.machine(RELEASE, version)
        if machine is not None and machine.state in ("inconclusive", "awaiting"):
            at = tale.clock.now().isoformat()
            signing.sign(state, version, decision=decision, who="ada", why="seen", at=at)

    return act


def told(root: Path) -> int:
    """Return how many steps are done."""
    path = root / "told"
    return int(path.read_text()) if path.exists() else 0


def tell(root: Path, plot: str, *, upto: int | None = None) -> Tale:
    """Go on with a story, to its end or until ``upto`` steps are done."""
    story = steps(plot)
    first = told(root)
    tale = Tale(root=root, plot=plot, clock=ReplayedClock(START))
    for k, step in enumerate(story[:upto]):
        if k < first:
            continue
        tale.clock.move_to(step.at)
        _mark(k)
        step.act(tale)
        part = root / "told.part"
        part.write_text(str(k + 1))
        part.replace(root / "told")
    tale.clock.move_to(max(tale.clock.at, story[(upto or len(story)) - 1].at))
    return tale


def _mark(k: int) -> None:
    log = os.environ.get("TIDEMILL_FAILPOINT_LOG")
    if log is not None:
        with Path(log).open("a") as file:
            file.write(f"# {k}\n")


def look(tale: Tale) -> dict[str, Any]:
    """Return what must be equal to an undisturbed run, and what must be empty."""
    world = tale.mill.world
    return {"problems": [str(p) for p in problems(world)], "digest": digest(world)}

"""A project whose history is known: what went wrong in it, and when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import ndtr

from tidemill.core.clock import ReplayedClock, instant
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.project import Mill, create_project, open_project

START = instant("2024-01-01")
DAY = timedelta(days=1)

STRATEGY = """
from tidemill import *
from tidemill.loop.training.function import always_the_mean
strategy = Strategy(
    training=always_the_mean, curation=Uniform(100000, per="1d"), labels=Outcome(final_after="36h"),
    trigger=TRIGGER, metrics=[Accuracy()], cohorts=[Cohort("low", lambda r: r.f_x < 0)],
    monitoring=Monitoring(signals=[SIGNALS], usual=14, spans=(1,), routes=["log"], MORE),
)
"""


class Life:
    """Days of a project: what was served, what came of it, and the turns between."""

    def __init__(self, folder: Path, strategy: str, rows: int) -> None:
        self.clock = ReplayedClock(START)
        self.folder = create_project(folder, strategy=strategy, salt="life")
        with (self.folder / "project.toml").open("a") as config:
            config.write('\n[channels]\nlog = "file:told.jsonl"\n')
        self.mill = open_project(self.folder, clock=self.clock)
        self.rng = np.random.default_rng(0)
        self.rows = rows
        self.day = 0
        self.early: list[dict[str, Any]] = []

    def serve(
        self,
        *,
        move: float = 0.0,
        missing: float = 0.0,
        wrong: bool = False,
        labels: bool = True,
        hours: float = 20,
        scored: bool = False,
        wide: float = 1.0,
        flipped: bool = False,
    ) -> pa.Table:
        """Serve a day of records and take it in when it is over; labels came ``hours`` later.

        A score is P(label is 1), and right unless the labels are ``flipped``; the wider the
        rows, the surer the answers.
        """
        n, start = self.rows, START + self.day * DAY
        at = [start + DAY * ((k + 0.5) / n) for k in range(n)]
        x = self.rng.normal(size=n) * wide + move
        label = (x - move + self.rng.normal(size=n) > 0).astype(float)
        said = (x - move > 0).astype(float)
        score = ndtr(x - move)
        label = 1 - label if flipped else label
        gone = self.rng.random(n) < missing
        shown = pa.array(
            [None if g else float(v) for g, v in zip(gone, x, strict=True)], pa.float64()
        )
        table = pa.table(
            {
                "record_id": [f"d{self.day}-{k}" for k in range(n)],
                "at": at,
                "x": shown,
                "c": ["ab"[k % 2] for k in range(n)],
                "output": 1 - said if wrong else said,
                "label": label,
                "came": [t + timedelta(hours=hours) for t in at],
            }
        )
        if scored:
            table = table.append_column("score", [score])
        self.day += 1
        self.clock.move_to(START + self.day * DAY + timedelta(hours=hours))
        given = "score" if scored else None
        columns = Columns(time="at", available_at="at", output="output", score=given)
        self.mill.import_records(table.drop_columns(["label", "came"]), columns, source="log")
        if labels:
            self.label(table)
        return table

    def label(self, table: pa.Table) -> None:
        columns = FactColumns(value="label", happened_at="came", available_at="came")
        self.mill.import_labels(
            table.select(["record_id", "label", "came"]), columns, source="outcome"
        )

    def steps(self) -> list[Any]:
        """Turn, and return what monitoring did."""
        return [s for p in self.mill.run() for s in p.steps if s.stage == "monitoring"]


@pytest.fixture
def live(tmp_path: Path) -> Any:
    """Make a life; it is closed at the end."""
    lives: list[Life] = []

    def make(
        signals: str = "", *, trigger: str = "Manual()", more: str = "", rows: int = 120
    ) -> Life:
        text = STRATEGY.replace("SIGNALS", signals).replace("TRIGGER", trigger)
        lives.append(Life(tmp_path / "mill", text.replace("MORE", more), rows))
        return lives[-1]

    yield make
    for one in lives:
        one.mill.close()


@pytest.fixture(scope="module")
def alternating(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Make a life whose labels are final after nine days, and whose rows are now hard, now easy.

    It turns twice: after day 22, on which the labels are flipped, and when these are final, after
    day 31; on the last four days a third of the values is missing.
    """
    text = STRATEGY.replace("SIGNALS", 'NullRate("x", at_most=0.05)').replace("36h", "9d")
    text = text.replace("TRIGGER", "Manual()").replace("MORE", "")
    life = Life(tmp_path_factory.mktemp("life") / "mill", text, 250)
    for k in range(32):
        wide = 3.0 if k % 2 else 0.6
        life.serve(scored=True, wide=wide, missing=0.3 * (k >= 28), flipped=k == 22)
        if k == 22:
            life.steps()
            life.early = life.mill.signals().to_pylist()
    life.steps()
    yield life
    life.mill.close()


@pytest.fixture
def points() -> Callable[..., dict[str, dict[str, Any]]]:
    """Return the points of a signal by day."""

    def of(mill: Mill, metric: str, **how: Any) -> dict[str, dict[str, Any]]:
        rows = mill.signals(metric, **how).to_pylist()
        return {f"{r['start']:%m-%d}": r for r in rows}

    return of


def day(k: int) -> datetime:
    return START + k * DAY

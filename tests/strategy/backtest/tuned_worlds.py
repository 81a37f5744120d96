"""Worlds whose best cadence is known, for tuning: models that age exactly, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tidemill import Every, Outcome, Strategy, Uniform
from tidemill.adapters.stores.history import History
from tidemill.core.costs import Costs
from tidemill.core.records import LABELS, MOMENT
from tidemill.loop.datasets import Latest, Nothing
from tidemill.loop.offline import Unchecked
from tidemill.measures import Accuracy
from tidemill.strategy.backtest.setting import Given, Setting
from tidemill.testing.data import with_draws

START = datetime(2024, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
Floats = npt.NDArray[np.float64]


def history(at: npt.NDArray[np.int64], features: dict[str, Floats], label: Floats) -> History:
    """Make a history in which every label comes at once; ``at`` in microseconds."""
    n = len(at)
    moments = pa.array(at).cast(MOMENT)
    day = moments.cast(pa.timestamp("us")).cast(pa.date32(), safe=False)
    shared: dict[str, Any] = {
        "record_id": pa.array([f"r{k:06d}" for k in range(n)]),
        "predicted_at": moments,
        "available_at": moments,
        "day": day,
    }
    records = shared | {"p_log": np.ones(n)} | {f"f_{k}": v for k, v in features.items()}
    labels = shared | {
        "happened_at": moments,
        "received_at": moments,
        "label_id": pa.array([f"l{k:06d}" for k in range(n)]),
        "label": label,
        "source_kind": pa.array(["outcome"] * n),
    }
    empty = {f.name: pa.nulls(n, f.type) for f in LABELS if f.name not in labels}
    return History(with_draws(pa.table(records)), pa.table(labels | empty).select(LABELS.names))


def given(made: History, *, task: str = "binary") -> Given:
    names = made.features.column_names
    return Given(
        title="a world", history=made, task=task, features=tuple((n, "number") for n in names)
    )


def times(weeks: int, per_week: int) -> npt.NDArray[np.int64]:
    """Spread records evenly over weeks."""
    gap = (WEEK // per_week) // timedelta(microseconds=1)
    return int(START.timestamp() * 1e6) + gap * np.arange(weeks * per_week)


def strategy(training: Any, dataset: Any, *, price: float, trigger: Any = None) -> Strategy:
    """Make a strategy whose retrains each cost a review, and each error 1."""
    return Strategy(
        training=training,
        curation=Uniform(10**9, per="7d"),
        labels=Outcome(final_after="0s"),
        trigger=trigger or Every("7d"),
        dataset=dataset,
        holdout=Nothing(),
        offline=[Unchecked()],
        signing="approve",
        costs=Costs(error=1.0, review=price),
        metrics=[Accuracy()],
        name="in use",
    )


def setting(weeks_before: int = 2, **more: Any) -> Setting:
    start = START + weeks_before * WEEK
    terms = {"step": "7d", "start": start, "latency": "0s", "metric": Accuracy(), "seeds": 2}
    return Setting(**(terms | more))


# Models that age exactly


@dataclass(frozen=True)
class Ages:
    """Wrong on a share of the rows that grows by ``slope`` a week since it was trained."""

    born: float
    base: float
    slope: float
    luck: bool

    def __call__(self, frame: Any) -> dict[str, Floats]:
        age = np.maximum(0.0, frame["week"].to_numpy() - self.born)
        u = frame["u"].to_numpy()
        if self.luck:  # each model errs on rows of its own
            u = np.modf(np.abs(np.sin(u * 12.9898 + self.born * 78.233)) * 43758.5453)[0]
        wrong = u < self.base + self.slope * age
        y = frame["y"].to_numpy()
        return {"output": np.where(wrong, 1.0 - y, y)}


@dataclass(frozen=True)
class Aging:
    """Trains models that know the truth, and forget it at a known pace."""

    base: float
    slope: float
    luck: bool

    def __call__(self, dataset: Any, _previous: object) -> Ages:
        week = dataset.features["week"].to_numpy()
        return Ages(float(week.max()) + 1.0, self.base, self.slope, self.luck)


def aging_world(
    seed: int, *, weeks: int, per_week: int, slope: float, price: float, noise: bool = False
) -> tuple[Given, Strategy]:
    """Make a world where a model is wrong on ``slope`` more of the rows each week.

    Without noise the counts are exact: ``slope * per_week`` more errors each week. With noise
    each model is wrong on each row by chance.
    """
    rng = np.random.default_rng(seed)
    week = np.repeat(np.arange(float(weeks)), per_week)
    grid = np.tile((np.arange(per_week) + 0.5) / per_week, weeks)
    u = rng.random(week.size) if noise else grid
    y = (rng.random(week.size) < 0.5).astype(float)
    made = history(times(weeks, per_week), {"week": week, "u": u, "y": y}, y)
    base = 0.1 if noise else 0.0
    return given(made), strategy(Aging(base, slope, noise), Latest(per_week), price=price)


def rate(period: int, *, lost: float, price: float) -> float:
    """Return what a calendar costs a week in the long run, beside what every model loses."""
    return price / period + lost * (period - 1) / 2


# Models that learn, in a world that does not change


@dataclass(frozen=True)
class Line:
    """Says 1 where a linear score is above a half."""

    weights: tuple[float, ...]

    def __call__(self, frame: Any) -> dict[str, Floats]:
        x = np.c_[frame.to_numpy(dtype=float), np.ones(len(frame))]
        return {"output": (x @ np.array(self.weights) > 0.5).astype(float)}


def line(dataset: Any, _previous: object) -> Line:
    """Learn by least squares."""
    x = np.column_stack([*(c.to_numpy() for c in dataset.features.columns)])
    x = np.c_[x, np.ones(len(x))]
    return Line(tuple(np.linalg.lstsq(x, dataset.label, rcond=1e-9)[0].tolist()))


def still_world(
    seed: int, *, weeks: int = 14, per_week: int = 40, price: float = 0.5, turn: float = 0.0
) -> tuple[Given, Strategy]:
    """Make a world of two classes and noise; its border turns by ``turn`` radians a week."""
    rng = np.random.default_rng(seed)
    week = np.repeat(np.arange(float(weeks)), per_week)
    x, w = rng.normal(size=(2, week.size))
    truth = x * np.cos(turn * week) + w * np.sin(turn * week) + rng.normal(size=week.size)
    made = history(times(weeks, per_week), {"x": x, "w": w}, (truth > 0).astype(float))
    return given(made), strategy(line, Latest(2 * per_week), price=price)

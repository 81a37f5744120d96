"""Tiny histories, quick learners, and backtests of them that can be looked into."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tidemill import Accuracy, Every, Outcome, Strategy, Uniform
from tidemill.adapters.stores.history import History
from tidemill.adapters.trainers.shared import Work
from tidemill.core.ports import Job
from tidemill.core.records import LABELS, MOMENT
from tidemill.loop.datasets import All, Latest, Nothing
from tidemill.loop.offline import Unchecked
from tidemill.loop.triggers import Once
from tidemill.strategy.backtest.answers import Steps
from tidemill.strategy.backtest.compare import compare
from tidemill.strategy.backtest.run import Backtest
from tidemill.strategy.backtest.setting import Given, Setting
from tidemill.strategy.backtest.simulate import Run, simulate
from tidemill.strategy.backtest.worlds import Bench
from tidemill.testing.data import with_draws

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY, WEEK = timedelta(days=1), timedelta(days=7)
ALL = 10**9
Floats = npt.NDArray[np.float64]


def micro(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def moments(of: npt.NDArray[np.int64]) -> pa.Array:
    return pa.array(of, pa.int64()).cast(MOMENT)


def history_of(
    at: npt.NDArray[np.int64],
    features: dict[str, Any],
    label: npt.NDArray[Any],
    *,
    delay: npt.NDArray[np.int64] | int = 0,
    arrives: npt.NDArray[np.int64] | None = None,
    said: dict[str, Any] | None = None,
    order: npt.NDArray[np.int64] | None = None,
) -> History:
    """Make a history; ``at``, ``delay`` and ``arrives`` are microseconds.

    Parameters
    ----------
    features
        By the names of the table, such as ``f_x`` and ``k_x``.
    label
        Floats, NaN where none ever comes; or texts.
    arrives
        How long each record is on its way; none at all if left out.
    said
        More columns of the records, such as ``model`` and ``score``.
    order
        In which order the rows are handed over.
    """
    n = len(at)
    ids = pa.array([f"r{k:05d}" for k in range(n)])
    seen = at if arrives is None else at + arrives
    day = moments(at).cast(pa.timestamp("us")).cast(pa.date32(), safe=False)
    rows = {
        "record_id": ids,
        "predicted_at": moments(at),
        "available_at": moments(seen),
        "day": day,
        "p_log": np.ones(n),
        **(said or {}),
        **features,
    }
    text = label.dtype.kind in "OU"
    known = np.array([v is not None for v in label]) if text else ~np.isnan(label)
    came = np.maximum(at + delay, seen)
    facts: dict[str, Any] = {
        "record_id": ids,
        "predicted_at": moments(at),
        "available_at": moments(came),
        "day": day,
        "happened_at": moments(at + delay),
        "received_at": moments(came),
        "label_id": pa.array([f"l{k:05d}" for k in range(n)]),
        "label_text" if text else "label": pa.array(label),
        "source_kind": pa.array(["outcome"] * n),
    }
    records = with_draws(pa.table(rows))
    empty = {f.name: pa.nulls(n, f.type) for f in LABELS if f.name not in facts}
    labels = pa.table(facts | empty).select(LABELS.names).filter(pa.array(known))
    if order is not None:
        records = records.take(pa.array(order))
        labels = labels.take(pa.array([k for k in order if k < labels.num_rows]))
    return History(records, labels)


def spread(weeks: int, per_week: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw when records were predicted, in order, after the start."""
    week = np.repeat(np.arange(weeks), per_week)
    inside = rng.uniform(0, micro(WEEK) - 1, week.size)
    return np.sort(int(START.timestamp() * 1e6) + week * micro(WEEK) + inside.astype(np.int64))


def turning(
    seed: int, *, weeks: int = 12, per_week: int = 60, turn: float = 0.0, delay: timedelta = DAY
) -> History:
    """Make a world of two classes whose border turns by ``turn`` radians a week."""
    rng = np.random.default_rng(seed)
    at = spread(weeks, per_week, rng)
    x, w = rng.normal(size=(2, at.size))
    week = (at - at[0]) / micro(WEEK)
    truth = x * np.cos(turn * week) + w * np.sin(turn * week) + 0.5 * rng.normal(size=at.size)
    label = (truth > 0).astype(float)
    return history_of(at, {"f_x": x, "f_w": w}, label, delay=micro(delay))


class Line:
    """A model: a linear score; labels 0 and 1 by its sign, or numbers."""

    def __init__(self, weights: Floats, *, numbers: bool = False) -> None:
        self.weights, self.numbers = weights, numbers

    def __call__(self, frame: Any) -> dict[str, Floats]:
        x = np.nan_to_num(frame.to_numpy(dtype=float))
        said = np.c_[x, np.ones(len(x))] @ self.weights
        if self.numbers:
            return {"output": said}
        p = 1 / (1 + np.exp(-np.clip(4 * (said - 0.5), -30, 30)))
        return {"output": (p > 0.5).astype(float), "score": p}


def _columns(dataset: Any) -> Floats:
    x = np.column_stack([c.to_numpy() for c in dataset.features.columns])
    return np.nan_to_num(np.c_[x, np.ones(len(x))])


def line(dataset: Any, _previous: object) -> Line:
    """Learn a line by weighted least squares; no chance in it."""
    x, root = _columns(dataset), np.sqrt(dataset.weight)[:, None]
    return Line(np.linalg.lstsq(x * root, dataset.label * root[:, 0], rcond=1e-9)[0])


def number(dataset: Any, _previous: object) -> Line:
    """Learn a line that answers numbers."""
    return Line(np.linalg.lstsq(_columns(dataset), dataset.label, rcond=1e-9)[0], numbers=True)


def shaky(dataset: Any, _previous: object) -> Line:
    """Learn a line, and be off by chance, as training with random starts is."""
    model = line(dataset, None)
    # Chance is of the seed and of the rows: with the same seeds in each world, one unlucky
    # set of seeds would be unlucky in all of them.
    rows = zlib.crc32(dataset.features.column(0).combine_chunks().to_numpy().tobytes())
    rng = np.random.default_rng([np.random.randint(2**31), rows])  # noqa: NPY002 - what is seeded
    model.weights = model.weights + 0.15 * rng.normal(size=model.weights.size)
    return model


def given_of(history: History, *, task: str = "binary", **more: Any) -> Given:
    names = history.features.column_names
    return Given(
        title="a tiny history",
        history=history,
        task=task,
        features=tuple((n, "number") for n in names),
        **more,
    )


def strategy_of(name: str = "asked", **changes: Any) -> Strategy:
    """Return a strategy: retrain each week on all labels, no gate, unless told otherwise."""
    rules: dict[str, Any] = {
        "training": line,
        "curation": Uniform(ALL, per="7d"),
        "labels": Outcome(),
        "trigger": Every("7d"),
        "dataset": All(),
        "holdout": Nothing(),
        "offline": [Unchecked()],
    }
    return Strategy(name=name, **(rules | changes))


def setting_of(**changes: Any) -> Setting:
    given: dict[str, Any] = {
        "step": "7d",
        "start": START + 2 * WEEK,
        "metric": Accuracy(),
        "latency": "0s",
        "references": False,
    }
    return Setting(**(given | changes))


@contextmanager
def benched(history: History, at: Sequence[datetime], *, latency: timedelta = timedelta(0),
            work: Work | None = None) -> Any:  # fmt: skip
    """Open a bench on a history, without a report."""
    own = Work() if work is None else work
    bench = Bench(history, Steps(at, history.at), own, latency=latency, salt="s")
    try:
        yield bench
    finally:
        bench.close()


def weekly(history: History, *, first: int = 2) -> list[datetime]:
    """Return the borders of the weeks of a history from some week on."""
    weeks = int((history.at[-1] - int(START.timestamp() * 1e6)) // micro(WEEK)) + 1
    return [START + k * WEEK for k in range(first, weeks + 1)]


def driven(
    history: History,
    *strategies: Strategy,
    at: Sequence[datetime] | None = None,
    latency: timedelta = timedelta(0),
    look: Callable[[list[Run], Bench], Any],
) -> Any:
    """Replay strategies and look at their runs before the bench is closed."""
    when = weekly(history) if at is None else list(at)
    with benched(history, when, latency=latency) as bench:
        runs = [bench.run(s.name, s) for s in strategies]
        simulate(runs, when[:-1], until=when[-1])
        return look(runs, bench)


class Counting(Work):
    """Work that remembers what it was asked to do, and what it really did."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.did: list[tuple[str, str]] = []

    def _do_here(self, key: str, job: Job) -> None:
        self.did.append((job.kind, key))
        super()._do_here(key, job)


class Open(Backtest):
    """A backtest whose rows, terms and runs can be looked at after it has run."""

    def _runs(self, strategy: Strategy, seeds: Sequence[int]) -> list[Run]:
        runs = super()._runs(strategy, seeds)
        self.kept = {**getattr(self, "kept", {}), strategy.name: runs}
        return runs

    def _rows(self) -> Any:
        self.rows, self.terms = super()._rows()
        return self.rows, self.terms


def report_of(history: History, *strategies: Strategy, task: str = "binary", **changes: Any) -> Any:
    """Run a backtest; return its report."""
    return Backtest(given_of(history, task=task), strategies, setting_of(**changes)).run()


def row(report: Any, name: str) -> Any:
    """Return a strategy of a report by its name."""
    return next(s for s in report["strategies"] if s["name"] == name)


def failing(key: Callable[[Any], bool], learn: Callable[..., Any]) -> Callable[..., Any]:
    """Return a learner that raises on some datasets."""

    def train(dataset: Any, _previous: object) -> Any:
        if key(dataset):
            raise ValueError("the matrix is singular")
        return learn(dataset, None)

    return train


def shaky_too(dataset: Any, _previous: object) -> Line:
    """Learn as ``shaky`` does, with other chance for the same seed."""
    np.random.normal(size=7)  # noqa: NPY002 - moves on what follows
    return shaky(dataset, None)


class Rows(Open):
    """A backtest whose rows can be compared afterwards, any with any."""

    def _told(self, name: str, runs: list[Run], rows: Any) -> Any:
        told = super()._told(name, runs, rows)
        self.told = {**getattr(self, "told", {}), name: told}
        return told


KEPT = {"1": "7d", "4": "28d", "13": "91d", "all": None}
"""For how many weeks a model is kept, and how often one retrains."""


def _kept(name: str) -> Any:
    every = KEPT[name]
    return Once() if every is None else Every(every)


def against_itself(seed: int, kept: Sequence[str], *, weeks: int, per_week: int = 60) -> Any:
    """Compare strategies with themselves under other seeds, in a world of its own.

    Returns
    -------
    dict
        For each time a model is kept, the estimate of a difference that is none.
    """
    history = turning(seed, weeks=weeks, per_week=per_week, turn=0.05)
    asked = [
        strategy_of(f"{name} {learner.__name__}", training=learner, trigger=_kept(name))
        for name in kept
        for learner in (shaky, shaky_too)
    ]
    ours = Rows(given_of(history), asked, setting_of(season="0s"))
    ours.run()
    return {
        name: compare([ours.told[f"{name} shaky"]], ours.told[f"{name} shaky_too"], ours.terms)[0]
        for name in kept
    }


def wide(
    seed: int,
    *,
    weeks: int,
    per_week: int,
    turn: float = 0.0,
    noise: float = 2.0,
    width: int = 6,
    first: int | None = None,
) -> History:
    """Make a world of more features than a small sample can tell apart."""
    rng = np.random.default_rng([seed, 1])
    begin = spread(1, first or per_week, rng)
    at = np.concatenate([begin, micro(WEEK) + spread(weeks - 1, per_week, rng)])
    x = rng.normal(size=(width, at.size))
    week = (at - at[0]) / micro(WEEK)
    truth = x[0] * np.cos(turn * week) + x[1] * np.sin(turn * week)
    label = (truth + noise * rng.normal(size=at.size) > 0).astype(float)
    return history_of(at, {f"f_x{k}": x[k] for k in range(width)}, label, delay=micro(DAY))


def null_world(
    seed: int, *, weeks: int = 9, per_week: int = 60, n: int = 100, resample: bool = True
) -> Any:
    """Backtest calendars where nothing changes and every model learns from as many rows.

    Without ``resample`` as a user gets it: with references, and the luck of the first model.
    """
    history = wide(seed, weeks=weeks, per_week=per_week, noise=1.0)
    same = {"dataset": Latest(n)}
    asked = [
        strategy_of("never", trigger=Once(), **same),
        *(strategy_of(f"{k} weeks", trigger=Every(f"{7 * k}d"), **same) for k in (1, 2, 4)),
    ]
    more = {"resample": True} if resample else {"references": True}
    return report_of(history, *asked, season="0s", **more)


def growth_world(seed: int, *, turn: float, resample: bool = False) -> Any:
    """Backtest on all labels so far, which grow; with a border that turns, or does not."""
    history = wide(seed, weeks=8, per_week=200, turn=turn, noise=0.7, width=12, first=40)
    asked = [strategy_of("never", trigger=Once()), strategy_of("weekly")]
    start = START + timedelta(days=7)
    return report_of(history, *asked, start=start, references=True, resample=resample, season="0s")

"""Work for jobs to do, good and bad, and how to wait for what becomes of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tidemill.core.errors import TidemillError
from tidemill.core.ports import Job, JobResult, Jobs
from tidemill.core.rules import TrainingData

PATIENCE = 60.0
"""Seconds after which a job that should have ended counts as broken."""


def run(jobs: Jobs, job: Job) -> JobResult:
    """Start a job and wait for its result."""
    jobs.start(job)
    return ended(jobs, job.id)


def ended(jobs: Jobs, job_id: str) -> JobResult:
    """Wait for the result of a job."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        result = jobs.poll(job_id)
        if result is not None:
            return result
        jobs.wait(0.2)
    raise AssertionError(f"the job {job_id} has not ended after {PATIENCE:g} s")


def fit_table() -> pa.Table:
    """Return rows as a fit gets them: features, then label, label_text and weight."""
    n = 10
    return pa.table(
        {
            "x": pa.array(np.arange(n, dtype=float)),
            "label": pa.array([k % 2 + 0.0 for k in range(n)]),
            "label_text": pa.nulls(n, pa.string()),
            "weight": pa.array(np.ones(n)),
        }
    )


class MeanModel:
    """Answers the mean label."""

    def __init__(self, value: float) -> None:
        self.value = value

    def predict(self, features: Any) -> Any:
        return np.full(len(features), self.value)


def train_mean(dataset: TrainingData, previous: object | None) -> MeanModel:
    """Train as one should."""
    assert previous is None
    return MeanModel(float(dataset.label.mean()))


def train_on(dataset: TrainingData, previous: object | None) -> object:
    """Train on from the model before."""
    assert isinstance(previous, MeanModel)
    return previous


def train_raises(dataset: TrainingData, previous: object | None) -> object:
    """Raise, over two lines."""
    raise ValueError("the data\nis wrong")


def train_fixable(dataset: TrainingData, previous: object | None) -> object:
    """Raise an error that names its fix."""
    raise TidemillError("it is bad.", fix="do it better.")


def train_none(dataset: TrainingData, previous: object | None) -> object:
    """Forget to return a model."""
    return None


def train_shape(dataset: TrainingData, previous: object | None) -> object:
    """Return a model that answers one value for all records."""
    return _one_value


def _one_value(features: object) -> list[float]:
    return [1.0]


def train_hangs(dataset: TrainingData, previous: object | None) -> object:
    """Never come back."""
    while True:
        time.sleep(1)


def train_eats(dataset: TrainingData, previous: object | None) -> object:
    """Want two gigabytes."""
    return MeanModel(float(np.ones(2**28).sum()))


def train_exits(dataset: TrainingData, previous: object | None) -> object:
    """Leave by the front door, without a word."""
    raise SystemExit(3)


def train_crashes(dataset: TrainingData, previous: object | None) -> object:
    """Crash as native code does."""
    import os
    import signal

    os.kill(os.getpid(), signal.SIGABRT)
    return None


def train_prints(dataset: TrainingData, previous: object | None) -> object:
    """Print, then fail."""
    print("half way — ½")  # noqa: T201 - what the log is for
    raise ValueError


class Counting:
    """Trains, and leaves a file in a folder each time it does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, dataset: TrainingData, previous: object | None) -> MeanModel:
        (self.folder / str(time.time_ns())).touch()
        return MeanModel(1.0)


def label_twos(features: Any) -> list[float]:
    """Label everything 2."""
    return [2.0] * len(features)


def label_too_few(features: Any) -> list[float]:
    """Label one row only."""
    return [2.0]

"""The promises of what runs jobs and of the inbox; run them on your own adapters."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tidemill.core.errors import TidemillError
from tidemill.core.ports import Inbox, Job, JobResult, Jobs, Parcel
from tidemill.core.rules import TrainingData

PATIENCE = 60.0
"""Seconds after which a job that should have ended counts as broken."""

Put = Callable[[list[str]], None]
"""Hands over one batch of records with these ids."""
MakeInbox = Callable[[Path], tuple[Inbox, Put]]


def check_jobs(make: Callable[[Path], Jobs], *, apart: bool = True) -> None:
    """Hold what runs jobs against every promise of its port.

    Parameters
    ----------
    make
        Makes one that works in an empty folder.
    apart
        Whether jobs run in processes of their own, and so can be given limits.
    """
    with tempfile.TemporaryDirectory(prefix="tidemill-") as folder:
        jobs = make(Path(folder))
        try:
            for promise in (*JOBS, *(JOBS_APART if apart else ())):
                promise(jobs)
        finally:
            jobs.close()


def check_inbox(make: MakeInbox) -> None:
    """Hold an inbox against every promise of its port.

    Parameters
    ----------
    make
        Makes one in an empty folder, with a function that hands over records by their ids.
    """
    for promise in INBOX:
        with tempfile.TemporaryDirectory(prefix="tidemill-") as folder:
            promise(make, Path(folder))


# ------------------------------------------------------------------------------ jobs


def a_fit_gives_a_model(jobs: Jobs) -> None:
    """A fit ends with a model, what it learnt from, and what it cost; the model answers."""
    table = fit_table()
    fitted = run(jobs, Job(id="fit", kind="fit", work=train_mean, table=table))
    assert fitted.ok, fitted.why
    assert fitted.model
    assert fitted.facts["rows"] == table.num_rows
    assert fitted.facts["seconds"] >= 0
    rows = table.select(["x"])
    models = {"candidate": fitted.model}
    asked = run(jobs, Job(id="ask", kind="answer", table=rows, models=models))
    assert asked.ok, asked.why
    assert asked.tables["candidate"]["output"].to_pylist() == [0.5] * table.num_rows
    labelled = run(jobs, Job(id="label", kind="label", work=label_twos, table=rows))
    assert labelled.ok, labelled.why
    assert labelled.tables["labels"]["output"].to_pylist() == [2.0] * table.num_rows


def the_previous_model_comes_along(jobs: Jobs) -> None:
    """A fit is given the champion's model."""
    first = run(jobs, Job(id="first", kind="fit", work=train_mean, table=fit_table()))
    assert first.model is not None
    models = {"previous": first.model}
    job = Job(id="second", kind="fit", work=train_on, table=fit_table(), models=models)
    second = run(jobs, job)
    assert second.ok, second.why


def whatever_it_raises_is_its_result(jobs: Jobs) -> None:
    """User code that raises, answers nothing or the wrong shape fails its job and no more."""
    works = {
        "raises": (train_raises, "the data is wrong"),
        "none": (train_none, "NoneType"),
        "shape": (train_shape, "one value a record"),
        "fixable": (train_fixable, "Fix: do it better"),
    }
    for name, (work, why) in works.items():
        failed = run(jobs, Job(id=name, kind="fit", work=work, table=fit_table()))
        assert not failed.ok
        assert not failed.facts.get("lost"), f"{name} counts as lost"
        assert why in failed.why, f"{name}: {failed.why}"
        assert "\n" not in failed.why
        assert failed.model is None
    wrong = Job(id="labels", kind="label", work=label_too_few, table=fit_table())
    assert "one label a record" in run(jobs, wrong).why


def a_job_runs_once(jobs: Jobs) -> None:
    """Started twice under one id it runs once, and its result stays until it is forgotten."""
    with tempfile.TemporaryDirectory(prefix="tidemill-") as folder:
        job = Job(id="once", kind="fit", work=Counting(Path(folder)), table=fit_table())
        jobs.start(job)
        jobs.start(job)
        first = ended(jobs, "once")
        jobs.start(job)
        assert ended(jobs, "once") == first
        assert len(list(Path(folder).iterdir())) == 1
        jobs.forget("once")
        jobs.forget("once")
        assert run(jobs, job).ok
        assert len(list(Path(folder).iterdir())) == 2


def a_job_nobody_knows_is_lost(jobs: Jobs) -> None:
    """A job that was never started or got lost is told as lost, so that it can be started."""
    said = jobs.poll("never-started")
    assert said is not None
    assert not said.ok
    assert said.why
    assert said.facts.get("lost") is True


def waiting_ends(jobs: Jobs) -> None:
    """``wait`` comes back in time when nothing ends."""
    start = time.monotonic()
    jobs.wait(0.1)
    assert time.monotonic() - start < 5


def a_job_beyond_its_time_is_ended(jobs: Jobs) -> None:
    """A job that hangs is ended, and another goes on meanwhile."""
    jobs.start(Job(id="hangs", kind="fit", work=train_hangs, table=fit_table(), seconds=1))
    assert run(jobs, Job(id="beside", kind="fit", work=train_mean, table=fit_table())).ok
    failed = ended(jobs, "hangs")
    assert not failed.ok
    assert "1 s" in failed.why, failed.why
    assert not failed.facts.get("lost")


def a_job_beyond_its_memory_is_ended(jobs: Jobs) -> None:
    """A job that wants more memory than it may have fails, and says so."""
    job = Job(id="eats", kind="fit", work=train_eats, table=fit_table(), memory_mb=200)
    failed = run(jobs, job)
    assert not failed.ok
    assert "200 MB" in failed.why, failed.why


def a_job_that_ends_its_process_has_failed(jobs: Jobs) -> None:
    """A job that leaves by the back door has failed; whoever started it goes on."""
    for name, work in (("exits", train_exits), ("crashes", train_crashes)):
        failed = run(jobs, Job(id=name, kind="fit", work=work, table=fit_table()))
        assert not failed.ok
        assert failed.why


def what_a_job_prints_is_kept(jobs: Jobs) -> None:
    """All that a job prints can be read, also when it failed and was forgotten."""
    log: Any = getattr(jobs, "log", None)
    assert log is not None, "it keeps no log"
    run(jobs, Job(id="prints", kind="fit", work=train_prints, table=fit_table()))
    jobs.forget("prints")
    assert "half way — ½" in log("prints")
    assert log("never-started") == ""


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


# ----------------------------------------------------------------------------- inbox


def what_is_handed_over_waits(make: MakeInbox, folder: Path) -> None:
    """What was handed over waits, in order and whole, however often one looks."""
    inbox, put = make(folder)
    assert _waiting(inbox, {}) == []
    put(["a", "b"])
    put(["c", "ü"])
    for _ in range(2):
        parcels = _waiting(inbox, {})
        assert _ids(parcels) == ["a", "b", "c", "ü"]
        assert {p.table for p in parcels} == {"records"}


def what_is_done_waits_no_more(make: MakeInbox, folder: Path) -> None:
    """What was taken in is not pending, before and after it is discarded."""
    inbox, put = make(folder)
    put(["a"])
    done = _done(inbox, {})
    assert _waiting(inbox, done) == []
    put(["b"])
    assert _ids(_waiting(inbox, done)) == ["b"]
    done = inbox.discard(done)
    assert _ids(_waiting(inbox, done)) == ["b"]
    done = inbox.discard(_done(inbox, done))
    assert _waiting(inbox, done) == []
    assert _waiting(inbox, inbox.discard(done)) == []


def every_row_is_taken_once(make: MakeInbox, folder: Path) -> None:
    """Taken in parcel by parcel, with more coming and stops in between, no row is lost or twice."""
    inbox, put = make(folder)
    taken: list[str] = []
    done: dict[str, int] = {}
    for k in range(12):
        put([f"r{k}"])
        if k % 2:
            for parcel in _waiting(inbox, done)[: 1 + k % 3]:
                taken += parcel.rows["record_id"].to_pylist()
                done[parcel.writer] = parcel.sequence
        if k % 4 == 3:  # elsewhere the process stopped before it came to discard
            done = inbox.discard(done)
    taken += _ids(_waiting(inbox, done))
    assert sorted(taken) == sorted(f"r{k}" for k in range(12))


def nothing_to_discard_is_fine(make: MakeInbox, folder: Path) -> None:
    """Discarding what is not there, or again, does nothing."""
    inbox, put = make(folder)
    assert _waiting(inbox, inbox.discard({})) == []
    inbox.discard({"somebody": 3})
    put(["a"])
    assert _ids(_waiting(inbox, inbox.discard({}))) == ["a"]


def _done(inbox: Inbox, done: dict[str, int]) -> dict[str, int]:
    return done | {p.writer: p.sequence for p in _waiting(inbox, done)}


def _waiting(inbox: Inbox, done: dict[str, int]) -> list[Parcel]:
    return list(inbox.pending(done))


def _ids(parcels: list[Any]) -> list[str]:
    return [i for p in parcels for i in p.rows["record_id"].to_pylist()]


JOBS: tuple[Callable[[Jobs], None], ...] = (
    a_fit_gives_a_model,
    the_previous_model_comes_along,
    whatever_it_raises_is_its_result,
    a_job_runs_once,
    a_job_nobody_knows_is_lost,
    waiting_ends,
)
"""The promises of what runs jobs."""

JOBS_APART: tuple[Callable[[Jobs], None], ...] = (
    a_job_beyond_its_time_is_ended,
    a_job_beyond_its_memory_is_ended,
    a_job_that_ends_its_process_has_failed,
    what_a_job_prints_is_kept,
)
"""The promises of what runs jobs in processes of their own."""

INBOX: tuple[Callable[[MakeInbox, Path], None], ...] = (
    what_is_handed_over_waits,
    what_is_done_waits_no_more,
    every_row_is_taken_once,
    nothing_to_discard_is_fine,
)
"""The promises of an inbox."""

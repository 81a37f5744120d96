"""The promises of what runs jobs; run them on your own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tidemill.core.ports import Job, Jobs
from tidemill.testing.work import (
    Counting,
    ended,
    fit_table,
    label_too_few,
    label_twos,
    run,
    train_crashes,
    train_eats,
    train_exits,
    train_fixable,
    train_hangs,
    train_mean,
    train_none,
    train_on,
    train_prints,
    train_raises,
    train_shape,
)


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

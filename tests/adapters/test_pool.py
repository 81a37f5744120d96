"""The pool: a job outlives who started it, and one that is lost is told as lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidemill.adapters.trainers.pool import ProcessPool
from tidemill.core.errors import BadValue
from tidemill.core.ports import Job
from tidemill.testing import work


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[ProcessPool]:
    jobs = ProcessPool(tmp_path / "jobs")
    yield jobs
    jobs.close()


def sleeps(dataset: object, previous: object) -> object:
    Path(os.environ["TIDEMILL_TEST_PID"]).write_text(str(os.getpid()))
    time.sleep(1.5)
    return work.MeanModel(1.0)


def started(path: Path) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.02)
    raise AssertionError


@pytest.fixture
def pid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIDEMILL_TEST_PID", str(tmp_path / "pid"))
    return tmp_path / "pid"


def test_a_job_outlives_the_pool_and_is_found_by_the_next(tmp_path: Path, pid: Path) -> None:
    first = ProcessPool(tmp_path / "jobs")
    first.start(Job(id="j", kind="fit", work=sleeps, table=work.fit_table()))
    started(pid)
    first.close()
    second = ProcessPool(tmp_path / "jobs")
    assert second.poll("j") is None
    assert work.ended(second, "j").ok
    second.close()


def test_a_job_whose_processes_were_killed_is_lost_and_can_be_started_again(
    pool: ProcessPool, pid: Path
) -> None:
    job = Job(id="j", kind="fit", work=sleeps, table=work.fit_table())
    pool.start(job)
    child = started(pid)
    assert pool._worker is not None
    pool._worker.kill()
    pool._worker.wait()
    assert pool.poll("j") is None  # its child goes on
    os.kill(child, signal.SIGKILL)
    lost = work.ended(pool, "j")
    assert (lost.ok, lost.facts) == (False, {"lost": True})
    pid.unlink()
    assert work.run(pool, job).ok


@pytest.mark.parametrize("name", ["..", ".", "../x", "a/b", "", "a b", ".worker-x", "ü"])
def test_a_job_id_is_no_path(pool: ProcessPool, name: str) -> None:
    for call in (pool.poll, pool.forget, pool.log, lambda i: pool.start(Job(id=i, kind="fit"))):
        with pytest.raises(BadValue, match="names no job"):
            call(name)

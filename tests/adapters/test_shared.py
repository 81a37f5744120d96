"""Shared jobs: done once whoever asks, under the clock of each, and not lost by a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tidemill.adapters.trainers.effort import Done, Spent
from tidemill.adapters.trainers.keys import Keys
from tidemill.adapters.trainers.shared import SharedJobs, Work
from tidemill.core.clock import ReplayedClock, SystemClock, instant
from tidemill.core.errors import NotAllowed
from tidemill.core.ports import Job, JobResult
from tidemill.testing.work import MeanModel, ended, fit_table, run, train_exits, train_mean

AT = instant("2024-03-01")


@dataclass(frozen=True, kw_only=True)
class Leaving:
    """Trains, and leaves a file in a folder each time it does."""

    folder: Path
    value: float = 1.0
    seconds: float = 0.0
    continues: bool = True

    def __call__(self, dataset: object, previous: Any) -> MeanModel:
        time.sleep(self.seconds)
        (self.folder / f"{time.time_ns()}-{os.getpid()}").touch()
        return MeanModel(self.value + (previous.value if previous is not None else 0.0))


@pytest.fixture(scope="module")
def crew() -> Iterator[Work]:
    work = Work(workers=2)
    yield work
    work.close()


@pytest.fixture
def fits(tmp_path: Path) -> Path:
    (tmp_path / "fits").mkdir()
    return tmp_path / "fits"


def fit(trainer: Any, name: str = "fit", **more: Any) -> Job:
    return Job(id=name, kind="fit", work=trainer, **{"table": fit_table(), **more})


def ask(model: bytes, name: str = "ask", **more: Any) -> Job:
    given = {"table": fit_table().select(["x"]), "models": {"candidate": model}, **more}
    return Job(id=name, kind="answer", **given)


def count(folder: Path) -> int:
    return len(list(folder.iterdir()))


def done_by(work: Work, key: str, job: Job) -> JobResult:
    work.submit(key, job)
    result = work.result(key, wait=True)
    assert result is not None
    return result


# ------------------------------------------------------------------------------ sharing


@pytest.mark.parametrize("workers", [1, 2])
def test_fifty_strategies_share_one_fit(fits: Path, crew: Work, workers: int) -> None:
    work = Work() if workers == 1 else crew
    before = work.spent.get("fit", Spent()).jobs
    everyone = [SharedJobs(work, SystemClock()) for _ in range(50)]
    for k, jobs in enumerate(everyone):
        jobs.start(fit(Leaving(folder=fits, seconds=0.2), f"v{k}"))
    results = [ended(jobs, f"v{k}") for k, jobs in enumerate(everyone)]
    assert count(fits) == 1
    assert work.spent["fit"].jobs == before + 1
    assert {r.model for r in results} == {results[0].model}
    assert {r.facts["seconds"] for r in results} == {results[0].facts["seconds"]}
    assert results[0].facts["seconds"] >= 0.2


def test_what_failed_is_shared_too_and_counts() -> None:
    told: list[Done] = []
    work = Work(told=told.append)
    for _ in range(3):
        failed = run(SharedJobs(work, SystemClock()), fit(train_exits))
        assert (failed.ok, failed.why) == (False, "SystemExit: 3")
    assert [(d.kind, d.ok, d.why, d.kept) for d in told] == [("fit", False, failed.why, False)]
    assert work.spent["fit"].jobs == 1


def test_an_interrupt_is_no_result(fits: Path) -> None:
    def stop(*_: object) -> MeanModel:
        if count(fits) == 0:
            (fits / "interrupted").touch()
            raise KeyboardInterrupt
        return MeanModel(1.0)

    work = Work()
    with pytest.raises(KeyboardInterrupt):
        work.submit("k", fit(stop))
    assert work.result("k", wait=True) is None
    assert done_by(work, "k", fit(stop)).ok


def test_how_fast_an_answer_is_here_does_not_count() -> None:
    work = Work()
    model = done_by(work, "fit", fit(train_mean)).model
    assert model is not None
    rows = fit_table().select(["x"])
    check = Job(id="c", kind="check", table=rows, models={"candidate": model})
    assert done_by(work, "check", check).facts["candidate_ms"] == 0.0


# --------------------------------------------------------------------------------- keys


def test_equal_work_has_one_key_and_other_work_another(tmp_path: Path) -> None:
    keys, trainer, rows = Keys(), Leaving(folder=tmp_path), fit_table()
    sliced = pa.concat_tables([rows.slice(0, 3), rows.slice(3)])
    same = [
        fit(trainer),
        fit(trainer, "other", seconds=5),
        fit(Leaving(folder=tmp_path)),
        fit(trainer, table=fit_table()),
        fit(trainer, table=sliced),
    ]
    assert len({keys.of(j) for j in same}) == 1
    other = [
        fit(Leaving(folder=tmp_path, value=2.0)),
        fit(train_mean),
        fit(trainer, table=rows.slice(0, 9)),
        fit(trainer, table=rows.rename_columns(["z", "label", "label_text", "weight"])),
        fit(trainer, models={"previous": b"a"}),
        fit(trainer, models={"previous": b"b"}),
        fit(trainer, models={"champion": b"a"}),
        fit(trainer, content="digest"),
        fit(trainer, content="digest 2"),
        fit(trainer, content="digest", table=rows.drop_columns(["x"])),
        fit(trainer, table=None),
        Job(id="fit", kind="answer", work=trainer, table=rows),
    ]
    assert len({keys.of(j) for j in (same[0], *other)}) == len(other) + 1
    assert keys.of(same[0], "mark") != keys.of(same[0])


def test_code_that_changed_is_other_work(tmp_path: Path) -> None:
    keys = set()
    for number in (1, 1, 2):
        name = f"trains_{len(keys)}_{number}"
        path = tmp_path / f"{name}.py"
        path.write_text(f"def train(dataset, previous):\n    return {number}\n")
        found: dict[str, Any] = {"__name__": "strategy", "__tidemill_source__": path.read_text()}
        exec(compile(path.read_text(), path, "exec"), found)
        keys.add(Keys().of(fit(found["train"])))
    assert len(keys) == 2


def test_a_digest_given_for_the_rows_is_believed() -> None:
    keys = Keys()
    one, other = (fit(train_mean, content="d", table=t) for t in (fit_table(), _shuffled()))
    assert keys.of(one) == keys.of(other)


def test_rows_that_are_gone_lend_their_hash_to_nobody() -> None:
    keys, found = Keys(), set()
    for k in range(50):
        table = pa.table({"x": np.full(10, float(k))})
        found.add(keys.of(fit(train_mean, table=table)))
        del table
    assert len(found) == 50
    assert len(keys._tables) <= 2


def test_who_does_not_continue_is_given_no_model_before(fits: Path) -> None:
    work = Work()
    first = done_by(work, "first", fit(train_mean)).model
    assert first is not None
    for continues, trained in ((False, 1), (True, 3)):
        trainer = Leaving(folder=fits, continues=continues)
        for previous in ({}, {"previous": first}):
            result = run(SharedJobs(work, SystemClock()), fit(trainer, models=previous))
            assert result.ok
        assert count(fits) == trained


def _shuffled() -> pa.Table:
    return fit_table().take(list(range(10))[::-1])


# ------------------------------------------------------------------------------ latency


def test_a_result_is_there_when_the_replayed_clock_says_so() -> None:
    work, clock = Work(), ReplayedClock(AT)
    jobs = SharedJobs(work, clock, latency={"fit": timedelta(hours=2)})
    jobs.start(fit(train_mean))
    assert work.spent["fit"].jobs == 1
    assert jobs.due() == AT + timedelta(hours=2)
    clock.move_to(AT + timedelta(hours=2, seconds=-1))
    jobs.start(fit(train_mean))  # once more, which changes nothing
    start = time.monotonic()
    jobs.wait(10)
    assert time.monotonic() - start < 1
    assert jobs.poll("fit") is None
    late = SharedJobs(work, clock, latency={"fit": timedelta(hours=2)})
    late.start(fit(train_mean))
    clock.move_to(AT + timedelta(hours=2))
    found = jobs.poll("fit")
    assert found is not None
    assert found.ok
    assert jobs.due() is None
    assert late.poll("fit") is None
    jobs.start(ask(found.model or b""))
    assert jobs.poll("ask") is not None


# ----------------------------------------------------------------------------- parallel


def test_many_at_once_are_the_same_as_one_after_the_other(fits: Path, crew: Work) -> None:
    found = []
    for work in (Work(), crew):
        jobs = SharedJobs(work, SystemClock())
        trainers = [Leaving(folder=fits, value=float(k)) for k in range(12)]
        for k, trainer in enumerate(trainers):
            jobs.start(fit(trainer, f"v{k}"))
        models = [ended(jobs, f"v{k}").model for k in range(12)]
        for k, model in enumerate(models):
            jobs.start(ask(model or b"", f"a{k}"))
        answers = [ended(jobs, f"a{k}").tables["candidate"] for k in range(12)]
        found.append([t.to_pydict() for t in answers])
    assert found[0] == found[1]
    assert len({str(t) for t in found[0]}) == 12


def test_a_worker_that_dies_takes_only_its_own_job_along(fits: Path, crew: Work) -> None:
    def leaves(*_: object) -> object:
        os._exit(7)

    jobs = SharedJobs(crew, SystemClock())
    for k in range(8):
        work = leaves if k == 2 else Leaving(folder=fits, value=10.0 + k, seconds=0.05)
        jobs.start(fit(work, f"v{k}"))
    results = [ended(jobs, f"v{k}") for k in range(8)]
    assert [k for k, r in enumerate(results) if not r.ok] == [2]
    assert results[2].why == "its process ended with exit code 7"
    assert not results[2].facts.get("lost")
    assert count(fits) == 7


def test_a_worker_that_died_while_it_had_nothing_to_do_is_replaced(fits: Path, crew: Work) -> None:
    assert crew._crew is not None
    jobs = SharedJobs(crew, SystemClock())
    assert run(jobs, fit(Leaving(folder=fits, value=20.0), "before")).ok
    for process in crew._crew._processes:
        process.kill()
        process._process.wait()
    assert run(jobs, fit(Leaving(folder=fits, value=21.0), "after")).ok


def test_work_that_cannot_travel_fails_and_says_so(crew: Work) -> None:
    import threading

    lock = threading.Lock()

    def train(*_: object) -> object:
        return lock

    failed = run(SharedJobs(crew, SystemClock()), fit(train))
    assert not failed.ok
    assert failed.why.startswith("it cannot go to a worker: TypeError: cannot pickle")


def test_closing_ends_what_runs(fits: Path) -> None:
    work = Work(workers=2)
    work.submit("long", fit(Leaving(folder=fits, seconds=60)))
    assert work._crew is not None
    deadline = time.monotonic() + 60
    while not work._crew._processes and time.monotonic() < deadline:
        time.sleep(0.01)
    (process,) = work._crew._processes
    start = time.monotonic()
    work.close()
    assert time.monotonic() - start < 5
    assert not process.alive()
    assert not any(t.is_alive() for t in work._crew._threads)
    with pytest.raises(NotAllowed, match="no job can be done any more"):
        work.submit("next", fit(train_mean))


# -------------------------------------------------------------------------------- on disk


SCRIPT = """
import os, signal, sys
from pathlib import Path
from tidemill.adapters.trainers.shared import Work
from tidemill.core.errors import NotAllowed
from tidemill.core.ports import Job
from tidemill.testing.work import Counting, fit_table

fits, cache, workers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
ended = []

class Slow(Counting):
    def __call__(self, dataset, previous):
        import time
        time.sleep(0.3)
        return super().__call__(dataset, previous)

def told(done):
    ended.append(done)
    if len(ended) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

work = Work(workers=workers, cache=cache, told=told)
for k in range(8):
    work.submit(f"key {k}", Job(id=f"v{k}", kind="fit", work=Slow(fits), table=fit_table()))
for k in range(8):
    work.result(f"key {k}", wait=True)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_kill_loses_only_what_was_running(fits: Path, tmp_path: Path, workers: int) -> None:
    cache, given = tmp_path / "cache", (str(fits), str(tmp_path / "cache"), str(workers))
    killed = subprocess.run([sys.executable, "-c", SCRIPT, *given], check=False)
    assert killed.returncode == -signal.SIGKILL
    time.sleep(0.5)  # were the workers left behind, they would go on
    before = count(fits)
    assert 3 <= before < 8
    told: list[Done] = []
    work = Work(cache=cache, told=told.append)
    for k in range(8):
        assert done_by(work, f"key {k}", fit(Leaving(folder=fits))).ok
    kept = sum(d.kept for d in told)
    assert 3 <= kept <= before
    assert [d.why for d in told] == [""] * 8
    assert count(fits) == before + 8 - kept
    assert work.spent["fit"].jobs == 8


def test_what_nobody_finished_is_removed_after_a_while(tmp_path: Path) -> None:
    Work(cache=tmp_path)
    (folder,) = tmp_path.iterdir()
    for name, age in ((".part-1", 0), (".part-2", 7200)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - age,) * 2)
    Work(cache=tmp_path)
    assert [p.name for p in folder.iterdir()] == [".part-1"]


def test_what_was_done_is_found_again_whole(fits: Path, tmp_path: Path) -> None:
    told: list[Done] = []
    trainer, results, spent = Leaving(folder=fits, seconds=0.01), [], []
    for _ in range(2):
        work = Work(cache=tmp_path / "cache", told=told.append)
        fitted = run(SharedJobs(work, SystemClock()), fit(trainer))
        results.append((fitted, run(SharedJobs(work, SystemClock()), ask(fitted.model or b""))))
        spent.append(work.spent)
    assert results[0] == results[1]
    assert spent[0] == spent[1]
    assert [(d.kind, d.kept) for d in told] == [
        ("fit", False),
        ("answer", False),
        ("fit", True),
        ("answer", True),
    ]
    assert count(fits) == 1


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_file_is_told_and_made_again(fits: Path, tmp_path: Path, damage: str) -> None:
    trainer, told = Leaving(folder=fits), list[Done]()
    for _ in range(3):
        work = Work(cache=tmp_path / "cache", told=told.append)
        assert done_by(work, "key", fit(trainer)).ok
        (file,) = (p for p in (tmp_path / "cache").rglob("*") if p.is_file())
        whole = file.read_bytes()
        if len(told) == 1:
            broken = {"flip": whole[:-1] + bytes([whole[-1] ^ 1]), "cut": whole[:-9], "empty": b""}
            file.write_bytes(broken[damage])
    assert [d.kept for d in told] == [False, False, True]
    assert "does not match its digest" in told[1].why
    assert told[0].why == told[2].why == ""
    assert count(fits) == 2


def test_what_failed_is_not_kept(tmp_path: Path) -> None:
    for _ in range(2):
        told: list[Done] = []
        work = Work(cache=tmp_path, told=told.append)
        assert not done_by(work, "key", fit(train_exits)).ok
        assert [d.kept for d in told] == [False]


def test_a_full_disk_is_told_and_loses_nothing(
    fits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    told: list[Done] = []
    work = Work(cache=tmp_path / "cache", told=told.append)
    monkeypatch.setattr(Path, "replace", full)
    assert done_by(work, "key", fit(Leaving(folder=fits))).ok
    assert "could not be kept: [Errno 28] No space" in told[0].why
    work.trim(0)
    assert done_by(work, "key", fit(Leaving(folder=fits))).ok
    assert count(fits) == 1


# --------------------------------------------------------------------------------- memory


def test_answers_are_trimmed_the_oldest_first_and_done_again(fits: Path) -> None:
    work, told = Work(), list[Done]()
    work._told = told.append
    model = done_by(work, "fit", fit(Leaving(folder=fits))).model or b""
    answers = [done_by(work, f"a{k}", ask(model)) for k in range(3)]
    assert work.result("a0", wait=False) is answers[0]
    each = sum(t.nbytes for t in answers[0].tables.values())
    work.trim(len(model) + 2 * each)
    assert [k for k in ("a0", "a1", "a2") if work.result(k, wait=False)] == ["a0", "a2"]
    work.trim(0)
    assert [k for k in ("fit", "a0", "a2") if work.result(k, wait=False)] == ["fit"]
    again = done_by(work, "a0", ask(model))
    assert again.tables == answers[0].tables
    assert work.spent["answer"].jobs == 3
    assert len(told) == 4


def test_what_was_trimmed_before_it_was_asked_for_is_still_answered() -> None:
    work = Work()
    jobs = SharedJobs(work, SystemClock())
    model = run(jobs, fit(train_mean)).model or b""
    jobs.start(ask(model))
    work.trim(0)
    first = jobs.poll("ask")
    assert first is not None
    assert first.ok
    work.trim(0)
    assert jobs.poll("ask") is first


def test_fits_on_disk_are_trimmed_and_read_again(fits: Path, tmp_path: Path) -> None:
    work = Work(cache=tmp_path / "cache")
    first = done_by(work, "key", fit(Leaving(folder=fits)))
    work.trim(0)
    assert work._results == {}
    assert work.result("key", wait=False) == first
    work.drop("fit")
    assert done_by(work, "key", fit(Leaving(folder=fits))) == first
    assert (count(fits), work.spent["fit"].jobs) == (1, 1)

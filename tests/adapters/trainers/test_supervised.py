"""A job that forks, leaks, prints without end, hangs or vanishes: it ends, and nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cloudpickle
import pytest

from tidemill.adapters.trainers import supervisor
from tidemill.adapters.trainers.pool import ProcessPool
from tidemill.adapters.trainers.printed import Printed
from tidemill.core.ports import Job, JobResult
from tidemill.testing import work

cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessPool]:
    jobs = ProcessPool(tmp_path_factory.mktemp("jobs"))
    yield jobs
    jobs.close()


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A file in which a job writes down the processes that it starts."""
    return tmp_path / "pids"


class Starts:
    """Starts processes in every way there is, and does not wait for them."""

    def __init__(self, book: Path, *, ends: str) -> None:
        self.book, self.ends = book, ends

    def __call__(self, dataset: object, previous: object) -> object:
        self.note(os.getpid())
        for alone in (False, True):
            sleeper = ["sleep", "600"]
            self.note(subprocess.Popen(sleeper, start_new_session=alone, env={}).pid)
        for daemon in (False, True):
            if not os.fork():
                self.hide(daemon=daemon)
        while len(self.book.read_text().split()) < 5:
            time.sleep(0.01)
        if self.ends == "hangs":
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            os.closerange(0, 256)
            time.sleep(600)
        if self.ends == "vanishes":
            os._exit(0)
        return work.MeanModel(1.0)

    def hide(self, *, daemon: bool) -> None:
        """Do as daemons do: a session of its own, an orphan, deaf and mute."""
        if daemon:
            os.setsid()
            if os.fork():
                os._exit(0)
            os.closerange(0, 256)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.note(os.getpid())
        time.sleep(600)

    def note(self, pid: int) -> None:
        with self.book.open("a") as file:
            file.write(f"{pid}\n")


def lives(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def all_gone(book: Path) -> bool:
    pids = [int(pid) for pid in book.read_text().split()]
    assert len(pids) == 5
    end = time.monotonic() + 20
    while any(lives(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.02)
    return not any(lives(pid) for pid in pids)


def run(pool: ProcessPool, name: str, train: object, **limits: float) -> JobResult:
    return work.run(pool, Job(id=name, kind="fit", work=train, table=work.fit_table(), **limits))


CASES = {
    "ends": "",
    "hangs": "it took longer than the 2 s it may take",
    "vanishes": "its process ended with exit code 0, without a result",
}


@pytest.mark.parametrize("ends", list(CASES))
def test_no_process_that_a_job_started_stays(pool, book, ends) -> None:
    seconds = 2 if ends == "hangs" else 60
    result = run(pool, ends, Starts(book, ends=ends), seconds=seconds)
    assert (result.ok, result.why) == (not CASES[ends], CASES[ends])
    assert result.facts.get("lost") is None
    assert all_gone(book)


def test_what_a_job_left_that_was_killed_with_all_that_watched_it_is_ended(tmp_path, book) -> None:
    first = ProcessPool(tmp_path)
    running = Job(
        id="j", kind="fit", work=Starts(book, ends="hangs"), table=work.fit_table(), seconds=300
    )
    first.start(running)
    end = time.monotonic() + 60
    while not (book.exists() and len(book.read_text().split()) == 5) and time.monotonic() < end:
        time.sleep(0.02)
    job, *others = (int(pid) for pid in book.read_text().split())
    watching = int((tmp_path / "j" / "alive").read_text())
    assert first._worker is not None
    for pid in (first._worker.pid, watching, job):
        os.kill(pid, signal.SIGKILL)
    first.close()
    assert any(lives(pid) for pid in others)
    # Those that cleared their environment were left to nobody; the others say whose they are.
    for pid in others[:2]:
        os.kill(pid, signal.SIGKILL)
    second = ProcessPool(tmp_path)
    assert work.ended(second, "j").facts == {"lost": True}
    again = Job(id="j", kind="fit", work=mean, table=work.fit_table())
    assert work.run(second, again).ok
    second.close()
    assert all_gone(book)


def mean(dataset: object, previous: object) -> object:
    return work.MeanModel(1.0)


def eats_together(dataset: object, previous: object) -> object:
    for _ in range(4):
        if not os.fork():
            eaten = bytearray(b"x" * 60_000_000)
            time.sleep(600)
            os._exit(len(eaten))
    time.sleep(60)
    return work.MeanModel(1.0)


def test_processes_that_together_need_too_much_memory_are_ended(pool) -> None:
    result = run(pool, "eats", eats_together, memory_mb=150, seconds=60)
    assert not result.ok
    assert result.why == "it, with what it started, needed more than the 150 MB it may use"


def prints(dataset: object, previous: object) -> object:
    print("the first line")  # noqa: T201 - what it is about
    sys.stdout.flush()
    for _ in range(300):
        os.write(1, b"y" * 999_999 + b"\n")
    print("the last line")  # noqa: T201
    return work.MeanModel(1.0)


def test_a_job_that_prints_without_end_fills_no_disk(pool) -> None:
    assert run(pool, "prints", prints).ok
    said = pool.log("prints")
    assert len(said) <= 17_000_000
    assert said.startswith("the first line\nyyy")
    assert said.endswith("y\nthe last line\n")
    assert "[2" in said
    assert " bytes were left out here]" in said


def test_the_middle_that_is_left_out_is_counted(tmp_path) -> None:
    log = Printed(tmp_path / "log", limit=100)
    for k in range(1000):
        log.add(b"%03d " % k)
    log.close()
    said = (tmp_path / "log").read_text()
    gap = said.index("\n["), said.index("]\n") + 2
    left = int(said[gap[0] + 2 :].split()[0].replace(",", ""))
    assert said[:50].split()[:3] == ["000", "001", "002"]
    assert said.endswith("998 999 ")
    assert left == 4000 - len(said) + gap[1] - gap[0]


def test_a_supervisor_that_is_killed_takes_the_job_with_it(tmp_path, book) -> None:
    jobs = ProcessPool(tmp_path)
    job = Job(id="j", kind="fit", work=Starts(book, ends="hangs"), table=work.fit_table())
    jobs.start(job)
    end = time.monotonic() + 60
    while not (book.exists() and len(book.read_text().split()) == 5) and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(int((tmp_path / "j" / "alive").read_text()), signal.SIGKILL)
    assert work.ended(jobs, "j").facts == {"lost": True}
    assert all_gone(book), "the worker ends what nobody watches any more"
    jobs.close()


def test_what_a_job_started_may_tidy_up_by_itself(pool, tmp_path) -> None:
    mark = tmp_path / "tidied"

    def leaves(dataset: object, previous: object) -> object:
        subprocess.Popen(["sh", "-c", f"sleep 0.3; touch {mark}"])
        return work.MeanModel(1.0)

    assert run(pool, "tidies", leaves).ok
    end = time.monotonic() + supervisor.LEAVE + 10
    while not mark.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert mark.exists()

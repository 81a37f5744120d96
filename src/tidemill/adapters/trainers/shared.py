"""Jobs of many replays at once: the same fit is done once, whoever asks for it.

A backtest of forty strategies fits the same model on the same rows many times over. Here a
job is known by its content; its result is shared, kept on disk if wanted, and handed out
after a simulated time, under the clock of each replay.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from tidemill.adapters.trainers.crew import Crew
from tidemill.adapters.trainers.effort import Done, Spent
from tidemill.adapters.trainers.kept import Kept
from tidemill.adapters.trainers.keys import Keys
from tidemill.adapters.trainers.pickling import dump, load
from tidemill.core.clock import Clock
from tidemill.core.errors import Damaged
from tidemill.core.ports import Job, JobResult
from tidemill.core.work import reason, work

FIT = "fit"


@dataclass(frozen=True, kw_only=True)
class _Result:
    kind: str
    result: JobResult
    size: int


class Work:
    """The processes and the memory that the replays of a backtest share.

    Used by one thread. Close it at the end: its processes end with it.

    Parameters
    ----------
    workers
        How many processes; with 1 jobs run in this one, without limits, when submitted.
    cache
        A folder that keeps what succeeded, for the next run or after a crash. Only give one
        that nobody else can write to: models in it are pickles.
    told
        Told of each job that ended, from the thread that uses this.
    """

    def __init__(
        self,
        *,
        workers: int = 1,
        cache: Path | None = None,
        told: Callable[[Done], None] | None = None,
    ) -> None:
        self.keys = Keys()
        self.spent: dict[str, Spent] = {}
        self.ended = 0
        """How many jobs have ended so far; grows."""
        self._told = told
        self._kept = None if cache is None else Kept(cache)
        self._results: OrderedDict[str, _Result] = OrderedDict()
        self._running: set[str] = set()
        self._notes: dict[str, str] = {}
        self._counted: set[str] = set()
        self._news: deque[Done] = deque()
        self._changed = threading.Condition()
        self._crew = Crew(workers, self._end) if workers > 1 else None

    def submit(self, key: str, job: Job) -> None:
        """Start a job, unless its key is known or running."""
        with self._changed:
            if key in self._results:
                self._results.move_to_end(key)
                return
            if key in self._running:
                return
        if not self._read(key):
            with self._changed:
                self._running.add(key)
            if self._crew is not None:
                self._crew.submit(key, job)
            else:
                self._do_here(key, job)
        self._tell()

    def result(self, key: str, *, wait: bool) -> JobResult | None:
        """Return the result; None while it runs (unless ``wait``) or when it is unknown."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: key not in self._running)
            running = key in self._running
        self._tell()
        if running:
            return None
        if key not in self._results and not self._read(key):
            return None
        self._results.move_to_end(key)
        return self._results[key].result

    def running(self, key: str) -> bool:
        """Tell whether a job has been submitted and has not ended."""
        return key in self._running

    def wait(self, seconds: float, *, seen: int) -> None:
        """Wait until more than ``seen`` jobs have ended, none runs, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended != seen or not self._running, seconds)
        self._tell()

    @property
    def parallel(self) -> bool:
        """Whether jobs run side by side, so that it pays to start them early."""
        return self._crew is not None

    def forget(self, key: str) -> None:
        """Forget one result: who asked for it keeps it."""
        with self._changed:
            self._results.pop(key, None)

    def drop(self, kind: str) -> None:
        """Forget the results of a kind; what is asked for again is read from disk or done again."""
        with self._changed:
            for key in [k for k, r in self._results.items() if r.kind == kind]:
                del self._results[key]

    def trim(self, max_bytes: int) -> None:
        """Forget what was not asked for longest, until the rest is no larger than that.

        A fit is forgotten only when it is on disk, since it must not be done twice.
        """
        with self._changed:
            size = sum(r.size for r in self._results.values())
            for key, one in list(self._results.items()):
                if size <= max_bytes:
                    return
                if one.kind != FIT or (self._kept is not None and self._kept.has(key)):
                    del self._results[key]
                    size -= one.size

    def close(self) -> None:
        """End what runs, and forget all."""
        if self._crew is not None:
            self._crew.close()
        self._results.clear()
        self._running.clear()

    def _do_here(self, key: str, job: Job) -> None:
        start = time.perf_counter()
        try:
            result = work(job, dump, load)
        except SystemExit as error:
            result = JobResult(ok=False, why=reason(error))
        except BaseException:
            self._running.discard(key)
            raise
        self._end(key, job, result, time.perf_counter() - start)

    def _read(self, key: str) -> bool:
        """Look for a result on disk."""
        try:
            found = None if self._kept is None else self._kept.get(key)
        except Damaged as damaged:
            self._notes[key] = damaged.what
            return False
        if found is not None:
            kind, result = found
            self._store(key, kind, result, result.facts.get("seconds", 0.0), kept=True)
        return found is not None

    def _end(self, key: str, job: Job, result: JobResult, seconds: float) -> None:
        """Take a result, from whichever thread."""
        # How long an answer takes here says nothing of how long it took then.
        facts = {k: 0.0 if k.endswith("_ms") else v for k, v in result.facts.items()}
        result = replace(result, facts=facts)
        if self._kept is not None and result.ok:
            try:
                self._kept.put(key, job.kind, result)
            except OSError as error:
                self._notes[key] = f"its result could not be kept: {error}"
        self._store(key, job.kind, result, facts.get("seconds", seconds), kept=False)

    def _store(self, key: str, kind: str, result: JobResult, seconds: float, *, kept: bool) -> None:
        size = len(result.model or b"") + sum(t.nbytes for t in result.tables.values())
        with self._changed:
            self._results[key] = _Result(kind=kind, result=result, size=size)
            self._running.discard(key)
            note = self._notes.pop(key, "")
            if key not in self._counted or note:
                why = "; ".join(filter(None, (result.why, note)))
                done = Done(key=key, kind=kind, ok=result.ok, why=why, seconds=seconds, kept=kept)
                self._news.append(done)
            if key not in self._counted:
                self._counted.add(key)
                spent = self.spent.setdefault(kind, Spent())
                spent.jobs += 1
                spent.seconds += seconds
            self.ended += 1
            self._changed.notify_all()

    def _tell(self) -> None:
        while self._news:
            done = self._news.popleft()
            if self._told is not None:
                self._told(done)


@dataclass(kw_only=True)
class _Started:
    key: str
    due: datetime
    job: Job | None
    """Until there is a result: it may have to be done again."""
    result: JobResult | None = None


class SharedJobs:
    """The jobs of one replay, done by what it shares with others.

    Parameters
    ----------
    work
        Does them.
    clock
        The replay's own clock.
    latency
        How long each kind of job takes in the replay, by that clock; nothing if left out.
    marks
        Says what else the result of a job depends on.

    Examples
    --------
    >>> from tidemill.core.clock import SystemClock
    >>> from tidemill.testing.work import fit_table, train_mean
    >>> work = Work()
    >>> for k in range(50):
    ...     jobs = SharedJobs(work, SystemClock())
    ...     jobs.start(Job(id=f"v{k}", kind="fit", work=train_mean, table=fit_table()))
    >>> work.spent["fit"].jobs
    1
    """

    def __init__(
        self,
        work: Work,
        clock: Clock,
        *,
        latency: Mapping[str, timedelta] | None = None,
        marks: Callable[[Job], str] | None = None,
    ) -> None:
        self.work = work
        self._clock = clock
        self._latency = dict(latency or {})
        self._marks = marks
        self._started: dict[str, _Started] = {}
        self._seen = 0

    def start(self, job: Job) -> None:
        if job.id in self._started:
            return
        if job.kind == FIT and not getattr(job.work, "continues", True):
            # Not given either, so that its result cannot depend on who asked for it first.
            job = replace(job, models={k: v for k, v in job.models.items() if k != "previous"})
        if job.kind == "check":
            # How long one answer takes here says nothing of how long it took then.
            job = replace(job, kind="answer")
        key = self.work.keys.of(job, "" if self._marks is None else self._marks(job))
        due = self._clock.now() + self._latency.get(job.kind, timedelta(0))
        self._started[job.id] = _Started(key=key, due=due, job=job)
        self.work.submit(key, job)

    def poll(self, job_id: str) -> JobResult | None:
        one = self._started.get(job_id)
        if one is None:
            return JobResult(ok=False, why="it was never started", facts={"lost": True})
        self._seen = self.work.ended
        if one.job is not None and self._clock.now() >= one.due:
            # Done again if it was trimmed before it was asked for.
            self.work.submit(one.key, one.job)
            one.result = self.work.result(one.key, wait=False)
            if one.result is not None:
                one.job = None
        return one.result

    def wait(self, seconds: float) -> None:
        """Wait until a job ends that is due by the clock; at once when there is none."""
        now = self._clock.now()
        waiting = [s for s in self._started.values() if s.job is not None and s.due <= now]
        if any(self.work.running(s.key) for s in waiting):
            self.work.wait(seconds, seen=self._seen)

    def due(self) -> datetime | None:
        """Return when, by the clock, the next job ends that has not; None when all have."""
        now = self._clock.now()
        return min((s.due for s in self._started.values() if s.due > now), default=None)

    def forget(self, job_id: str) -> None:
        self._started.pop(job_id, None)

    def close(self) -> None:
        """Let go of this replay's jobs; what they share goes on."""
        self._started.clear()

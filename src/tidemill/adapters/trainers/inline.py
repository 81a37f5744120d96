"""Runs jobs at once, in this process: for replays and tests. No limits, no protection."""

from __future__ import annotations

from dataclasses import replace

from tidemill.adapters.trainers.pickling import dump, load
from tidemill.core.ports import Job, JobResult
from tidemill.core.work import work


class Inline:
    """Jobs that are done when ``start`` returns."""

    def __init__(self) -> None:
        self._results: dict[str, JobResult] = {}

    def start(self, job: Job) -> None:
        if job.id not in self._results:
            result = work(job, dump, load)
            # How long an answer takes here says nothing of how long it took then.
            facts = {k: 0.0 if k.endswith("_ms") else v for k, v in result.facts.items()}
            self._results[job.id] = replace(result, facts=facts)

    def poll(self, job_id: str) -> JobResult | None:
        lost = JobResult(ok=False, why="it was never started", facts={"lost": True})
        return self._results.get(job_id, lost)

    def wait(self, seconds: float) -> None:
        return

    def forget(self, job_id: str) -> None:
        self._results.pop(job_id, None)

    def close(self) -> None:
        self._results.clear()

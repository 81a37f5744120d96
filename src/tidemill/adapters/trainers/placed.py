"""Jobs of a mill that several machines turn: a job belongs to the machine that started it."""

from __future__ import annotations

from datetime import datetime, timedelta

from tidemill.core.clock import Clock, SystemClock
from tidemill.core.ports import Job, JobResult, Jobs, Json, KeepsInputs, StateStore

BOOK = "jobs"
"""The ledger of the state that says where jobs were started."""
GRACE = timedelta(minutes=1)


class PlacedJobs:
    """Jobs that run here, and the knowledge of those that run elsewhere.

    A job that another machine started counts as running until its time is over; then whoever
    turns starts it anew. Should the other one finish it after all, its result is not used.

    Parameters
    ----------
    here
        Runs the jobs of this machine.
    state
        Keeps where each was started.
    place
        Names this machine and its folder.
    clock
        Tells when a job's time is over.
    """

    def __init__(
        self, here: Jobs, state: StateStore, place: str, *, clock: Clock | None = None
    ) -> None:
        self._here = here
        self._state = state
        self._place = place
        self._clock = clock or SystemClock()

    def start(self, job: Job) -> None:
        found = self.poll(job.id)
        if found is None or not found.facts.get("lost"):
            return
        self._here.start(job)
        at = self._clock.now().isoformat()
        row = {"job": job.id, "place": self._place, "at": at, "seconds": job.seconds}
        n = sum(1 for other in self._state.rows(BOOK) if other["job"] == job.id)
        self._state.add_row(BOOK, f"{job.id} {n}", row)

    def poll(self, job_id: str) -> JobResult | None:
        found = self._here.poll(job_id)
        if found is None or not found.facts.get("lost"):
            return found
        begun = [row for row in self._state.rows(BOOK) if row["job"] == job_id]
        return None if begun and self._goes_on(begun[-1]) else found

    def _goes_on(self, row: Json) -> bool:
        if row["place"] == self._place:
            return False
        end = datetime.fromisoformat(row["at"]) + timedelta(seconds=row["seconds"]) + GRACE
        return self._clock.now() < end

    def wait(self, seconds: float) -> None:
        self._here.wait(seconds)

    def forget(self, job_id: str) -> None:
        self._here.forget(job_id)

    def kept(self) -> list[str]:
        return self._here.kept() if isinstance(self._here, KeepsInputs) else []

    def clear(self) -> int:
        return self._here.clear() if isinstance(self._here, KeepsInputs) else 0

    def close(self) -> None:
        self._here.close()

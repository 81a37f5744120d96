"""Jobs in a turn: start one, start it again when it was lost, but not for ever."""

from __future__ import annotations

from tidemill.core.ports import Job, JobResult, Lease
from tidemill.strategy.turn import Turn

TRIES = 3
"""How often a job whose process disappears is started before its candidate fails."""


def begin(turn: Turn, lease: Lease, job: Job) -> None:
    """Start a job and count the try; a job that runs already is left alone."""
    lost = turn.world.jobs.poll(job.id)
    if lost is not None and lost.facts.get("lost"):
        tries = turn.world.state.fact("tries") or {}
        tries[job.id] = tries.get(job.id, 0) + 1
        turn.world.state.set_fact(lease, "tries", tries)
    turn.world.jobs.start(job)


def worth_another_try(turn: Turn, result: JobResult, job_id: str) -> bool:
    """Tell whether a job was lost, and not too often yet."""
    tries = turn.world.state.fact("tries") or {}
    return bool(result.facts.get("lost")) and tries.get(job_id, 0) < TRIES


def end(turn: Turn, lease: Lease, job_id: str) -> None:
    """Forget a job whose result was collected."""
    turn.world.jobs.forget(job_id)
    tries = turn.world.state.fact("tries") or {}
    if tries.pop(job_id, None) is not None:
        turn.world.state.set_fact(lease, "tries", tries)

"""A release in a turn: train, test, sign, check, go live. One step at a time, each journalled."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np

from tidemill.core.durations import duration
from tidemill.core.machines import LABELLING, PENDING, RELEASE
from tidemill.core.ports import Json, Lease, Machine, StateStore
from tidemill.core.verdict import Finding, Verdict
from tidemill.strategy import labelling
from tidemill.strategy.candidates import WORKING, job_id, job_of
from tidemill.strategy.checking import spot_check
from tidemill.strategy.comparing import chosen, compared
from tidemill.strategy.jobs import begin, end, worth_another_try
from tidemill.strategy.signing import signature_for
from tidemill.strategy.turn import Step, Turn

_FIX = ". Fix: mend the training; jobs/ has what it printed, and the next retrain tries again."


def jobs_of(state: StateStore) -> list[str]:
    """Return the ids of all jobs that some machine waits for."""
    releases = [job_id(m) for m in state.machines(RELEASE, list(WORKING))]
    return releases + [labelling.running(m) for m in state.machines(LABELLING, ["requested"])]


def sweep(turn: Turn, lease: Lease) -> None:
    """Forget jobs that nobody waits for any more: collected right before a crash."""
    begun = turn.world.state.fact("tries") or {}
    for job in sorted(set(begun) - set(jobs_of(turn.world.state) if begun else ())):
        end(turn, lease, job)


def due(turn: Turn) -> Iterator[Step]:
    """Say for each candidate on its way what its next step is, if it can be decided now."""
    for machine in turn.world.state.machines(RELEASE, list(PENDING)):
        step = _next(turn, machine)
        if step is not None:
            yield step


def _next(turn: Turn, m: Machine) -> Step | None:
    if m.state in WORKING:
        return _collect(turn, m)
    if m.state == "triggered":
        rows = m.payload["dataset"]["train"]
        return _step(m, "training", f"fit on {rows:,} records")
    if m.state == "trained":
        return _step(m, "scoring", "compare on the records held out")
    if m.state == "tested":
        return _signed(turn, m) or _judged(turn, m)
    if m.state == "approved":
        return _step(m, "checking", "spot check on recent records")
    return _signed(turn, m) or _waited(turn, m)


def _step(m: Machine, target: str, why: str, data: Any = None) -> Step:
    return Step(stage=RELEASE, id=m.id, source=m.state, target=target, why=why, data=data)


def _collect(turn: Turn, m: Machine) -> Step | None:
    result = turn.world.jobs.poll(job_id(m))
    if result is None:
        turn.running += 1
        turn.notes.append(f"{m.id} is {m.state}")
        return None
    if worth_another_try(turn, result, job_id(m)):
        return _step(m, m.state, "its process disappeared; start it again")
    if m.state == "checking":
        return _checked(turn, m, result)
    if not result.ok:
        did = {"training": "the fit failed", "scoring": "it could not answer"}[m.state]
        why = f"{did}: {result.why}{'' if 'Fix:' in result.why else _FIX}"
        return _step(m, "failed", why, result)
    if m.state == "training":
        return _step(m, "trained", "the fit is done", result)
    return _step(m, "tested", "the answers are there", result)


def _signed(turn: Turn, m: Machine) -> Step | None:
    signature = signature_for(turn.world.state, m)
    if signature is None:
        return None
    target = "approved" if signature["decision"] == "approve" else "refused"
    said = f": {signature['why']}" if signature["why"] else ""
    return _step(m, target, f"{signature['who']} signed {signature['decision']}{said}", signature)


def _judged(turn: Turn, m: Machine) -> Step:
    verdict, why = Verdict(m.payload["verdict"]), m.payload["why"]
    how = turn.strategy.signing
    if verdict == Verdict.ALERT:
        return _step(m, "refused", why)
    if how == "approve":
        return _step(m, "awaiting", f"{verdict}: {why}; waits for a signature")
    if how == "suggest":
        return _step(m, "inconclusive", f"{verdict}: {why}; suggested, not rolled out")
    if verdict == Verdict.OK:
        return _step(m, "approved", why, {"who": "tidemill", "decision": "approve"})
    return _step(m, "inconclusive", f"{why}; the champion stays")


def _waited(turn: Turn, m: Machine) -> Step | None:
    tested = datetime.fromisoformat(m.payload["tested_at"]).replace(microsecond=0)
    deadline = tested + duration(turn.strategy.deadline)
    if m.state == "awaiting":
        if turn.now >= deadline:
            return _step(m, "expired", f"nobody signed within {turn.strategy.deadline}")
        turn.due.append(deadline)
        turn.notes.append(f"{m.id} waits for a signature: tidemill releases approve {m.id}")
        return None
    # Test again only on new evidence, and never because a person has not signed.
    curated = turn.world.state.fact("curated_until")
    if turn.steps or turn.world.state.machines(LABELLING, ["requested"]):
        return None  # the evidence is still on its way
    if turn.strategy.signing == "auto" and curated != m.payload["curated_until"]:
        return _step(m, "scoring", "compare again: new labelled records are there")
    return None


def _checked(turn: Turn, m: Machine, result: Any) -> Step:
    check = spot_check(result)
    finding: Finding = turn.strategy.online(check)
    seen = {
        "asked": check.asked,
        "missing": check.missing,
        "agree": None if np.isnan(check.agree) else check.agree,
        "latency_ms": check.latency_ms,
    }
    data = {"check": seen}
    target = "live" if finding.verdict == Verdict.OK else "refused"
    return _step(m, target, finding.why, data)


def apply(turn: Turn, lease: Lease, step: Step) -> None:
    """Do one step of a release."""
    m = turn.world.state.machine(RELEASE, step.id)
    if m is None or m.state != step.source:
        return
    if step.target == m.state:
        begin(turn, lease, job_of(turn, m, m.payload))
        return
    payload = {**m.payload, **_PAYLOADS.get(step.target, _nothing)(turn, m, step)}
    if step.target in WORKING:
        waiting = Machine(
            kind=m.kind, id=m.id, state=step.target, payload=payload, updated_at=turn.now
        )
        begin(turn, lease, job_of(turn, waiting, payload))
    actor = step.data.get("who", "tidemill") if isinstance(step.data, dict) else "tidemill"
    more: Json = {"why": payload.pop("_why", step.why), "payload": payload, "actor": actor}
    if step.target == "live":
        more |= _go_live(turn, m)
    turn.move(lease, RELEASE, m.id, m.state, step.target, **more)
    if m.state in WORKING:
        end(turn, lease, job_id(m))


def _nothing(turn: Turn, m: Machine, step: Step) -> Json:
    return {}


def _trained(turn: Turn, m: Machine, step: Step) -> Json:
    result = step.data
    digest = turn.world.blobs.put("models", result.model)
    facts = result.facts
    return {
        "model": {"digest": digest, "features": facts["features"], "rows": facts["rows"]},
        "trained_at": turn.now.isoformat(),
        "seconds": facts["seconds"],
    }


def _scoring(turn: Turn, m: Machine, step: Step) -> Json:
    return chosen(turn, m)


def _tested(turn: Turn, m: Machine, step: Step) -> Json:
    return compared(turn, m, step.data)


def _approved(turn: Turn, m: Machine, step: Step) -> Json:
    return {"signed_by": step.data["who"]}


def _failed(turn: Turn, m: Machine, step: Step) -> Json:
    return {"why": step.why}


def _lived(turn: Turn, m: Machine, step: Step) -> Json:
    return {"live_at": turn.now.isoformat(), "spot_check": step.data["check"]}


def _refused(turn: Turn, m: Machine, step: Step) -> Json:
    check = step.data.get("check") if isinstance(step.data, dict) else None
    return {"why": step.why} | ({"spot_check": check} if check else {})


_PAYLOADS = {
    "trained": _trained,
    "scoring": _scoring,
    "tested": _tested,
    "approved": _approved,
    "failed": _failed,
    "live": _lived,
    "refused": _refused,
}


def _go_live(turn: Turn, m: Machine) -> Json:
    front = turn.world.state.front()
    if front is None or front.version is None:
        return {"front": m.id}
    old = turn.world.state.machine(RELEASE, front.version)
    if old is None or old.state != "live":
        return {"front": m.id}
    retired = turn.transition(
        RELEASE, old.id, "live", "retired", why=f"{m.id} went live", payload=old.payload
    )
    return {"front": m.id, "also": (retired,)}

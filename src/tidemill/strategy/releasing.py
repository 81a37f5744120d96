"""A release in a turn: train, test, sign, check, go live. One step at a time, each journalled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.durations import duration
from tidemill.core.errors import unknown
from tidemill.core.importance import Importance
from tidemill.core.machines import LABELLING, PENDING, RELEASE
from tidemill.core.ports import Job, Json, Lease, Machine, StateStore
from tidemill.core.rules import Gate, TestSet
from tidemill.core.verdict import Finding, Verdict
from tidemill.core.work import reason, same_features
from tidemill.loop.datasets import Manifest, rebuild
from tidemill.loop.datasets.manifest import fetch
from tidemill.loop.offline.comparison import answered, compare_on
from tidemill.loop.offline.report_card import report_card
from tidemill.measures.grouped import columns_of_groups
from tidemill.strategy import labelling
from tidemill.strategy.checking import recent, spot_check
from tidemill.strategy.forming import form_test
from tidemill.strategy.in_place import assumed, doubt
from tidemill.strategy.jobs import begin, end, worth_another_try
from tidemill.strategy.models import model_of
from tidemill.strategy.signing import signature_for
from tidemill.strategy.turn import Step, Turn

_JOBS = {"training": "fit", "scoring": "score", "checking": "check"}
"""States that wait for a job, and what the job is called."""


_MATTERING = ("importance", "importance_why")
"""What a job says of how much answers rest on each feature, for monitoring."""
_FIX = ". Fix: mend the training; jobs/ has what it printed, and the next retrain tries again."


def jobs_of(state: StateStore) -> list[str]:
    """Return the ids of all jobs that some machine waits for."""
    releases = [job_id(m) for m in state.machines(RELEASE, list(_JOBS))]
    return releases + [labelling.running(m) for m in state.machines(LABELLING, ["requested"])]


def sweep(turn: Turn, lease: Lease) -> None:
    """Forget jobs that nobody waits for any more: collected right before a crash."""
    begun = turn.world.state.fact("tries") or {}
    for job in sorted(set(begun) - set(jobs_of(turn.world.state) if begun else ())):
        end(turn, lease, job)


def job_id(machine: Machine) -> str:
    """Name the job that a release waits for in its state; tests are numbered by look."""
    look = machine.payload.get("look", 1)
    suffix = f"-{look}" if machine.state == "scoring" else ""
    return f"{machine.id}-{_JOBS[machine.state]}{suffix}"


def due(turn: Turn) -> Iterator[Step]:
    """Say for each candidate on its way what its next step is, if it can be decided now."""
    for machine in turn.world.state.machines(RELEASE, list(PENDING)):
        step = _next(turn, machine)
        if step is not None:
            yield step


def _next(turn: Turn, m: Machine) -> Step | None:
    if m.state in _JOBS:
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


def apply(turn: Turn, lease: Lease, step: Step) -> None:
    """Do one step of a release."""
    m = turn.world.state.machine(RELEASE, step.id)
    if m is None or m.state != step.source:
        return
    if step.target == m.state:
        begin(turn, lease, _job(turn, m, m.payload))
        return
    payload = {**m.payload, **_PAYLOADS.get(step.target, _nothing)(turn, m, step)}
    if step.target in _JOBS:
        waiting = Machine(
            kind=m.kind, id=m.id, state=step.target, payload=payload, updated_at=turn.now
        )
        begin(turn, lease, _job(turn, waiting, payload))
    actor = step.data.get("who", "tidemill") if isinstance(step.data, dict) else "tidemill"
    more: Json = {"why": payload.pop("_why", step.why), "payload": payload, "actor": actor}
    if step.target == "live":
        more |= _go_live(turn, m)
    turn.move(lease, RELEASE, m.id, m.state, step.target, **more)
    if m.state in _JOBS:
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
    """Write down exactly which rows the comparison is about."""
    front = turn.world.state.front()
    champion = None if front is None else front.version
    dataset = dataset_of(turn, m.id)
    if turn.strategy.tested:
        rows = form_test(
            turn,
            dataset,
            dataset_of(turn, champion) if champion else None,
            formed_at=datetime.fromisoformat(m.payload["triggered_at"]),
        )
    else:
        rows = Manifest(rows=dataset.rows.slice(0, 0))
    return {
        "champion": champion,
        "test": {
            "blob": turn.world.blobs.put("datasets", rows.to_bytes()),
            "digest": rows.digest,
            "rows": len(rows.rows),
        },
        "look": m.payload.get("look", 0) + 1,
        "curated_until": turn.world.state.fact("curated_until"),
    }


def _tested(turn: Turn, m: Machine, step: Step) -> Json:
    rows = _manifest(turn, m.payload["test"]["blob"]).rows
    answers = {name: answered(table) for name, table in step.data.tables.items()}
    rows = _with_groups(turn, rows)
    test = compare_on(rows, answers, look=m.payload["look"])
    findings = [_ask(gate, test) for gate in turn.strategy.offline]
    flatters = doubt(turn.world, turn.strategy)
    told = assumed(turn.world)
    card = report_card(m.id, m.payload, test, findings, assumed=told, doubt=flatters)
    text = json.dumps(card, sort_keys=True, indent=1, allow_nan=False)
    report = turn.world.blobs.put("reports", text.encode())
    return {
        "report": report,
        "answers": _answers_digest(step.data.tables["candidate"]),
        "verdict": card["verdict"],
        "why": card["why"],
        "tested_at": turn.now.isoformat(),
        **{k: v for k, v in step.data.facts.items() if k in _MATTERING},
        "_why": f"{card['verdict']}: {card['why']}",
    }


def _with_groups(turn: Turn, rows: pa.Table) -> pa.Table:
    """Fetch what tells the lists of the rows of a test, where a gate's metric is of lists."""
    columns = columns_of_groups(getattr(gate, "metric", None) for gate in turn.strategy.offline)
    if not columns or not rows.num_rows:
        return rows
    span = pc.min_max(rows["predicted_at"]).as_py()
    found = turn.view.records(since=span["min"], until=span["max"] + timedelta(microseconds=1))
    known = turn.view.arrow(found.select("record_id", *columns))
    place = pc.index_in(rows["record_id"], known["record_id"])
    for name in columns:
        rows = rows.append_column(name, known[name].take(place))
    return rows


def _ask(gate: Gate, test: TestSet) -> Finding:
    """Ask a gate; one that breaks, as on labels its metric cannot read, has no verdict."""
    try:
        return gate(test)
    except Exception as error:  # noqa: BLE001 - a user's metric may raise anything
        name = getattr(getattr(gate, "metric", None), "name", type(gate).__name__)
        why = f"it cannot tell: {reason(error)}"
        return Finding(gate=str(name), verdict=Verdict.NO_VERDICT, why=why)


def _answers_digest(said: pa.Table) -> str:
    """Name a model by what it answers on its test, to nine digits: bytes may differ."""
    digest = hashlib.sha256()
    for name in sorted(said.column_names):
        digest.update(name.encode())
        if pa.types.is_floating(said[name].type):
            digest.update(_nine_digits(said[name].to_numpy()).tobytes())
        else:
            digest.update("\x1f".join(map(str, said[name].to_pylist())).encode())
    return digest.hexdigest()[:16]


def _nine_digits(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Round to nine significant digits; what is no number stays what it is."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        size = 10.0 ** (8 - np.floor(np.log10(np.abs(values))))
        rounded = np.rint(values * size) / size
    plain = (values == 0) | ~np.isfinite(values) | ~np.isfinite(rounded)
    return np.where(np.isnan(values), np.nan, np.where(plain, values, rounded)) + 0.0


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


def _job(turn: Turn, m: Machine, payload: Json) -> Job:
    """Make the job that a release waits for in a state; the same whenever it is asked."""
    trainer = turn.strategy.training
    limits: Json = {"seconds": trainer.seconds, "memory_mb": trainer.memory_mb}
    if m.state == "training":
        content = f"train of {payload['dataset']['digest']}"
        table = turn.known(lambda: _training_rows(turn, m.id), content)
        champion = _models(turn, {"previous": payload["champion"]})
        return Job(
            id=job_id(m),
            kind="fit",
            work=trainer,
            table=table,
            models=champion,
            content=content,
            **limits,
        )
    if m.state == "scoring":
        wanted = _manifest(turn, payload["test"]["blob"]).rows
        features = fetch(turn.view, wanted) if wanted.num_rows else pa.table({})
    else:
        features = recent(turn, since=payload["dataset"]["first"])
    features = same_features(features, payload["model"]["features"])
    models = _models(turn, {"candidate": m.id, "champion": payload["champion"]}, payload)
    kind = "answer" if m.state == "scoring" else "check"
    asked = _importance(turn) if m.state == "scoring" and features.num_rows else None
    return Job(id=job_id(m), kind=kind, work=asked, table=features, models=models, **limits)


def _importance(turn: Turn) -> Importance | None:
    """Ask what the answers rest on where somebody watches; a replay of the past does not."""
    if turn.strategy.monitoring is None or turn.world.door is not None:
        return None
    return Importance(seconds=min(5.0, turn.strategy.training.seconds / 10))


def _training_rows(turn: Turn, version: str) -> pa.Table:
    rows, data = rebuild(turn.view, dataset_of(turn, version), "train")
    table = data.features
    for name in ("label", "label_text", "weight"):
        table = table.append_column(name, rows[name])
    return table


def _models(turn: Turn, wanted: dict[str, str | None], own: Json | None = None) -> dict[str, bytes]:
    found = {}
    for name, version in wanted.items():
        machine = turn.world.state.machine(RELEASE, version) if version else None
        payload = own if name == "candidate" else machine.payload if machine else None
        if payload and "model" in payload:
            found[name] = model_of(turn.world, str(version), payload["model"]["digest"])
    return found


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


def dataset_of(turn: Turn, version: str) -> Manifest:
    """Return the dataset a release was trained on."""
    machine = turn.world.state.machine(RELEASE, version)
    if machine is None:
        raise unknown("release", version, [x.id for x in turn.world.state.machines(RELEASE)])
    return _manifest(turn, machine.payload["dataset"]["blob"])


def _manifest(turn: Turn, blob: str) -> Manifest:
    return turn.world.known(
        lambda: Manifest.from_bytes(turn.world.blobs.get("datasets", blob)), "manifest", blob
    )

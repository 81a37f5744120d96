"""What a candidate is made of, and the jobs that make and ask it."""

from __future__ import annotations

import pyarrow as pa

from tidemill.core.errors import unknown
from tidemill.core.importance import Importance
from tidemill.core.machines import RELEASE
from tidemill.core.ports import Job, Json, Machine
from tidemill.core.work import same_features
from tidemill.loop.datasets import Manifest, rebuild
from tidemill.loop.datasets.manifest import fetch
from tidemill.strategy.checking import recent
from tidemill.strategy.models import model_of
from tidemill.strategy.turn import Turn

WORKING = {"training": "fit", "scoring": "score", "checking": "check"}
"""States that wait for a job, and what the job is called."""


def job_id(machine: Machine) -> str:
    """Name the job that a release waits for in its state; tests are numbered by look."""
    look = machine.payload.get("look", 1)
    suffix = f"-{look}" if machine.state == "scoring" else ""
    return f"{machine.id}-{WORKING[machine.state]}{suffix}"


def job_of(turn: Turn, m: Machine, payload: Json) -> Job:
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
        wanted = manifest_of(turn, payload["test"]["blob"]).rows
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


def dataset_of(turn: Turn, version: str) -> Manifest:
    """Return the dataset a release was trained on."""
    machine = turn.world.state.machine(RELEASE, version)
    if machine is None:
        raise unknown("release", version, [x.id for x in turn.world.state.machines(RELEASE)])
    return manifest_of(turn, machine.payload["dataset"]["blob"])


def manifest_of(turn: Turn, blob: str) -> Manifest:
    """Return a dataset by the name of its bytes."""
    return turn.world.known(
        lambda: Manifest.from_bytes(turn.world.blobs.get("datasets", blob)), "manifest", blob
    )

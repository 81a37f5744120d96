"""Lineage both ways: from a record to every model that saw it, from a model to what made it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC
from typing import Any

import ibis
import pyarrow as pa

from tidemill.core.as_of import AsOf, moment
from tidemill.core.errors import BadInput, unknown
from tidemill.core.machines import INCIDENT, RELEASE
from tidemill.core.ports import Json, Machine, World
from tidemill.loop.datasets.manifest import Manifest, entries
from tidemill.strategy import erased, registry
from tidemill.strategy.turn import moment_of

KINDS = ("release", "dataset", "model", "record")
SHORTEST = 6
"""Digits of a digest that name a dataset or a model, at least."""

_HIDDEN = ("u_log", "u_label", "u_split", "row_hash", "day")


def history(world: World, name: str, *, kind: str | None = None) -> Json:
    """Say where something came from and where it went.

    Parameters
    ----------
    name
        A release (``v3``), a dataset or the beginning of its digest (``ds-03b60e92b917``), the
        beginning of the digest of a model, or the id of a record.
    kind
        One of :data:`KINDS`, where a name fits several.

    Returns
    -------
    dict
        ``kind`` and ``id``; the other keys are those of ``docs/cli.md``.

    Raises
    ------
    NotFound
        If nothing has this name.
    BadInput
        If several things have it, and no kind is given.
    """
    if kind is not None and kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    found = {k: answer for k in KINDS if kind in (None, k) and (answer := _FOUND[k](world, name))}
    if not found:
        names = [m.id for m in world.state.machines(RELEASE)]
        raise unknown("record, dataset, model or release", name, names)
    if len(found) > 1:
        raise BadInput(
            f"{name!r} is {' and '.join(f'a {k}' for k in found)}.",
            fix=f"say which: --kind {next(iter(found))}.",
        )
    return next(iter(found.values()))()


def _release(world: World, name: str) -> Callable[[], Json] | None:
    machine = world.state.machine(RELEASE, name)
    return None if machine is None else lambda: of_release(world, machine)


def _dataset(world: World, name: str) -> Callable[[], Json] | None:
    wanted = name.removeprefix("ds-")
    fitting = {
        m.payload["dataset"]["digest"]
        for m in _trained_on(world)
        if len(wanted) >= SHORTEST and m.payload["dataset"]["digest"].startswith(wanted)
    }
    return (lambda: of_dataset(world, _only("dataset", name, fitting))) if fitting else None


def _model(world: World, name: str) -> Callable[[], Json] | None:
    fitting = {
        m.payload["model"]["digest"]: m
        for m in world.state.machines(RELEASE)
        if len(name) >= SHORTEST and m.payload.get("model", {}).get("digest", "").startswith(name)
    }
    if not fitting:
        return None
    return lambda: of_release(world, fitting[_only("model", name, set(fitting))])


def _record(world: World, name: str) -> Callable[[], Json] | None:
    view = AsOf(world.events, world.engine, moment_of(world))
    rows = view.records()
    found = view.arrow(rows.filter(rows.record_id == name)).to_pylist()
    if found:
        return lambda: of_record(world, found[0])
    gone = erased.of_record(world, name)
    return None if gone is None else (lambda: {"kind": "record", "id": name, "erased": gone})


_FOUND = {"release": _release, "dataset": _dataset, "model": _model, "record": _record}


def _only(kind: str, name: str, fitting: set[str]) -> str:
    if len(fitting) > 1:
        raise BadInput(
            f"{kind} {name!r} may be any of {', '.join(sorted(d[:12] for d in fitting))}.",
            fix="give more of its digits.",
        )
    return next(iter(fitting))


def of_record(world: World, record: Json) -> Json:
    """Say who answered a record, what came of it, and which models learnt from it."""
    name, at = record["record_id"], record["predicted_at"].astimezone(UTC)
    view = AsOf(world.events, world.engine, moment_of(world))
    known = {k: v for k, v in record.items() if v is not None and k not in _HIDDEN}
    counted = _one(view, view.labels(since=at), name)
    labels = _rows(view, "labels", name)
    for label in labels:
        label["counts"] = bool(counted) and label["label_id"] == counted[0]["label_id"]
    chosen = _rows(view, "chosen", name)
    learnt = [
        {"release": m.id, "state": m.state, "dataset": "ds-" + m.payload["dataset"]["digest"][:12]}
        | {k: found[k] for k in ("split", "weight", "label_id", "label", "label_text")}
        for m in _trained_on(world)
        for found in _held(world, m, name)
    ]
    answered = world.state.machine(RELEASE, record["model"]) if record["model"] else None
    return {
        "kind": "record",
        "id": name,
        "erased": None,
        "record": known,
        "answered_by": None if answered is None else _made(world, answered),
        "chosen": chosen[0] if chosen else None,
        "labels": labels,
        "feedback": _rows(view, "feedback", name),
        "learnt_by": [one for one in learnt if one["split"] == "train"],
        "tested_by": [one for one in learnt if one["split"] == "test"],
        "incidents": _shown_in(world, name),
    }


def of_dataset(world: World, digest: str) -> Json:
    """Say who formed a dataset, what is in it, and who learnt from it."""
    machines = [m for m in _trained_on(world) if m.payload["dataset"]["digest"] == digest]
    first = machines[0]
    rows = Manifest.from_bytes(world.blobs.get("datasets", first.payload["dataset"]["blob"])).rows
    return {
        "kind": "dataset",
        "id": "ds-" + digest[:12],
        "digest": digest,
        "held": {k: v for k, v in first.payload["dataset"].items() if k != "difference"},
        "strategy": _strategy(world, first.payload.get("strategy")),
        "formed_at": first.payload["triggered_at"],
        "releases": [{"release": m.id, "state": m.state} for m in machines],
        "answered_by": _answered(world, rows),
        "erased": erased.number(world, first.payload["dataset"]["blob"]),
        "records": rows["record_id"][:5].to_pylist(),
    }


def of_release(world: World, machine: Machine) -> Json:
    """Say what a release was made of, what became of it, and what it answered."""
    steps = world.state.journal(kind=RELEASE, machine=machine.id)
    fronts = [f for f in world.state.fronts() if f.version == machine.id]
    answered = AsOf(world.events, world.engine, moment_of(world))
    rows = answered.records().filter(ibis._.model == machine.id)
    told = answered.arrow(
        rows.aggregate(
            records=rows.count(), first=rows.predicted_at.min(), last=rows.predicted_at.max()
        )
    ).to_pylist()[0]
    return {
        "kind": "release",
        "id": machine.id,
        **_made(world, machine),
        "steps": [
            {"at": r.at.isoformat(), "to": r.target, "why": r.why, "by": r.actor} for r in steps
        ],
        "in_front_from": [f.at.isoformat() for f in fronts],
        "signatures": [s for s in world.state.rows("signatures") if s["release"] == machine.id],
        "answered": told,
    }


def _made(world: World, machine: Machine) -> Json:
    """Say what a release was made of."""
    payload = machine.payload
    dataset = payload.get("dataset", {})
    return {
        "release": machine.id,
        "state": machine.state,
        "model": payload.get("model", {}).get("digest"),
        "dataset": "ds-" + dataset["digest"][:12] if dataset else None,
        "rows": dataset.get("train"),
        "labels": dataset.get("sources"),
        "triggered_at": payload.get("triggered_at"),
        "compared_with": payload.get("champion"),
        "report": payload.get("report"),
        "strategy": _strategy(world, payload.get("strategy")),
    }


def _strategy(world: World, content: str | None) -> Json | None:
    """Say which strategy decided; its text is kept, ``tidemill strategy show`` prints it."""
    rows = [r for r in world.state.rows(registry.BOOK) if r["hash"] == content]
    if not rows:
        return None if content is None else {"hash": content}
    return {k: rows[0][k] for k in ("hash", "name", "author", "comment", "first_seen", "source")}


def _trained_on(world: World) -> list[Machine]:
    return [m for m in world.state.machines(RELEASE) if m.payload.get("dataset")]


def _held(world: World, machine: Machine, record: str) -> Iterator[Json]:
    """Yield where a record is in what a release learnt from and was tested on."""
    dataset, test = machine.payload["dataset"], machine.payload.get("test") or {}
    found = entries(world.blobs.get("datasets", dataset["blob"]), record)
    if not found and test.get("blob"):
        found = entries(world.blobs.get("datasets", test["blob"]), record)
    yield from found


def _rows(view: AsOf, table: str, record: str) -> list[Json]:
    """Return the rows of a record in a table, the oldest first."""
    return _one(view, view.table(table), record)


def _one(view: AsOf, rows: Any, record: str) -> list[Json]:
    found = view.arrow(rows.filter(rows.record_id == record).order_by("available_at"))
    hidden = [c for c in ("record_id", "predicted_at", "day") if c in found.column_names]
    return [
        {k: v for k, v in r.items() if v is not None}
        for r in found.drop_columns(hidden).to_pylist()
    ]


def _answered(world: World, rows: pa.Table) -> dict[str, int]:
    """Count who answered the records of a dataset."""
    if not rows.num_rows:
        return {}
    view = AsOf(world.events, world.engine, moment_of(world))
    records = view.table("records", since=rows["predicted_at"][0].as_py())
    records = records.filter(records.predicted_at <= moment(rows["predicted_at"][-1].as_py()))
    told = view.arrow(records.select("record_id", "model"))
    held = set(rows["record_id"].to_pylist())
    pairs = zip(told["record_id"].to_pylist(), told["model"].to_pylist(), strict=True)
    return dict(Counter(model or "" for name, model in pairs if name in held))


def _shown_in(world: World, record: str) -> list[str]:
    """Return the incidents of which a record is an example."""
    return [m.id for m in world.state.machines(INCIDENT) if record in m.payload.get("rows", ())]

"""``check``: every invariant looked at again, and one digest of all that was decided."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.as_of import AsOf
from tidemill.core.errors import TidemillError
from tidemill.core.machines import CURATION, INCIDENT, RELEASE, STEPS
from tidemill.core.ports import JournalRow, Json, World
from tidemill.core.records import TABLES
from tidemill.loop.datasets import Manifest
from tidemill.loop.datasets.manifest import fetch
from tidemill.strategy.watching.store import latest

_END = datetime(9999, 1, 1, tzinfo=UTC)
_VOLATILE = {"seconds", "latency_ms", "blob", "model", "report", "source", "strategy"}
"""What may differ between two runs that decided the same."""


def problems(world: World) -> list[str]:
    """Look at every invariant; returns what is wrong, in words."""
    view = AsOf(world.events, world.engine, _END)
    found: list[str] = []
    for look in (_journal, _front, _blobs, _records, _facts, _chosen, _datasets):
        try:
            found += look(world, view)
        except TidemillError as error:
            found.append(str(error))
    inspect = getattr(world.state, "problems", list)
    return found + list(inspect())


def _journal(world: World, view: AsOf) -> Iterator[str]:
    states: dict[tuple[str, str], str] = {}
    last = 0
    for row in world.state.journal():
        key = (row.kind, row.id)
        if states.get(key) != row.source:
            yield f"journal {row.seq}: {row.kind} {row.id} was {states.get(key)}, not {row.source}"
        if row.target not in STEPS.get(row.kind, {}).get(row.source, ()):
            yield f"journal {row.seq}: {row.kind} {row.id} may not go {row.source} → {row.target}"
        if row.seq != last + 1:
            yield f"journal: rows {last + 1} to {row.seq - 1} are missing"
        last, states[key] = row.seq, row.target
    for kind in STEPS:
        for machine in world.state.machines(kind):
            if states.pop((kind, machine.id), None) != machine.state:
                yield f"{kind} {machine.id} is {machine.state}, which the journal does not say"
    for kind, name in states:
        yield f"{kind} {name} stands in the journal but not among the machines"


def _front(world: World, view: AsOf) -> Iterator[str]:
    front = world.state.front()
    live = [m.id for m in world.state.machines(RELEASE, ["live"])]
    version = None if front is None else front.version
    if live != ([] if version is None else [version]):
        yield f"in front is {version}, but live are {', '.join(live) or 'none'}"


def _blobs(world: World, view: AsOf) -> list[str]:
    for kind in ("models", "datasets", "reports", "strategies"):
        for digest in world.blobs.digests(kind):
            world.blobs.get(kind, digest)
    for m in world.state.machines(RELEASE):
        wanted = {
            "models": m.payload.get("model", {}).get("digest"),
            "datasets": m.payload["dataset"]["blob"],
            "reports": m.payload.get("report"),
        }
        for kind, digest in wanted.items():
            if digest is not None:
                world.blobs.get(kind, digest)
    return []


def _records(world: World, view: AsOf) -> Iterator[str]:
    rows = view.table("records")
    counts = rows.group_by("record_id").aggregate(n=rows.count())
    twice = view.arrow(counts.filter(ibis._.n > 1).count().as_table())
    if n := twice.column(0)[0].as_py():
        yield f"{n} record ids are there more than once"
    bad = rows.filter(
        rows.record_id.isnull()
        | rows.predicted_at.isnull()
        | ~ibis._.p_log.between(0, 1)
        | ~ibis._.u_label.between(0, 1)
        | (ibis._.u_log >= ibis._.p_log)
    )
    if n := view.arrow(bad.count().as_table()).column(0)[0].as_py():
        yield f"{n} records break an invariant of their columns"
    last = world.state.fact("last_write")
    for table in TABLES:
        rows = view.table(table)
        newest = view.arrow(rows.aggregate(at=rows.available_at.max()))["at"][0].as_py()
        # What a turn writes itself is of its moment.
        stamped = table not in ("chosen", "quarantine", "profiles", "signals")
        if stamped and newest and (last is None or newest > datetime.fromisoformat(last)):
            yield f"{table}: rows are available at {newest}, after the last write the state knows"


def _facts(world: World, view: AsOf) -> Iterator[str]:
    records = view.table("records").select("record_id")
    for name, key in (("labels", "label_id"), ("feedback", "feedback_id")):
        rows = view.table(name)
        orphans = rows.anti_join(records, "record_id")
        if n := view.arrow(orphans.count().as_table()).column(0)[0].as_py():
            yield f"{n} {name} have no record"
        counts = rows.group_by(key).aggregate(n=rows.count())
        if n := view.arrow(counts.filter(ibis._.n > 1).count().as_table()).column(0)[0].as_py():
            yield f"{n} {name} are there more than once"


def _chosen(world: World, view: AsOf) -> Iterator[str]:
    rows = view.table("chosen")
    counts = rows.group_by("window").aggregate(
        n=rows.count(), least=rows.pi.min(), most=rows.pi.max()
    )
    found = {r["window"]: r for r in view.arrow(counts).to_pylist()}
    for machine in world.state.machines(CURATION):
        row = found.pop(machine.id, {"n": 0, "least": 1.0, "most": 1.0})
        if row["n"] != machine.payload["chosen"]:
            yield f"window {machine.id} holds {row['n']} rows, not {machine.payload['chosen']}"
        if not 0 < row["least"] <= row["most"] <= 1:
            yield f"window {machine.id} has an inclusion probability outside (0, 1]"
    for window in found:
        yield f"window {window} was chosen but is not in the journal; the next turn takes it up"


def _datasets(world: World, view: AsOf) -> Iterator[str]:
    for m in world.state.machines(RELEASE):
        kept = m.payload["dataset"]
        manifest = Manifest.from_bytes(world.blobs.get("datasets", kept["blob"]))
        if manifest.digest != kept["digest"]:
            yield f"the dataset of {m.id} does not match its digest"
        try:
            fetch(view, manifest.rows)
        except TidemillError as error:
            yield f"the dataset of {m.id} cannot be rebuilt: {error.what}"


def digest(world: World) -> str:
    """Hash all facts and decisions, without durations and process ids.

    Models count by what they answered on the rows they were tested on, to nine digits,
    since pickled bytes may differ between two fits that are the same. Times count to the
    second: what is stored right after a turn looked becomes available a microsecond later.
    """
    return hashlib.sha256(json.dumps(decided(world), sort_keys=True).encode()).hexdigest()[:16]


def decided(world: World) -> Json:
    """Return all that :func:`digest` is about."""
    view = AsOf(world.events, world.engine, _END)
    journal: dict[str, list[Json]] = {}
    for row in world.state.journal():
        journal.setdefault(f"{row.kind} {row.id}", []).append(_row(row))
    # How many looks there were depends on when somebody looked; where incidents ended does not.
    for name in [n for n in journal if n.startswith(INCIDENT)]:
        journal[name] = journal[name][-1:]
        journal[name][0].pop("step")
    return {
        "tables": {t: _table(view, t) for t in TABLES},
        "journal": journal,
        "fronts": [[f.version, _second(f.at.isoformat())] for f in world.state.fronts()],
    }


def _row(row: JournalRow) -> Json:
    return {
        "at": _second(row.at.isoformat()),
        "step": [row.source, row.target],
        "why": row.why,
        "payload": _stable(row.payload),
        "actor": row.actor,
    }


def _stable(value: object) -> object:
    if isinstance(value, dict):
        return {
            k: _second(v) if _is_moment(k) and isinstance(v, str) else _stable(v)
            for k, v in value.items()
            if k not in _VOLATILE
        }
    if isinstance(value, list):
        return [_stable(v) for v in value]
    if isinstance(value, float):
        return float(f"{value:.9g}")
    return value


def _is_moment(name: str) -> bool:
    return name.endswith("_at") or name in ("at", "opened", "closed")


def _second(text: str) -> str:
    return datetime.fromisoformat(text).isoformat(timespec="seconds")


def _table(view: AsOf, name: str) -> list[object]:
    """Hash a table whatever the order of its rows."""
    # Of points that were measured again, and of parts of profiles, what counts is the same.
    rows = latest(view) if name == "signals" else view.table(name)
    if name == "profiles":
        rows = rows.group_by("predicted_at", "model").aggregate(rows=ibis._.rows.sum())
    wanted = [
        c for c in ("record_id", "label_id", "feedback_id", "quarantine_id") if c in rows.columns
    ]
    extra = [
        c
        for c in (
            *("row_hash", "model", "output", "score", "label", "value", "window", "pi"),
            *("source_kind", "reason"),
            *("predicted_at", "kind", "metric", "column", "cohort", "rows", "cells", "verdict"),
        )
        if c in rows.columns
    ]
    found = view.arrow(rows.select(*wanted, *extra))
    columns = [_words(found[c]) for c in (*wanted, *extra)]
    lines = sorted("|".join(parts) for parts in zip(*columns, strict=True))
    return [len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]]


def _words(column: pa.ChunkedArray) -> list[str]:
    if pa.types.is_floating(column.type):
        values = np.asarray(pc.fill_null(column, np.nan).to_numpy())
        return [f"{v:.9g}" for v in values]
    return [str(v) for v in column.to_pylist()]

"""One digest of all that was decided: two mills that decided the same have the same one."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.as_of import AsOf
from tidemill.core.machines import INCIDENT
from tidemill.core.ports import JournalRow, Json, World
from tidemill.core.records import TABLES
from tidemill.strategy.watching.store import latest

_END = datetime(9999, 1, 1, tzinfo=UTC)
_VOLATILE = {"seconds", "latency_ms", "blob", "model", "report", "source", "strategy"}
"""What may differ between two runs that decided the same."""


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

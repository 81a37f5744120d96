"""The views that ``tidemill sql`` asks: records with all that belongs to them, and what was found.

========== ==========================================================================================
view       one row for
========== ==========================================================================================
records    a record: its features by name, output, score, model, unit, tags, the label that counts,
           how it was sampled (``weight``), the last feedback of each record and how much there was,
           and every projection of the strategy by name
labels     a label, all versions; the one that counts is in ``records``
feedback   a piece of feedback
signals    a base window of a signal: value, interval, verdict and why
incidents  an incident, open or closed
releases   a candidate: state, verdict, when it was triggered and went live
========== ==========================================================================================
"""

from __future__ import annotations

import json
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr import types as ir

from tidemill.core.as_of import AsOf
from tidemill.core.machines import INCIDENT
from tidemill.core.ports import World
from tidemill.core.records import FEATURE, features_of
from tidemill.core.work import reason
from tidemill.strategy.status import releases
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.turn import moment_of
from tidemill.strategy.watching.store import latest
from tidemill.strategy.watching.telling import incident

_SHOWN = (
    *("record_id", "predicted_at", "available_at", "model", "unit", "output", "output_text"),
    *("score", "tags", "latency_ms", "payload"),
)


def views(world: World, strategy: Strategy) -> dict[str, ir.Table]:
    """Return every view as an expression.

    A projection that cannot be asked is left out, and :func:`left_out` says why.
    """
    view = AsOf(world.events, world.engine, moment_of(world))
    found = {
        "records": _records(view, strategy),
        "labels": view.table("labels"),
        "feedback": view.table("feedback"),
        "signals": latest(view).rename(starts_at="predicted_at", verdict_why="said"),
    }
    for name, rows in (("incidents", _incidents(world)), ("releases", releases(world))):
        found[name] = ibis.memtable(_table(rows))
    return found


def left_out(world: World, strategy: Strategy) -> dict[str, str]:
    """Say why projections are not in the view of records, by their name; empty if all are."""
    return _projected(AsOf(world.events, world.engine, moment_of(world)).records(), strategy)[1]


def _projected(rows: ir.Table, strategy: Strategy) -> tuple[dict[str, Any], dict[str, str]]:
    named: dict[str, Any] = {}
    lost: dict[str, str] = {}
    for projection in strategy.projections:
        try:
            named[projection.name] = projection(rows)
        except Exception as error:  # noqa: BLE001 - a function of the user's may fail in any way
            lost[projection.name] = reason(error)
    return named, lost


def _records(view: AsOf, strategy: Strategy) -> ir.Table:
    rows = view.records()
    features = features_of(list(rows.columns))
    named, _ = _projected(rows, strategy)
    taken = {*_SHOWN, *named, "label", "label_text", "label_source", "weight", "feedback"}
    names = {f: f.removeprefix(FEATURE) for f in features}
    shown = {(short if short not in taken else f): rows[f] for f, short in names.items()}
    rows = rows.select(*_SHOWN, "p_log", **shown, **named)
    labels = view.labels().select("record_id", "label", "label_text", label_source="source_kind")
    rows = rows.left_join(labels, "record_id").drop("record_id_right")
    chosen = view.table("chosen").select("record_id", "pi")
    rows = rows.left_join(chosen, "record_id").drop("record_id_right")
    given = view.table("feedback")
    given = given.group_by("record_id").aggregate(
        feedback=given.count(),
        feedback_value=given.value.argmax(given.available_at),
        feedback_kind=given.kind.argmax(given.available_at),
    )
    rows = rows.left_join(given, "record_id").drop("record_id_right")
    kept: Any = rows.p_log
    many: Any = rows.feedback
    weight = 1.0 / (kept * rows.pi).nullif(0.0)
    return rows.mutate(weight=weight, feedback=many.fill_null(0)).drop("p_log", "pi")


def _incidents(world: World) -> list[dict[str, Any]]:
    keep = ("id", "state", "kind", "metric", "column", "cohort", "why", "onset", "last", "closed")
    return [{k: found[k] for k in keep} for found in map(incident, world.state.machines(INCIDENT))]


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    """Make a table of JSON rows; without a row there are no columns to tell, so one says so."""
    if not rows:
        return pa.table({"id": pa.array([], pa.string())})
    plain = [
        {k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in row.items()}
        for row in rows
    ]
    return pa.Table.from_pylist(plain)

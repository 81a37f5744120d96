"""What people ask of monitoring, as plain JSON: what is bad, the series, what is measured at all."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import ibis
import pyarrow as pa

from tidemill.core.as_of import AsOf
from tidemill.core.errors import NotFound, unknown
from tidemill.core.machines import INCIDENT
from tidemill.core.ports import Json, Machine, StateStore, Transition, World
from tidemill.core.signals import KINDS
from tidemill.monitoring import silences
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.turn import moment_of
from tidemill.strategy.watching.estimating import SUFFIX
from tidemill.strategy.watching.store import latest
from tidemill.strategy.watching.windows import Windows

SILENCES = "silences"

VALUE = {
    "outcomes": "what users do with the answers: the only thing that counts in the end",
    "performance": "how right the answers are, once labels are final",
    "proxy": "what goes with being right and is known at once",
    "quality": "whether the data is what it should be",
    "drift": "whether the data is what it was",
    "system": "whether the service answers, and how fast",
}
"""What each kind of signal is worth, the most valuable first."""

_MEASURE = {
    "outcomes": "log what users do, mill.feedback(id, 1, kind='click'), and watch FeedbackRate('click')",
    "performance": "give the strategy metrics=[AUC()], and labels",
    "proxy": "watch a function of the output: Proxy(name, of)",
    "quality": "watch rules: NullRate('age', at_most=0.01); tidemill strategy suggest proposes some",
    "drift": "it comes with Monitoring()",
    "system": "log latency_ms and watch Latency(0.95)",
}


def incident(machine: Machine) -> Json:
    """Describe an incident: which columns and cohorts, since when, which rows, what else happened."""
    payload = machine.payload
    signals = payload["signals"]
    first = min(signals, key=lambda s: KINDS.index(s["kind"]))
    return {
        "id": machine.id,
        "state": machine.state,
        "verdict": "ALERT",
        "kind": first["kind"],
        "metric": first["metric"],
        "column": first["column"],
        "columns": list(dict.fromkeys(s["column"] for s in signals if s["column"])),
        "cohort": first["cohort"],
        "cohorts": _cohorts(signals),
        "model": first["model"],
        "what": what(first),
        "why": first["why"],
        **{k: payload.get(k) for k in ("opened", "onset", "last", "closed", "windows")},
        "signals": sorted(signals, key=lambda s: (KINDS.index(s["kind"]), s["start"])),
        "rows": payload["rows"],
        "events": payload["events"],
        "closed_by": payload.get("closed_by"),
        "change": payload.get("change"),
    }


def _cohorts(signals: list[Json]) -> list[str]:
    """Return for whom it is bad: nobody in particular when it is bad for everybody."""
    found = list(dict.fromkeys(s["cohort"] for s in signals))
    return [] if "" in found else found


def what(signal: Json) -> str:
    """Name a signal.

    Examples
    --------
    >>> what({"metric": "null_rate", "column": "humid", "cohort": "", "model": ""})
    'null_rate of humid'
    >>> what({"metric": "auc_estimated", "column": "cbpe", "cohort": "", "model": ""})
    'auc estimated by cbpe'
    """
    if signal["metric"].endswith(SUFFIX):
        return f"{signal['metric'].removesuffix(SUFFIX)} estimated by {signal['column']}"
    of = f" of {signal['column']}" if signal["column"] else ""
    who = f" ({signal['cohort']})" if signal["cohort"] else ""
    return f"{signal['metric']}{of}{who}"


def incidents(world: World, *, all_: bool = False) -> list[Json]:
    """Return the open incidents, or all, the newest first."""
    found = world.state.machines(INCIDENT, None if all_ else ["open"])
    return [incident(m) for m in reversed(found)]


def found_incident(state: StateStore, name: str) -> Machine:
    """Return an incident.

    Raises
    ------
    NotFound
        If there is none of this name; the message suggests the nearest.
    """
    machine = state.machine(INCIDENT, name)
    if machine is None:
        raise unknown("incident", name, [m.id for m in state.machines(INCIDENT)])
    return machine


def close(world: World, name: str, *, who: str, why: str) -> Json:
    """Close an incident by hand; what is still bad at the next look opens a new one."""
    with world.state.lease("alerts") as lease:
        machine = found_incident(world.state, name)
        now = moment_of(world)
        closed = {"closed": now.isoformat(), "closed_by": who}
        step = Transition(
            kind=INCIDENT,
            id=machine.id,
            source=machine.state,
            target="closed",
            why=why,
            at=now,
            payload={**machine.payload, **closed},
            actor=who,
        )
        world.state.transition(lease, step)
    return incident(found_incident(world.state, name))


def silence(world: World, name: str, *, until: datetime, who: str) -> Json:
    """Send nothing about an incident until a moment; it stays open."""
    found = incident(found_incident(world.state, name))
    row = silences.silence(at=moment_of(world), until=until, by=who, incident=name)
    world.state.add_row(SILENCES, row["id"], row)
    return {**found, "silenced": row["until"]}


def signals(
    world: World,
    *,
    metric: str | None = None,
    kind: str | None = None,
    column: str | None = None,
    cohort: str | None = None,
    model: str | None = None,
    last: timedelta | None = None,
    whole: Windows | None = None,
) -> pa.Table:
    """Return the points of signals as Arrow, each as it was measured last.

    One row a base window and signal: ``kind``, ``metric``, ``column``, ``cohort``, ``model``,
    ``start``, ``end``, ``value``, ``low``, ``high``, ``n``, ``n_effective``, ``weight``, ``why``,
    ``verdict``, ``said`` (why the verdict), ``p``, ``effect``, ``expected_low``,
    ``expected_high``, ``onset``.

    Parameters
    ----------
    last
        How far back; from the start of one of the windows ``whole`` on, where these are given.
    """
    view = AsOf(world.events, world.engine, moment_of(world))
    since = None if last is None else _seen(world) - last
    since = since if since is None or whole is None else whole.start(since)
    rows = latest(view, since=since)
    wanted = {"metric": metric, "kind": kind, "column": column, "cohort": cohort, "model": model}
    for name, value in wanted.items():
        if value is not None:
            rows = rows.filter(rows[name] == value)
    rows = rows.rename(start="predicted_at", end="ends_at")
    order = ["kind", "metric", "column", "cohort", "model", "start"]
    return view.arrow(rows.drop("available_at").order_by(order))


def _seen(world: World) -> datetime:
    """Return until when there is anything to see: a project may have been left alone for long."""
    watched = world.state.fact("watched")
    now = moment_of(world)
    return now if watched is None else min(now, datetime.fromisoformat(watched["at"]))


def names(world: World) -> list[Json]:
    """Return which signals there are, with their latest point, the most valuable kinds first.

    The latest window may have no value yet: ``last_value`` and ``last_value_at`` are of the last
    one that has.
    """
    rows = signals(world).to_pylist()
    found: dict[tuple[str, ...], Json] = {}
    for row in rows:
        key = tuple(row[n] for n in ("kind", "metric", "column", "cohort", "model"))
        had = found.get(key, {"windows": 0, "last_value": None, "last_value_at": None})
        last = {n: had[n] for n in ("last_value", "last_value_at")}
        if row["value"] is not None:
            last = {"last_value": row["value"], "last_value_at": row["start"]}
        found[key] = {**row, **last, "windows": had["windows"] + 1}
    return sorted(found.values(), key=lambda r: (KINDS.index(r["kind"]), r["metric"], r["column"]))


def known(world: World, metric: str) -> str:
    """Return the name of a signal.

    Raises
    ------
    NotFound
        If nothing of this name was measured; the message suggests the nearest.
    """
    view = AsOf(world.events, world.engine, moment_of(world))
    if world.events.version("signals") < 0:
        raise NotFound(
            "nothing was measured yet.",
            fix="give the strategy monitoring=Monitoring(), then: tidemill run.",
        )
    rows = view.table("signals").select("metric").distinct()
    there = view.arrow(rows.order_by(ibis._.metric))["metric"].to_pylist()
    if metric not in there:
        raise unknown("signal", metric, there)
    return metric


def coverage(world: World, strategy: Strategy) -> list[Json]:
    """Say of each kind of signal what it is worth and whether it is measured."""
    if strategy.monitoring is None:
        there: set[str] = set()
    elif world.events.version("signals") < 0:
        there = set()
    else:
        view = AsOf(world.events, world.engine, moment_of(world))
        rows = view.table("signals")
        # What is only estimated is not measured.
        metric: Any = rows.metric
        rows = rows.filter(rows.value.notnull(), ~metric.endswith(SUFFIX))
        rows = rows.select("kind").distinct()
        there = set(view.arrow(rows)["kind"].to_pylist())
    found: list[Json] = []
    for kind in KINDS:
        measured = kind in there
        do = "" if measured else _MEASURE[kind]
        found.append({"kind": kind, "worth": VALUE[kind], "measured": measured, "do": do})
    return found


def table(rows: pa.Table) -> list[dict[str, Any]]:
    """Return points as JSON can hold them."""
    return [
        {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()}
        for row in rows.to_pylist()
    ]

"""How well the loop does: how old the model is, what it cost, and what it promised and kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from statistics import median
from typing import Any

import numpy as np
import pyarrow.compute as pc

from tidemill.core.as_of import as_of
from tidemill.core.durations import duration
from tidemill.core.machines import CURATION, PENDING, RELEASE
from tidemill.core.ports import Json, Machine, World
from tidemill.measures import Metric
from tidemill.strategy.realised import Turned, gap, performed, turned_out, yardsticks
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.turn import moment_of
from tidemill.strategy.worth import advice

_ENDS = {
    "live": ("live", "retired", "rolled_back"),
    "refused": ("refused",),
    "failed": ("failed",),
    "inconclusive": ("inconclusive", "superseded"),
    "expired": ("expired",),
    "on_the_way": tuple(s for s in PENDING if s != "inconclusive"),
}
"""What became of a candidate -> the states that say so."""


def standing(world: World, strategy: Strategy) -> Json:
    """Say how well the loop does, as plain JSON; spans are in seconds.

    Parameters
    ----------
    strategy
        Its metrics are what is measured, its label rule says which labels are final.

    Returns
    -------
    dict
        ``now``;
        ``front``, None or ``release``, ``live_since``, ``age`` (since it was trained) and
        ``learnt_until`` (the newest record it learnt from);
        ``since_retrain``, since the last retrain was triggered;
        ``to_decide``, from the change that a trigger saw, else from the newest label of the
        dataset being final, to the decision to retrain, and ``to_live``, from there to users:
        medians over all retrains;
        ``labels``: ``asked``, ``come``, ``cost`` (as stated with them), ``priced`` (those that
        came, at the strategy's price); ``training``: ``seconds``, ``priced``; ``currency``;
        ``candidates``: how many went ``live``, were ``refused``, ``failed``, are or stayed
        ``inconclusive``, ``expired``, are ``on_the_way``; ``rollbacks``;
        ``retraining``: what it is worth, see :func:`tidemill.strategy.worth.advice`;
        ``promises``, see :func:`promises`.
    """
    now, state = moment_of(world), world.state
    releases = state.machines(RELEASE)
    last = state.fact("last_triggered")
    seconds = sum(m.payload.get("seconds", 0.0) for m in releases)
    costs = strategy.costs
    return {
        "now": now.isoformat(),
        "front": _front(world, now),
        "since_retrain": None if last is None else _span(last, now),
        "to_decide": _median(_to_decide(m, strategy) for m in releases),
        "to_live": _median(
            _span(m.payload["triggered_at"], m.payload["live_at"])
            for m in releases
            if "live_at" in m.payload
        ),
        "labels": _labels(world, strategy, now),
        "training": {
            "seconds": round(seconds, 2),
            "priced": None if costs is None else round(seconds * costs.second, 4),
        },
        "currency": None if costs is None else costs.currency,
        "retraining": advice(world, strategy),
        "candidates": {
            name: sum(m.state in states for m in releases) for name, states in _ENDS.items()
        },
        "rollbacks": sum(r.target == "rolled_back" for r in state.journal(kind=RELEASE)),
        "promises": promises(world, strategy),
    }


def _front(world: World, now: datetime) -> Json | None:
    front = world.state.front()
    machine = (
        None if front is None or not front.version else world.state.machine(RELEASE, front.version)
    )
    if front is None or machine is None:
        return None
    return {
        "release": machine.id,
        "live_since": front.at.isoformat(),
        "age": _span(machine.payload["trained_at"], now),
        "learnt_until": machine.payload["dataset"]["last"],
    }


def _to_decide(m: Machine, strategy: Strategy) -> float | None:
    """Return how long there was reason to retrain when it was decided on.

    Since the change that the trigger saw; where it saw none, since the newest label of the
    dataset was final.
    """
    change = m.payload.get("change")
    if change is not None:
        return max(0.0, _span(change, m.payload["triggered_at"]))
    last = m.payload["dataset"]["last"]
    if last is None:
        return None
    final = datetime.fromisoformat(last) + duration(strategy.labels.final_after)
    return max(0.0, _span(final, m.payload["triggered_at"]))


def _labels(world: World, strategy: Strategy, now: datetime) -> Json:
    view = as_of(world, now)
    rows = view.reservoir()
    come = view.arrow(rows.filter(rows.label_id.notnull()).count().as_table()).column(0)[0].as_py()
    paid = view.arrow(view.table("labels").select("cost"))
    cost = pc.sum(paid["cost"]).as_py()
    costs = strategy.costs
    return {
        "asked": sum(m.payload["chosen"] for m in world.state.machines(CURATION)),
        "come": come,
        "cost": cost,
        "priced": None if costs is None else round(come * costs.label, 4),
    }


def promises(world: World, strategy: Strategy) -> list[Json]:
    """Hold what each release promised against what came of it.

    The promise is the difference to the champion in its report card. What came of it is
    the same difference on the answers that were logged since. That is known only where both
    models went on answering on the same days: a model that is not asked any more leaves
    nothing to compare with, and comparing with the time before would take a change of the
    world for the model's merit. What the release itself did can be told in any case.

    Returns
    -------
    list of dict
        The releases that went live, the oldest first: ``release``, ``live_at``, ``champion``,
        ``metric``, ``promised`` (the difference) and ``promised_value`` (of the release
        itself), each ``value``, ``low``, ``high`` or None; ``realised`` (the difference) and
        ``realised_value``, each with ``value``, ``low``, ``high``, ``n``, ``days`` and ``why``
        it is not known.
    """
    went = [m for m in world.state.machines(RELEASE) if "live_at" in m.payload]
    if not went:
        return []
    metrics = yardsticks(strategy)
    since = min(datetime.fromisoformat(m.payload["live_at"]) for m in went)
    rows = turned_out(world, strategy, since=since)
    switched = [f.at for f in world.state.fronts()]
    return [_promise(world, m, metrics, rows, switched) for m in went]


def _promise(
    world: World, m: Machine, metrics: list[Metric], rows: Turned, switched: list[datetime]
) -> Json:
    card: Json = json.loads(world.blobs.get("reports", m.payload["report"]))
    metric, gate = _promising(card, metrics)
    estimates = gate.get("estimates", {})
    champion = card["champion"]
    found: Json = {
        "release": m.id,
        "live_at": m.payload["live_at"],
        "champion": champion,
        "metric": None if metric is None else metric.name,
        "promised": _interval(estimates.get("difference")),
        "promised_value": _interval(estimates.get("candidate")),
    }
    if metric is None:
        why = "none of the strategy's metrics is in its report card"
        return found | {"realised": _unknown(why), "realised_value": _unknown(why)}
    own = rows.model == m.id
    if champion is None:
        realised = _unknown("there was no model before it")
    else:
        # On a day of a change each model has another part of the day.
        days = np.array([at.date() for at in switched], dtype="datetime64[D]")
        whole = ~np.isin(rows.at.astype("datetime64[D]"), days)
        whole &= rows.between(datetime.fromisoformat(m.payload["live_at"]), None)
        realised = _without(gap(metric, rows, own & whole, (rows.model == champion) & whole))
        if realised["value"] is None:
            realised["why"] += f"; what {champion} would have said is not logged"
    return found | {
        "realised": realised,
        "realised_value": _without(performed(metric, rows, own)),
    }


def _promising(card: Json, metrics: list[Metric]) -> tuple[Metric | None, Json]:
    """Return the gate that compared with the champion, else one that measured, and its metric."""
    found = [
        (metric, gate)
        for gate in card["gates"]
        for metric in metrics
        if gate["gate"].startswith(f"{metric.name} ") and gate["estimates"]
    ]
    comparing = [pair for pair in found if "difference" in pair[1]["estimates"]]
    return next(iter([*comparing, *found]), (None, {}))


def _interval(estimate: Json | None) -> Json | None:
    return None if estimate is None else {k: estimate[k] for k in ("value", "low", "high")}


def _without(measured: Json) -> Json:
    return {k: v for k, v in measured.items() if k != "metric"}


def _unknown(why: str) -> Json:
    return {"value": None, "low": None, "high": None, "n": 0, "days": 0, "why": why}


def _span(start: str | datetime, end: str | datetime) -> float:
    first, last = (datetime.fromisoformat(t) if isinstance(t, str) else t for t in (start, end))
    return (last - first).total_seconds()


def _median(values: Iterator[Any]) -> float | None:
    known = [v for v in values if v is not None]
    return median(known) if known else None

"""For whom is the model worse, or what made it worse than before: slices of judged records."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.errors import unknown
from tidemill.core.ports import Json, World
from tidemill.measures import Metric
from tidemill.measures.condition import All
from tidemill.monitoring.slices import confirmed, explained
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.watching.losing import Judged, judged, metric_of
from tidemill.strategy.watching.past import Past

if TYPE_CHECKING:
    from tidemill.monitoring.slices import Part, Tested

LEAST_WINDOWS = 10
"""Each half needs five base windows to be evidence of anything."""
FOUND = "found slices"
"""The fact under which what was found last is kept, so that a cohort can be made of it."""


def worse(world: World, strategy: Strategy, *, metric: str = "", last: str = "30d") -> Json:
    """Say in which slices of the last records the model is worse than elsewhere."""
    past, by = Past.of(world, strategy), metric_of(strategy, metric)
    since = past.since(last)
    rows = judged(past, strategy, by, (since, past.until))
    found = confirmed(rows.features, rows.loss, rows.weight, unit=rows.window)
    document = _document("drop", by, rows, since, past.until)
    if rows.windows < LEAST_WINDOWS:
        document["why"] = (
            f"base windows with final labels: {rows.windows}, and {LEAST_WINDOWS} are needed to "
            "find groups in some and confirm them in others"
        )
    document["slices"] = [_tested(one, k, by) for k, one in enumerate(found, 1)]
    return document


def _document(what: str, by: Metric, rows: Judged, since: datetime, until: datetime) -> Json:
    return {
        "for": what,
        "metric": by.name,
        "since": since.isoformat(),
        "until": until.isoformat(),
        "rows": len(rows.loss),
        "windows": rows.windows,
        "value": rows.value,
        "before": None,
        "why": "",
        "slices": [],
    }


def _tested(one: Tested, number: int, by: Metric) -> Json:
    sign = -1.0 if by.higher_is_better else 1.0
    found = one.slice
    return {
        "n": number,
        "where": one.found.where.words(),
        "rows": found.n,
        "support": _number(found.support),
        "value": _number(sign * found.mean),
        "elsewhere": _number(sign * found.rest),
        "worse_by": _number(found.effect),
        "at_least": _number(one.low),
        "p": _number(one.adjusted),
        "confirmed": one.confirmed,
        **written(one.found.where),
    }


def changed(
    world: World, strategy: Strategy, *, metric: str = "", last: str = "30d", against: str = ""
) -> Json:
    """Say which slices explain that a metric is worse than it was in the time before."""
    past, by = Past.of(world, strategy), metric_of(strategy, metric)
    since = past.since(last)
    began = since - (past.until - past.since(against or last))
    now = judged(past, strategy, by, (since, past.until))
    before = judged(past, strategy, by, (began, since))
    document = _document("change", by, now, since, past.until)
    document |= {"before": before.value, "since_before": began.isoformat()}
    few = min(now.windows, before.windows)
    if few < LEAST_WINDOWS:
        document["why"] = (
            f"base windows with final labels on one side: {few}, and {LEAST_WINDOWS} are needed"
        )
    found = explained(
        _same(before.features, now.features), before.loss, _same(now.features, before.features),
        now.loss, units=(before.window, now.window), confidence=0.0,
    )  # fmt: skip
    document["why"] = document["why"] or found.why
    document["slices"] = [_part(one, k, by) for k, one in enumerate(found.parts, 1)]
    return document


def _same(table: pa.Table, other: pa.Table) -> pa.Table:
    """Leave out columns that are of another type in the other one, such as never with a value."""
    names = [
        n
        for n in table.column_names
        if n in other.column_names
        and table[n].type == other[n].type
        and pc.count(table[n]).as_py()
        and pc.count(other[n]).as_py()
    ]
    return table.select(names)


def _part(one: Part, number: int, by: Metric) -> Json:
    sign = -1.0 if by.higher_is_better else 1.0
    return {
        "n": number,
        "where": one.where.words(),
        "support": _number(one.share_now),
        "support_before": _number(one.share_before),
        "value": _number(sign * one.mean_now),
        "value_before": _number(sign * one.mean_before),
        "adds_by_rate": _number(one.rate),
        "adds_by_share": _number(one.mix),
        "p": _number(one.adjusted if not math.isnan(one.p) else math.nan),
        "confirmed": bool(one.adjusted <= 0.05),  # noqa: PLR2004 - as for slices
        **written(one.where),
    }


def written(where: All) -> Json:
    """Write a slice as a condition, and as a line of a strategy file."""
    condition = " & ".join(one.source(prefix=where.prefix) for one in where.conditions)
    return {"condition": condition, "source": where.source()}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def remember(world: World, document: Json) -> None:
    """Keep what was found, so that one of it can be made a cohort by its number."""
    kept = [{k: one[k] for k in ("n", "where", "condition")} for one in document["slices"]]
    with world.state.lease("cohorts") as lease:
        world.state.set_fact(lease, FOUND, {"metric": document["metric"], "slices": kept})


def remembered(world: World, number: int) -> Json:
    """Return a slice that was found last.

    Raises
    ------
    NotFound
        If there is none of this number.
    """
    kept = world.state.fact(FOUND) or {"slices": []}
    found = {str(one["n"]): one for one in kept["slices"]}
    if str(number) not in found:
        raise unknown("slice", str(number), found)
    return found[str(number)]

"""From a number to the rows behind it: what moved, and the records where it did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
from ibis.expr import types as ir

from tidemill.core.as_of import AsOf
from tidemill.core.errors import BadInput
from tidemill.core.ports import Json
from tidemill.core.records import FEATURE
from tidemill.core.signals import KINDS, Key
from tidemill.measures.condition import All, Condition
from tidemill.measures.profile import Categories, Numbers, Profile
from tidemill.measures.projection import asked
from tidemill.monitoring.drift import Shift
from tidemill.monitoring.drift.arms import MISSING, UNKNOWN, known_range
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.turn import Turn
from tidemill.strategy.watching.store import Judged
from tidemill.strategy.watching.windows import Windows

SHOWN = 10
MOST_VALUES = 100


def moved(usual: Sequence[Profile], found: Sequence[Profile], shift: Shift) -> Json | None:
    """Say where a column has more rows than usual: a value, a range, or nothing at all.

    Where the shift is of rows that were not known before, it is these; else the value, or the
    stretch of neighbouring cells, with the largest excess of its share.
    """
    if shift.distance == MISSING:
        return {"missing": True}
    then, now = _column(usual, shift.column), _column(found, shift.column)
    if isinstance(then, Numbers) and isinstance(now, Numbers):
        if shift.distance == UNKNOWN:
            low, high = known_range(then)
            return {"below": low, "above": high}
        return _range(then, now)
    if isinstance(then, Categories) and isinstance(now, Categories):
        if shift.distance == UNKNOWN:
            return {"values": sorted({*now.values} - {*then.values})[:MOST_VALUES]}
        return _value(then, now)
    return None


def _column(profiles: Sequence[Profile], column: str) -> Numbers | Categories | None:
    found = [p.columns[column] for p in profiles if column in p.columns]
    numbers = [c for c in found if isinstance(c, Numbers)]
    categories = [c for c in found if isinstance(c, Categories)]
    if found and len(numbers) == len(found):
        return numbers[0].plus(*numbers[1:])
    if found and len(categories) == len(found):
        return categories[0].plus(*categories[1:])
    return None  # never there, or its type changed: there is no place in it to point at


def _range(then: Numbers, now: Numbers) -> Json:
    cells = np.union1d(then.cells, now.cells)
    shares = np.zeros((2, cells.size))
    for k, one in enumerate((then, now)):
        shares[k, np.searchsorted(cells, one.cells)] = one.counts / max(1, one.counts.sum())
    gained = np.concatenate(([0.0], np.cumsum(shares[1] - shares[0])))
    lowest = np.minimum.accumulate(gained)
    last = int(np.argmax(gained - lowest))
    first = int(np.argmin(gained[: last + 1]))
    low, high = then.grid.edges(cells[[first, max(first, last - 1)]])
    return {"low": float(low[0]), "high": float(high[-1])}


def _value(then: Categories, now: Categories) -> Json:
    before = dict(zip(then.values, then.counts / max(1, then.counts.sum()), strict=True))
    after = zip(now.values, now.counts / max(1, now.counts.sum()), strict=True)
    gains = [(float(share - before.get(value, 0.0)), value) for value, share in after]
    return {"values": [max(gains, default=(0.0, ""))[1]]}


def inside(rows: ir.Table, column: str, where: Json) -> ir.Table:
    """Keep the records where a column is as ``where`` says."""
    if "all" in where:
        made: list[Json] = [{**one, "values": tuple(one["values"])} for one in where["all"]]
        region = All(tuple(Condition(**one) for one in made))
        return rows.filter(asked("the region", region, rows))
    name = FEATURE + column if FEATURE + column in rows.columns else column
    if name not in rows.columns:
        raise BadInput(f"records have no column {column!r}.", fix="see 'tidemill metrics'.")
    values: Any = rows[name]
    if where.get("missing"):
        return rows.filter(values.isnull())
    if "values" in where:
        return rows.filter(values.cast("string").isin(where["values"]))
    if "below" in where:
        return rows.filter((values < where["below"]) | (values > where["above"]))
    return rows.filter(values >= where["low"], values < where["high"])


def behind(
    view: AsOf,
    strategy: Strategy,
    key: Key,
    *,
    start: datetime,
    end: datetime,
    where: Json | None = None,
) -> ir.Table:
    """Return the records behind a point of a signal, those first that made it what it is.

    For drift these are the records where the column has more than usual, for data quality those
    that break the rule, for performance the answers that were furthest from the label.

    Raises
    ------
    BadInput
        If the records do not have what the signal asks for.
    """
    rows = view.records(since=start, until=end)
    if key.model:
        rows = rows.filter(rows.model == key.model)
    for cohort in strategy.cohorts:
        if cohort.name == key.cohort:
            rows = rows.filter(cohort(rows))
    if where is not None:
        rows = inside(rows, key.column, where)
    if key.kind == "quality" and strategy.monitoring is not None:
        for watch in strategy.monitoring.signals:
            asks = (watch.signal.metric, getattr(watch.signal, "column", ""))
            if asks == (key.metric, key.column) and hasattr(watch.signal, "failing"):
                rows = rows.filter(watch.signal.failing(rows))
    labels = view.labels(since=start, until=end).select("record_id", "label", "label_text")
    rows = rows.left_join(labels, "record_id").drop("record_id_right")
    if key.kind == "performance":
        rows = rows.filter(rows.label.notnull() | rows.label_text.notnull())
        label: Any = rows.label
        said: Any = ibis.coalesce(rows.score, rows.output)
        return rows.order_by([(label - said).abs().desc(), rows.predicted_at])
    return rows.order_by([rows.predicted_at, rows.record_id])


def examples(turn: Turn, alerts: Sequence[Judged]) -> list[str]:
    """Return the ids of some records behind the most valuable of some alerts."""
    first = min(alerts, key=lambda a: KINDS.index(a.key.kind))
    start = first.point.start
    end = start + Windows.of(turn).every
    try:
        rows = behind(turn.view, turn.strategy, first.key, start=start, end=end, where=first.where)
        found = turn.view.arrow(rows.select("record_id").limit(SHOWN))
    except BadInput:  # the signal is bad because its column is gone: no row can show it
        return []
    return [str(i) for i in pa.Table.to_pydict(found)["record_id"]]

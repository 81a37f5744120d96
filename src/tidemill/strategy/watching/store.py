"""Points of signals in the table of signals, and back: of each point the last one counts."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr import types as ir

from tidemill.core.as_of import AsOf
from tidemill.core.ports import Json
from tidemill.core.records import SIGNALS
from tidemill.core.signals import Judgement, Key, Point
from tidemill.core.verdict import Verdict
from tidemill.strategy.turn import Turn

_KEY = ("kind", "metric", "column", "cohort", "model")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A point, and what is thought of it; None for a signal that is only asked about."""

    key: Key
    point: Point
    judgement: Judgement | None
    alerting: bool = True
    where: Json | None = None
    """Where in its column an alert has more rows than usual."""

    @property
    def alert(self) -> bool:
        return (
            self.alerting and self.judgement is not None and self.judgement.verdict == Verdict.ALERT
        )


def keep(turn: Turn, judged: Iterable[Judged]) -> pa.Table:
    """Return the rows of the table of signals for what was judged now."""
    rows = [_row(one, turn.now) for one in judged]
    return pa.Table.from_pylist(rows, schema=SIGNALS)


def _row(one: Judged, now: datetime) -> dict[str, Any]:
    point, said = one.point, one.judgement
    row: dict[str, Any] = {name: getattr(one.key, name) for name in _KEY}
    row |= {
        "predicted_at": point.start,
        "available_at": now,
        "day": point.start.astimezone(UTC).date(),
        "ends_at": point.end,
        "value": _number(point.value),
        "low": _number(point.low),
        "high": _number(point.high),
        "n": point.n,
        "n_effective": _number(point.n_effective),
        "weight": _number(point.weight),
        "why": point.why,
    }
    if said is not None:
        row |= {
            "verdict": said.verdict.value,
            "said": said.why,
            "p": _number(said.p),
            "effect": _number(said.effect),
            "expected_low": _number(said.low),
            "expected_high": _number(said.high),
            "onset": said.onset,
        }
    return row


def _number(value: float) -> float | None:
    """An infinite limit is no limit, and what is not known is null."""
    return float(value) if math.isfinite(value) else None


def latest(
    view: AsOf,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    metrics: Sequence[str] | None = None,
) -> ir.Table:
    """Return the points known now by the start of their window, each as it was measured last.

    Parameters
    ----------
    since, until
        Only windows that start in [since, until).
    metrics
        Only signals of these names; None for all.
    """
    rows = view.table("signals", since=since, until=until)
    if metrics is not None:
        wanted: Any = rows.metric
        rows = rows.filter(wanted.isin(list(metrics)))
    order = [ibis.desc(rows.available_at)]
    place = ibis.row_number().over(group_by=[*_KEY, "predicted_at"], order_by=order)
    return rows.mutate(place=place).filter(ibis._.place == 0).drop("place")


@dataclass(frozen=True, kw_only=True)
class Past:
    """A point that was judged before, and whether it was bad."""

    point: Point
    alert: bool


_READ = ("ends_at", "value", "low", "high", "n", "n_effective", "why", "verdict")
"""What of a point in the past is looked at."""


def history(turn: Turn, since: datetime, keys: Iterable[Key]) -> dict[Key, list[Past]]:
    """Return the points of some signals since a moment, the oldest first.

    Most of the table is drift and estimates, which no verdict looks back at: they are not read.
    """
    found: dict[Key, list[Past]] = defaultdict(list)
    if turn.world.events.version("signals") < 0:
        return found
    wanted = set(keys)
    rows = latest(turn.view, since=since, metrics=sorted({key.metric for key in wanted}))
    rows = rows.select(*_KEY, "predicted_at", *_READ)
    for row in turn.view.arrow(rows.order_by("predicted_at")).to_pylist():
        key = Key(**{name: row[name] for name in _KEY})
        if key in wanted:
            found[key].append(Past(point=_point(row), alert=row["verdict"] == Verdict.ALERT))
    return found


def _point(row: dict[str, Any]) -> Point:
    def number(name: str) -> float:
        return math.nan if row[name] is None else row[name]

    return Point(
        start=row["predicted_at"].astimezone(UTC),
        end=row["ends_at"].astimezone(UTC),
        value=number("value"),
        low=number("low"),
        high=number("high"),
        n=row["n"],
        n_effective=number("n_effective"),
        why=row["why"] or "",
    )

"""How the estimates made before labels came have done: each is held against what came true."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from tidemill.core.as_of import AsOf
from tidemill.core.durations import duration
from tidemill.core.ports import Json, World
from tidemill.monitoring.estimates import Scored, best, standings
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.turn import moment_of
from tidemill.strategy.watching.estimating import SUFFIX
from tidemill.strategy.watching.store import latest

BLIND = "it follows a change of the rows, and cannot see that P(label | row) has changed"
BASELINE = "constant"


def estimates(world: World, strategy: Strategy, metric: str) -> Json | None:
    """Describe what is known of a metric before its labels are final; None where nothing was estimated.

    Returns
    -------
    dict
        ``used``: the method whose estimates were closest so far, the one that is shown;
        ``methods``: of each method ``windows`` scored of those whose labels came (``of``), mean
        absolute ``error``, that of saying "as before" on the same windows (``constant``), their
        ``ratio`` and the share of intervals that held (``covered``); ``windows``: by the start
        of each window without final labels what the used method says (``value``, ``low``,
        ``high``, ``why``) and by how much the methods disagree (``disagreement``).
    """
    if world.events.version("signals") < 0:
        return None
    now = moment_of(world)
    view = AsOf(world.events, world.engine, now)
    rows = latest(view)
    rows = rows.filter(rows.kind == "performance", rows.cohort == "", rows.model == "")
    names: Any = [metric, metric + SUFFIX]
    rows = rows.filter(rows.metric.isin(names))
    final = duration(strategy.labels.final_after)
    realised: dict[datetime, float] = {}
    said: defaultdict[datetime, dict[str, Json]] = defaultdict(dict)
    for row in view.arrow(rows.order_by("predicted_at", "column")).to_pylist():
        start = row["predicted_at"].astimezone(UTC)
        if row["metric"] != metric:
            said[start][row["column"]] = row
        elif row["available_at"] >= row["ends_at"] + final:  # measured on final labels
            realised[start] = _number(row["value"])
    if not said:
        return None
    history = [
        _scored(method, start, row, realised.get(start, math.nan))
        for start, by in said.items()
        for method, row in by.items()
    ]
    used = best(history)
    waiting = {start: by for start, by in said.items() if start not in realised}
    return {
        "used": used,
        "methods": [_standing(s, used) for s in standings(history)],
        "windows": {start.isoformat(): _window(by, used) for start, by in waiting.items()},
        "blind": BLIND,
    }


def _scored(method: str, start: datetime, row: Json, realised: float) -> Scored:
    low, high = _number(row["low"]), _number(row["high"])
    value = _number(row["value"])
    return Scored(
        method=method, window=start, estimated=value, low=low, high=high, realised=realised
    )


def _standing(one: Any, used: str) -> Json:
    names = ("method", "windows", "of", "error", "constant", "ratio", "covered")
    return {n: _json(getattr(one, n)) for n in names} | {"used": one.method == used}


def _window(by: dict[str, Json], used: str) -> Json:
    """Say what the used method says of a window; where it says nothing, the baseline."""
    method = used if used in by and by[used]["value"] is not None else BASELINE
    row = by.get(method) or by[used if used in by else next(iter(by))]
    values = [r["value"] for m, r in by.items() if m != BASELINE and r["value"] is not None]
    spread = max(values) - min(values) if len(values) > 1 else None
    shown = {n: row[n] for n in ("value", "low", "high", "n", "why")}
    return {"method": row["column"], **shown, "disagreement": spread}


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value

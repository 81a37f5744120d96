"""Where is a base window most unlike the usual ones, and is it more so than windows are?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta

import ibis
import pyarrow as pa

from tidemill.core.errors import NotFound
from tidemill.core.ports import Json, World
from tidemill.core.records import FEATURE, bare, features_of
from tidemill.monitoring.regions import unusual
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.watching.past import Past
from tidemill.strategy.watching.windows import Windows
from tidemill.strategy.watching.worse import written

ROWS = 1000
"""Records of a window that are looked at, drawn by their own draw."""
USUAL = 28
LONGEST = 90
"""Windows back that are searched for usual ones."""
LIKE = 14
"""So many usual windows of the same kind of day are enough to leave out the other kind."""
_SATURDAY = 5


def unusual_window(
    world: World, strategy: Strategy, *, window: datetime | None = None, alpha: float = 0.01
) -> Json:
    """Judge a base window against those before it, by all features at once.

    Weekends are compared with weekends and other days with other days, where there are enough.

    Parameters
    ----------
    window
        A moment in it; the last one that is over if None.
    alpha
        How likely a false ALERT may be.

    Raises
    ------
    NotFound
        If it has no record.
    """
    past = Past.of(world, strategy)
    windows = Windows(every=past.every)
    start = windows.start(window) if window is not None else past.until - past.every
    tables = _drawn(past, strategy, start - LONGEST * past.every, start + past.every)
    if start not in tables:
        raise NotFound(
            f"the window of {start:%Y-%m-%d %H:%M} has no record.",
            fix=f"records go until {past.until:%Y-%m-%d %H:%M}; give another --window.",
        )
    today = tables.pop(start)
    usual, kind = _usual(tables, start, past.every)
    found = unusual(today, [tables[s] for s in usual], alpha=alpha, rows=ROWS)
    said = found.judgement
    return {
        "window": start.isoformat(),
        "verdict": said.verdict.value,
        "why": said.why,
        "p": _number(said.p),
        "auc": _number(found.auc),
        "usual": _number(sorted(found.usual)[len(found.usual) // 2]) if found.usual else None,
        "limit": _number(said.high),
        "rows": today.num_rows,
        "compared": {
            "windows": len(usual),
            "of": kind,
            "first": usual[0].isoformat() if usual else None,
            "last": usual[-1].isoformat() if usual else None,
        },
        "regions": [
            {
                "where": one.where.words(),
                "now": one.current,
                "usual": one.reference,
                "highest": one.highest,
                "rows": one.rows,
                **written(one.where),
            }
            for one in found.regions
        ],
        "always": list(found.always),
        "left_out": [{"column": c, "why": why} for c, why in found.left_out],
    }


def _drawn(
    past: Past, strategy: Strategy, since: datetime, until: datetime
) -> dict[datetime, pa.Table]:
    """Return the features of some records of each window, under the names people know."""
    windows = Windows(every=past.every)
    rows = past.view.records(since=since, until=until)
    rows = rows.mutate(window=windows.number(rows))
    order = [rows.u_split, rows.record_id]
    place = ibis.row_number().over(group_by="window", order_by=order)
    rows = rows.mutate(place=place).filter(ibis._.place < ROWS)
    ignored = () if strategy.monitoring is None else strategy.monitoring.ignore
    names = [n for n in features_of(list(rows.columns)) if n.removeprefix(FEATURE) not in ignored]
    table = past.view.arrow(rows.select("window", *names).order_by("window"))
    return dict(_cut(table, windows))


def _cut(table: pa.Table, windows: Windows) -> Iterator[tuple[datetime, pa.Table]]:
    counts = table["window"].value_counts().to_pylist()
    first = 0
    for k, n in sorted((c["values"], c["counts"]) for c in counts):
        yield windows.numbered(k), bare(table.slice(first, n))
        first += n


def _usual(
    tables: dict[datetime, pa.Table], start: datetime, every: timedelta
) -> tuple[list[datetime], str]:
    """Choose the windows before that are like it."""
    before = sorted(s for s in tables if s < start)
    if every == timedelta(days=1):
        weekend = start.weekday() >= _SATURDAY
        alike = [s for s in before if (s.weekday() >= _SATURDAY) == weekend]
        if len(alike) >= LIKE:
            return alike[-USUAL:], "weekends" if weekend else "days of the week"
    return before[-USUAL:], "all windows"


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None

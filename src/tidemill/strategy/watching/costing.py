"""What monitoring keeps: cells and bytes of profiles and rows of signals, a base window."""

from __future__ import annotations

from datetime import UTC, timedelta

import ibis
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr import types as ir

from tidemill.core.as_of import AsOf
from tidemill.core.durations import duration
from tidemill.core.ports import Json, World
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.turn import moment_of
from tidemill.strategy.watching.telling import coverage

LAST = 30
"""Windows over which the means are taken."""


def costs(world: World, strategy: Strategy) -> Json | None:
    """Say what a base window costs in profiles and signals, and what is not measured.

    Returns
    -------
    dict or None
        ``profiles`` and ``signals`` of the last 30 windows, their means a window, each
        ``by_cohort`` too; ``missing`` kinds with what to do. None where nothing is
        watched.
    """
    if strategy.monitoring is None:
        return None
    every = duration(strategy.window)
    view = AsOf(world.events, world.engine, moment_of(world))
    return {
        "window": strategy.window,
        "profiles": _profiles(world, view, every),
        "signals": _signals(world, view, every),
        "missing": [
            {n: kind[n] for n in ("kind", "worth", "do")}
            for kind in coverage(world, strategy)
            if not kind["measured"]
        ],
    }


def _profiles(world: World, view: AsOf, every: timedelta) -> Json:
    if world.events.version("profiles") < 0:
        nothing = {"windows": 0, "cells": 0.0, "bytes": 0.0, "parts": 0.0}
        return {**nothing, "by_cohort": []}
    rows = _last(view, "profiles", every)
    # Ibis cannot ask for the length of bytes; of the last windows they are few.
    found = view.arrow(rows.select("predicted_at", "cells", "cohort", "profile"))
    windows = pc.count_distinct(found["predicted_at"]).as_py()
    sizes = pc.binary_length(found["profile"])
    totals = {"cells": pc.sum(found["cells"]), "bytes": pc.sum(sizes)}
    means = {name: (total.as_py() or 0) / max(1, windows) for name, total in totals.items()}
    # What a cohort is kept under ends with what it asks for.
    whose = [name.rpartition("#")[0] for name in found["cohort"].to_pylist()]
    whose = pa.table({"cohort": whose, "cells": found["cells"], "bytes": sizes})
    sums = whose.group_by("cohort").aggregate([("cells", "sum"), ("bytes", "sum")])
    by_cohort = [
        {
            "cohort": one["cohort"],
            "cells": one["cells_sum"] / max(1, windows),
            "bytes": one["bytes_sum"] / max(1, windows),
        }
        for one in sums.sort_by("cohort").to_pylist()
    ]
    parts = found.num_rows / max(1, windows)
    return {"windows": windows, **means, "parts": parts, "by_cohort": by_cohort}


def _signals(world: World, view: AsOf, every: timedelta) -> Json:
    if world.events.version("signals") < 0:
        return {"windows": 0, "rows": 0.0, "by_cohort": []}
    rows = _last(view, "signals", every)
    windows = view.arrow(rows.aggregate(n=rows.predicted_at.nunique()))["n"][0].as_py()
    counts = rows.group_by("cohort").aggregate(rows=rows.count()).order_by(ibis._.cohort)
    by_cohort = [
        {"cohort": r["cohort"], "rows": r["rows"] / max(1, windows)}
        for r in view.arrow(counts).to_pylist()
    ]
    total = sum(one["rows"] for one in by_cohort)
    return {"windows": windows, "rows": total, "by_cohort": by_cohort}


def _last(view: AsOf, name: str, every: timedelta) -> ir.Table:
    """Return the rows of the last windows of a table."""
    rows = view.table(name)
    newest = view.arrow(rows.aggregate(at=rows.predicted_at.max()))["at"][0].as_py()
    since = None if newest is None else newest.astimezone(UTC) - (LAST - 1) * every
    return view.table(name, since=since)

"""Which profile a base window has: of its records, or of what services counted at the edge.

A row that was counted at the edge may have been logged too, and nothing tells which. So the two are
never added: of each window, the one that counted more rows is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tidemill.core.errors import NotFound
from tidemill.core.ports import World
from tidemill.core.signals import Key, Point
from tidemill.measures.profile import Numbers, Profile, merge
from tidemill.monitoring.quality import NullRate, RowCount
from tidemill.monitoring.watching import Watch
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.turn import Turn, moment_of
from tidemill.strategy.watching.profiling import OUTPUTS, bare_name, profiles, stored, together
from tidemill.strategy.watching.windows import Windows

TABLE = "edge_profiles"
_ONLY = (
    "counted at the edge, where only null rates and row counts can be told; no record was logged"
)


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What was counted in a base window.

    Parameters
    ----------
    whole
        All its rows, of all model versions.
    by_model
        Its rows by model version, for what a version answers.
    edge
        Whether ``whole`` is of the edge.
    logged, at_edge
        How many rows its records are, and how many the edge counted.
    """

    whole: Profile
    by_model: dict[str, Profile] = field(default_factory=dict[str, Profile])
    edge: bool = False
    logged: int = 0
    at_edge: int = 0


def there(turn: Turn) -> bool:
    """Tell whether any file of the edge was taken in."""
    return turn.world.events.version(TABLE) >= 0


def counted(turn: Turn, since: datetime, until: datetime) -> dict[datetime, Counted]:
    """Return what was counted in each window that starts in [since, until), the oldest first."""
    own = profiles(turn, since, until)
    files = stored(turn, TABLE, since, until) if there(turn) else {}
    return {s: _chosen(own.get(s, {}), files.get(s, {})) for s in sorted({*own, *files})}


def _chosen(own: dict[str, Profile], files: dict[str, Profile]) -> Counted:
    """Choose the larger of both, as a whole and for the outputs of each version."""
    logged, at_edge = (sum(p.rows for p in parts.values()) for parts in (own, files))
    edge = at_edge > logged
    by_model = dict(own)
    for model, profile in files.items():
        outputs = any(name in profile.columns for name in OUTPUTS)
        if outputs and (model not in own or profile.rows > own[model].rows):
            by_model[model] = profile
    whole = together(files if edge else own)
    return Counted(whole=whole, by_model=by_model, edge=edge, logged=logged, at_edge=at_edge)


def to_count_like(world: World, strategy: Strategy, *, last: timedelta) -> Profile:
    """Return a profile to count like at the edge: the columns, kinds and grids of this project.

    Parameters
    ----------
    last
        How far back, counted from the last window there is.

    Raises
    ------
    NotFound
        If nothing was profiled yet.
    """
    turn = Turn(world=world, strategy=strategy, now=moment_of(world), marks=strategy.marks)
    rows = turn.view.table("profiles")
    newest = turn.view.arrow(rows.aggregate(at=rows.predicted_at.max()))["at"][0].as_py()
    if newest is None:
        raise NotFound(
            "nothing was profiled in this project yet.",
            fix="give the strategy monitoring=Monitoring(), then: tidemill run.",
        )
    end = newest + Windows.of(turn).every
    whole = merge(*(together(p) for p in profiles(turn, end - last, end).values()))
    # A feature that is called like an output could not be told from it.
    names = {c: c if bare_name(c) in OUTPUTS else bare_name(c) for c in whole.columns}
    return replace(
        whole,
        columns={names[c]: column for c, column in whole.columns.items()},
        kinds={names[c]: kind for c, kind in whole.kinds.items()},
    )


def from_the_edge(
    turn: Turn, watches: Iterable[tuple[Watch, Key]], found: set[datetime]
) -> dict[Key, dict[datetime, Point]]:
    """Measure what can be told from profiles, in the windows of which the edge counted more rows.

    Null rates and row counts are of the edge there. Whatever else is watched is of the records as
    before; where there is none, it cannot be told, and its point says so.
    """
    if not there(turn) or not found:
        return {}
    every = Windows.of(turn).every
    span = counted(turn, min(found), max(found) + every)
    here = {s: span[s] for s in found if s in span and span[s].edge}
    made: dict[Key, dict[datetime, Point]] = {}
    for watch, key in watches:
        points = {s: _point(watch, one, s, s + every) for s, one in here.items()}
        made[key] = {s: p for s, p in points.items() if p is not None}
    return made


def _point(watch: Watch, one: Counted, start: datetime, end: datetime) -> Point | None:
    signal, n = watch.signal, one.whole.rows
    unknown = Point(start=start, end=end, value=math.nan, n=0, why=_ONLY)
    if isinstance(signal, RowCount):
        return replace(unknown, value=float(n), n=n, why="")
    if isinstance(signal, NullRate):
        names = (signal.column, f"f_{signal.column}")
        column = next((one.whole.columns[c] for c in names if c in one.whole.columns), None)
        if column is not None:
            # Rows of a file without the column are rows without a value.
            nulls = column.nulls + (column.nans if isinstance(column, Numbers) else 0)
            return replace(unknown, value=(nulls + n - column.rows) / n, n=n, weight=n, why="")
    return None if one.logged else unknown

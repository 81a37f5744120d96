"""Profiling in a look: what arrived since the last one, summed up by base window and model."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from ibis.expr import types as ir
from numpy.typing import NDArray

from tidemill.core.as_of import moment
from tidemill.core.errors import TidemillError
from tidemill.core.fingerprint import fingerprint
from tidemill.core.ports import Lease
from tidemill.core.records import FEATURE, PROFILES, features_of
from tidemill.measures.cohort import Cohort
from tidemill.measures.grid import Grid
from tidemill.measures.profile import Profile, merge, of_table
from tidemill.strategy.turn import Turn
from tidemill.strategy.watching.windows import Windows, arrived, rules

_INSIDE = "in "
OUTPUTS = ("output", "output_text", "score")
AT_ONCE = 1 << 23
"""Values that are read at once, so that neither a long history nor a large window needs more memory."""
_FEWEST = 1 << 14
DECODED = 4 << 20
"""Bytes of parts of profiles that are kept decoded: of some references and all their cohorts."""


def profile(turn: Turn, lease: Lease, since: datetime | None) -> pa.Table:
    """Return the parts of profiles for the records that arrived after ``since``."""
    windows, counts = Windows.of(turn), arrived(turn, since)
    columns = len(turn.view.table("records").columns) if counts else 1
    most = max(_FEWEST, AT_ONCE // columns)
    found: dict[tuple[datetime, str, str], Profile] = {}
    for start, until in _parts(counts, windows.every, most):
        table = new_rows(turn, since, start, until)
        grids = _grids(turn, lease, table)
        for at, model, cohort, made in (
            *_cut(table, windows, grids),
            *_cohorts(table, windows, grids),
        ):
            had = found.get((at, model, cohort))
            found[at, model, cohort] = made if had is None else merge(had, made)
    rows = [_row(turn, *key, made) for key, made in found.items()]
    return pa.Table.from_pylist(rows, schema=PROFILES)


def _parts(
    counts: dict[datetime, int], every: timedelta, most: int
) -> Iterator[tuple[datetime, datetime]]:
    """Cut the time of some windows into parts of about so many rows: windows, or parts of one."""
    part: list[datetime] = []
    rows = 0
    for start, n in counts.items():
        if part and rows + n > most:
            yield part[0], part[-1] + every
            part, rows = [], 0
        pieces = -(-n // most)
        if pieces > 1:
            yield from (
                (start + every * k // pieces, start + every * (k + 1) // pieces)
                for k in range(pieces)
            )
        else:
            part, rows = [*part, start], rows + n
    if part:
        yield part[0], part[-1] + every


def new_rows(turn: Turn, since: datetime | None, start: datetime, end: datetime) -> pa.Table:
    """Return the records of [start, end) that came to be known after ``since``, in order of time."""
    rows = turn.view.records(since=start, until=end, arrived=since)
    if since is not None:
        rows = rows.filter(rows.available_at > moment(since))
    names = features_of(list(rows.columns))
    inside = {f"{_INSIDE}{name}": cohort(rows) for name, cohort in askable(turn, rows).items()}
    rows = rows.mutate(**inside).select("predicted_at", "model", *OUTPUTS, *names, *inside)
    return turn.view.arrow(rows.order_by("predicted_at"))


def _grids(turn: Turn, lease: Lease, table: pa.Table) -> dict[str, Grid]:
    """Return the grid of every column of numbers; made at its first values, and never changed.

    Profiles on one grid merge exactly, whenever they were made.
    """
    kept = turn.world.state.fact("grids") or {}
    new: dict[str, list[float]] = {}
    for name in table.column_names:
        column = table[name]
        if name in kept or not pa.types.is_floating(column.type):
            continue
        values = column.drop_null().to_numpy()
        values = values[np.isfinite(values)]
        if values.size:
            grid = Grid.around(values)
            new[name] = [grid.centre, grid.unit, grid.step]
    if new:
        kept = {**kept, **new}
        turn.world.state.set_fact(lease, "grids", kept)
    return {name: Grid(*numbers) for name, numbers in kept.items()}


def _cut(
    table: pa.Table, windows: Windows, grids: dict[str, Grid]
) -> Iterator[tuple[datetime, str, str, Profile]]:
    if not table.num_rows:
        return
    place = _place(table, windows)
    columns = [n for n in table.column_names if n not in ("predicted_at", "model")]
    columns = [n for n in columns if not n.startswith(_INSIDE)]
    models = np.array([m or "" for m in table["model"].to_pylist()], dtype=object)
    # A column that never had a value has no grid yet, and no type: it can be added to any later.
    empty = [n for n in columns if n not in grids and pa.types.is_floating(table[n].type)]
    nothing = pa.nulls(table.num_rows)
    shown = pa.table({n: nothing if n in empty else table[n] for n in columns})
    for k in np.unique(place):
        first, last = np.searchsorted(place, (k, k + 1))
        within = shown.slice(first, last - first)
        start = windows.numbered(int(k))
        named = models[first:last]
        for model in sorted(set(named)):
            rows = within if len(set(named)) == 1 else within.filter(pa.array(named == model))
            end = start + windows.every
            yield start, model, "", of_table(rows, grids=grids, start=start, end=end)


def _place(table: pa.Table, windows: Windows) -> NDArray[np.int64]:
    at = table["predicted_at"].to_numpy().astype("datetime64[us]").astype(np.int64)
    return at // int(windows.every.total_seconds() * 1_000_000)


def _cohorts(
    table: pa.Table, windows: Windows, grids: dict[str, Grid]
) -> Iterator[tuple[datetime, str, str, Profile]]:
    """Sum up the features of each cohort that asks for it, on the grids of everybody."""
    names = [n for n in table.column_names if n.startswith(_INSIDE)]
    if not table.num_rows or not names:
        return
    features = table.select(features_of(table.column_names))
    empty = [n for n in features.column_names if n not in grids]
    for n in (n for n in empty if pa.types.is_floating(features[n].type)):
        nothing = pa.nulls(table.num_rows)
        features = features.set_column(features.column_names.index(n), n, nothing)
    place = _place(table, windows)
    for k in np.unique(place):
        first, last = np.searchsorted(place, (k, k + 1))
        start, n = windows.numbered(int(k)), int(last - first)
        for name in names:
            rows = features.slice(first, n).filter(table[name].slice(first, n))
            made = of_table(rows, grids=grids, start=start, end=start + windows.every)
            yield start, "", name.removeprefix(_INSIDE), made


def askable(turn: Turn, rows: ir.Table) -> dict[str, Cohort]:
    """Return the cohorts whose features are watched and that can be asked of some records.

    They go by their name and what they ask for: one that is changed begins anew.
    """
    found: dict[str, Cohort] = {}
    for cohort in turn.strategy.cohorts:
        if cohort.name in rules(turn).by_cohort:
            try:
                cohort(rows)
            except TidemillError:
                continue  # nobody is in it; its points say that there is no record
            found[place_of(cohort)] = cohort
    return found


def place_of(cohort: Cohort) -> str:
    """Return what the profiles of a cohort are kept under."""
    return f"{cohort.name}#{fingerprint(cohort)[:8]}"


def _row(turn: Turn, start: datetime, model: str, cohort: str, made: Profile) -> dict[str, Any]:
    return {
        "predicted_at": start,
        "available_at": turn.now,
        "day": start.date(),
        "ends_at": made.end,
        "model": model,
        "cohort": cohort,
        "rows": made.rows,
        "cells": sum(len(c.counts) for c in made.columns.values()),
        "profile": made.to_bytes(),
    }


def profiles(turn: Turn, since: datetime, until: datetime) -> dict[datetime, dict[str, Profile]]:
    """Return the profile of each window that starts in [since, until), by model version."""
    return stored(turn, "profiles", since, until)


def of_cohort(
    turn: Turn, cohort: Cohort, since: datetime, until: datetime
) -> dict[datetime, Profile]:
    """Return the profile of a cohort's features in each window that starts in [since, until)."""
    found = stored(turn, "profiles", since, until, cohort=place_of(cohort))
    return {start: together(parts) for start, parts in found.items()}


def stored(
    turn: Turn, name: str, since: datetime, until: datetime, *, cohort: str = ""
) -> dict[datetime, dict[str, Profile]]:
    """Add up the parts in a table of profiles, by window and model version."""
    if turn.world.events.version(name) < 0:
        return {}
    table = turn.view.table(name, since=since, until=until)
    if "cohort" in table.columns:
        table = table.filter(table.cohort == cohort)
    rows = turn.view.arrow(table.order_by("predicted_at", "available_at", "model"))
    found: dict[datetime, dict[str, Profile]] = {}
    for row in rows.to_pylist():
        by_model = found.setdefault(row["predicted_at"], {})
        part = _decoded(turn, row["profile"])
        had = by_model.get(row["model"])
        by_model[row["model"]] = part if had is None else merge(had, part)
    return found


def _decoded(turn: Turn, content: bytes) -> Profile:
    """Decode a part, or know it from the last look: all but the newest were usual then too."""
    kept: dict[bytes, Profile] = turn.world.remembered.setdefault("decoded", {})
    found = kept.pop(content, None)
    kept[content] = Profile.from_bytes(content) if found is None else found
    spare = sum(map(len, kept)) - DECODED
    for old in list(kept)[:-1]:
        if spare <= 0:
            break
        del kept[old]
        spare -= len(old)
    return kept[content]


def together(parts: dict[str, Profile]) -> Profile:
    """Merge the profiles of all model versions of a window."""
    whole, *more = parts.values()
    return merge(whole, *more) if more else whole


def bare_name(column: str) -> str:
    """Return the name people know a column of records by."""
    return column.removeprefix(FEATURE)

"""Taking in files that services counted at the edge: each once, into the base window it is of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from tidemill.core.durations import duration
from tidemill.core.errors import BadInput
from tidemill.core.ports import Lease, World
from tidemill.core.records import EDGE_PROFILES, FEATURE
from tidemill.loop.log.values import DATE, NUMBER, TEXT, safe_name
from tidemill.measures.grid import Grid
from tidemill.measures.parts import Part, holds, joined
from tidemill.measures.profile import Categories, Numbers, Profile
from tidemill.strategy.storing import Counts, everything, note_write
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.turn import Turn, moment_of, stamp
from tidemill.strategy.watching.profiling import OUTPUTS
from tidemill.strategy.watching.windows import Windows

TABLE = "edge_profiles"
_KINDS = {NUMBER: "number", TEXT: "category", DATE: "time"}
"""How a feature of records is counted."""
OVER = 0.1
"""Share of a window by which a file may reach into the next: services do not stop at midnight."""


def profiles(
    world: World, strategy: Strategy, files: Mapping[str, bytes], *, model: str = ""
) -> Counts:
    """Take in files that :meth:`tidemill.EdgeProfile.save` wrote; the same file again changes nothing.

    All that can be taken in are appended in one commit, so a process that is killed has taken in
    all of them or none, and the next one knows which by what is stored.

    Parameters
    ----------
    files
        The content of each file, by its name.
    model
        The version that answered, if the files count outputs; empty where nobody knows.

    Returns
    -------
    Counts
        What became of the files; those that are refused count as quarantined, with the reason.
    """
    with world.state.lease("import") as lease:
        now = moment_of(world)
        turn = Turn(world=world, strategy=strategy, now=now, marks=strategy.marks)
        known = _Known(turn)
        rows, refused = [], dict[str, int]()
        already = 0
        for content in files.values():
            try:
                profile = Profile.from_bytes(content)
                row = _row(turn, profile, model)
                if known.has(profile):
                    already += 1
                    continue
                known.add(profile)
            except BadInput as error:
                why = f"{error.what} Fix: {error.fix}"
                refused[why] = refused.get(why, 0) + 1
            else:
                rows.append(row)
        counts = Counts(
            table=TABLE,
            source="edge",
            seen=len(files),
            accepted=len(rows),
            already=already,
            quarantined=sum(refused.values()),
            reasons=refused or None,
        )
        # Counted first, as a repeat after a kill finds other counts; the ledger keeps the first.
        digest = hashlib.sha256(b"".join(hashlib.sha256(c).digest() for c in files.values()))
        row = {**asdict(counts), "at": now.isoformat()}
        world.state.add_row("intake", f"{TABLE}:{digest.hexdigest()[:16]}", row)
        if rows:
            known.keep(lease)
            _append(turn, lease, rows)
    return counts


def _append(turn: Turn, lease: Lease, rows: list[dict[str, Any]]) -> None:
    note_write(turn, lease, rows[0]["available_at"])
    table = pa.Table.from_pylist(rows, schema=EDGE_PROFILES)
    # Never repeats: files taken in before are recognised by what is stored.
    sequence = lease.epoch * 1_000_000
    turn.world.events.append(TABLE, table, writer="import", sequence=sequence)


def _row(turn: Turn, profile: Profile, model: str) -> dict[str, Any]:
    if not profile.parts:
        raise BadInput("the file does not say who counted it.", fix="import files that save wrote.")
    start = _window(turn, profile.start, profile.end)
    named = _named(profile)
    return {
        "predicted_at": start,
        "available_at": stamp(turn.world),
        "day": start.date(),
        "ends_at": start + Windows.of(turn).every,
        "model": model,
        "parts": json.dumps([[p.writer, p.first, p.last] for p in profile.parts]),
        "rows": profile.rows,
        "cells": sum(len(c.counts) for c in profile.columns.values()),
        "profile": named.to_bytes(),
    }


def _window(turn: Turn, start: datetime | None, end: datetime | None) -> datetime:
    """Return the start of the one base window a file is of.

    Raises
    ------
    BadInput
        If it does not say when its rows were, or they are of two windows.
    """
    if start is None or end is None:
        raise BadInput(
            "the file does not say which time it is of.",
            fix="write it with edge.save(folder, start=..., end=...).",
        )
    windows = Windows.of(turn)
    first = windows.start(start)
    over = end - (first + windows.every)
    if over > OVER * duration(turn.strategy.window) or end < start:
        raise BadInput(
            f"the file is of {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}, and windows of "
            f"{turn.strategy.window} begin at {first:%Y-%m-%d %H:%M}.",
            fix="save when a window ends, or often: a file may reach a tenth into the next window.",
        )
    if end > turn.now + timedelta(minutes=5):
        raise BadInput(
            f"the file is of a time to come, {end:%Y-%m-%d %H:%M}.", fix="check the clocks."
        )
    return first


def _named(profile: Profile) -> Profile:
    """Give columns the names under which records have them; one without a value has no type."""
    columns: dict[str, Numbers | Categories] = {}
    kinds: dict[str, str] = {}
    for given, counts in profile.columns.items():
        name = given if given in OUTPUTS else FEATURE + safe_name(given.removeprefix(FEATURE))
        if name in columns:
            raise BadInput(f"two columns are kept as {name!r}.", fix="rename one of them.")
        nothing = isinstance(counts, Categories) and counts.rows == counts.nulls
        columns[name], kinds[name] = counts, "null" if nothing else profile.kinds[given]
    return replace(profile, columns=columns, kinds=kinds)


class _Known:
    """Which files were taken in, and how each column is counted in this project."""

    def __init__(self, turn: Turn) -> None:
        self._state = turn.world.state
        self._grids: dict[str, list[float]] = dict(self._state.fact("grids") or {})
        logged = self._state.fact("kinds") or {}
        self._kinds: dict[str, str] = {
            **{FEATURE + name: _KINDS[kind] for name, kind in logged.items() if kind in _KINDS},
            **(self._state.fact("edge_kinds") or {}),
        }
        self._before = (dict(self._grids), dict(self._kinds))
        self._files: tuple[Part, ...] = ()
        if turn.world.events.version(TABLE) >= 0:
            view = everything(turn, stamp(turn.world))
            for parts in view.arrow(view.table(TABLE).select("parts"))["parts"].to_pylist():
                self._files += tuple(Part(*part) for part in json.loads(parts))
        self._files = joined(self._files)

    def has(self, profile: Profile) -> bool:
        """Tell whether a file was taken in before.

        Raises
        ------
        BadInput
            If only some of the files that were added up in it were.
        """
        met = [
            part
            for part in profile.parts
            if any(
                known.writer == part.writer
                and known.first <= part.last
                and part.first <= known.last
                for known in self._files
            )
        ]
        if met and not all(any(holds(k, p) for k in self._files) for p in profile.parts):
            raise BadInput(
                f"several files were added up in it, and some of {met[0].writer!r} were taken in "
                f"before.",
                fix="import the files as save wrote them.",
            )
        return bool(met)

    def add(self, profile: Profile) -> None:
        """Note a file, if its columns are counted as they are in this project.

        Raises
        ------
        BadInput
            If a column has another grid or is of another kind.
        """
        found = _named(profile)
        kinds, grids = dict(self._kinds), dict(self._grids)
        for name, column in found.columns.items():
            kind, bare = found.kinds[name], name.removeprefix(FEATURE)
            if kind == "null":
                continue
            expected = kinds.setdefault(name, "number" if name in grids else kind)
            if kind != expected:
                raise BadInput(
                    f"column {bare!r} is a {kind}, and a {expected} in this project.",
                    fix="count like the profile that 'tidemill records reference' writes.",
                )
            if not isinstance(column, Numbers):
                continue
            grid = [column.grid.centre, column.grid.unit, column.grid.step]
            if Grid(*grids.setdefault(name, grid)) != column.grid:
                raise BadInput(
                    f"column {bare!r} is counted on another grid than in this project.",
                    fix="count like the profile that 'tidemill records reference' writes.",
                )
        self._kinds, self._grids = kinds, grids
        self._files = joined((*self._files, *profile.parts))

    def keep(self, lease: Lease) -> None:
        """Remember how columns are counted that were never seen before."""
        if self._grids != self._before[0]:
            self._state.set_fact(lease, "grids", self._grids)
        if self._kinds != self._before[1]:
            self._state.set_fact(lease, "edge_kinds", self._kinds)

"""Erasing a person: out of tables, spools, datasets, jobs and state, in an order that can be repeated.

What says whose the rest is goes last, so a command that was cut short finds what is left of it when
it is run again. Before anything goes it is written down, under hashes, that it was begun.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ibis
import pyarrow as pa

from tidemill.core.as_of import AsOf
from tidemill.core.erasure import ERASABLE, KEYS, hidden
from tidemill.core.errors import NotFound
from tidemill.core.ports import Json, KeepsInputs, Lease, World
from tidemill.loop.datasets import Manifest
from tidemill.strategy import erased
from tidemill.strategy.in_place import InPlace
from tidemill.strategy.turn import moment_of

_END = datetime(9999, 1, 1, tzinfo=UTC)
_FACTS = ("labels", "feedback", "records")
"""What waits in an inbox; the records last."""


@dataclass(frozen=True, kw_only=True)
class Whose:
    """Whose data is erased: of one unit, or of one record."""

    unit: str | None = None
    record: str | None = None

    @property
    def words(self) -> str:
        return f"unit {self.unit!r}" if self.unit is not None else f"record {self.record!r}"

    def key(self, salt: str) -> str:
        """Return what is kept of the name."""
        return hidden(
            salt, f"unit\x1f{self.unit}" if self.unit is not None else f"record\x1f{self.record}"
        )


@dataclass(frozen=True, kw_only=True)
class Found:
    """What there is to erase, and who saw it."""

    ids: frozenset[str]
    rows: dict[str, int]
    """By table, how many rows are stored."""
    waiting: int
    """Rows of the spool, whether taken in already or not."""
    quarantine: tuple[str, ...]
    quoted: frozenset[str]
    """Reasons of those rows that quote a value."""
    windows: dict[str, str]
    """Of each record that was chosen, in which window."""
    releases: tuple[Json, ...]
    theirs: dict[str, str]
    """Tables that are the user's own and stay as they are, and where each is."""

    @property
    def nothing(self) -> bool:
        return not any((*self._own.values(), self.waiting))

    @property
    def _own(self) -> dict[str, int]:
        return {table: n for table, n in self.rows.items() if n and table not in self.theirs}

    def to_dict(self) -> Json:
        theirs = [
            {"table": table, "where": where, "rows": self.rows.get(table, 0)}
            for table, where in self.theirs.items()
        ]
        more = {"waiting": self.waiting, "theirs": theirs, "releases": list(self.releases)}
        return {"rows": self._own, **more}


def look(world: World, whose: Whose) -> Found:
    """Say what there is of somebody, without changing anything."""
    view = AsOf(world.events, world.engine, _END)
    here = world.events if isinstance(world.events, InPlace) else None
    waits = list(_waiting(world, whose))
    ids: set[str] = {i for _, i in waits if i}
    ids |= set() if whose.record is None else {whose.record}
    if whose.unit is not None:
        stored = view.table("records")
        mine = view.arrow(stored.filter(stored.unit == whose.unit).select("record_id"))
        ids |= set(mine["record_id"].to_pylist())
    names = pa.array(sorted(ids), pa.string())
    rows: dict[str, int] = {}
    windows: dict[str, str] = {}
    for table in ERASABLE:
        if table in KEYS or not len(names):
            continue
        column = ["window"] if table == "chosen" else []
        found = view.arrow(
            view.table(table)
            .semi_join(ibis.memtable({"record_id": names}), "record_id")
            .select("record_id", *column)
        )
        rows[table] = found.num_rows
        if table == "chosen":
            pairs = zip(found["record_id"].to_pylist(), found["window"].to_pylist(), strict=True)
            windows = {str(i): str(w) for i, w in pairs}
    aside = _set_aside(view, {*names.to_pylist(), *([whose.unit] if whose.unit else [])})
    rows["quarantine"] = len(aside)
    facts = sum(1 for _ in _waiting(world, whose, ids=ids))
    key = whose.key(world.salt)
    known = [*erased.entries(world, key), (world.state.fact(erased.BEGUN) or {}).get(key)]
    gone = {name for entry in known if entry for name in entry["records"]}
    return Found(
        ids=frozenset(names.to_pylist()),
        rows=rows,
        waiting=facts,
        quarantine=tuple(aside),
        quoted=frozenset(why for why in aside.values() if "'" in why or '"' in why),
        windows=windows,
        releases=tuple(erased.seen_by(world, names, gone)),
        theirs={table: here.name(table) for table in here.tables} if here is not None else {},
    )


def _waiting(
    world: World, whose: Whose, *, ids: set[str] | None = None
) -> Iterator[tuple[str, str | None]]:
    """Yield table and id of what the inbox holds of somebody, also what was taken in already."""
    for parcel in world.inbox.pending({}):
        if parcel.table not in _FACTS or "record_id" not in parcel.rows.column_names:
            continue
        names = [None if i is None else str(i) for i in parcel.rows["record_id"].to_pylist()]
        column = parcel.columns.get("unit")
        units: list[Any] = [None] * len(names)
        if parcel.table == "records" and column in parcel.rows.column_names:
            units = parcel.rows[column].to_pylist()
        for name, unit in zip(names, units, strict=True):
            mine = unit is not None and str(unit) == whose.unit
            if mine or (name is not None and (name == whose.record or name in (ids or ()))):
                yield parcel.table, name


def _set_aside(view: AsOf, names: set[str]) -> dict[str, str]:
    """Return the rows of the quarantine in which a name stands, and the reason of each."""
    rows = view.arrow(view.table("quarantine").select("quarantine_id", "row", "reason")).to_pylist()
    return {r["quarantine_id"]: r["reason"] for r in rows if _names(r["row"], names)}


def _names(text: str, names: set[str]) -> bool:
    try:
        row = json.loads(text)
    except ValueError:  # it was cut, or is no row at all
        return any(name in text for name in names)
    if isinstance(row, dict) and isinstance(row.get("raw"), str):
        return any(name in row["raw"] for name in names)
    return any(leaf in names for leaf in _leaves(row))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def erase(
    world: World, whose: Whose, *, who: str, told: Callable[[str], None] | None = None
) -> Json:
    """Erase what is stored of somebody; done again after a crash, it goes on.

    Parameters
    ----------
    whose
        Whose data goes.
    who
        Who asked for it; written down.
    told
        Is told what is done at the moment.

    Returns
    -------
    dict
        ``rows`` by table, ``waiting``, ``theirs`` (tables of the user, which are only read: what
        is in them stays), ``datasets`` that were written without them, ``jobs`` that
        were cleared, and the ``releases`` that saw them. Counts are of this call.

    Raises
    ------
    NotFound
        If nothing is stored, and nothing was begun.
    Busy
        If another process is changing the project, or reads what must go.
    """
    key, say = whose.key(world.salt), told or (lambda _: None)
    with world.state.lease("erase") as lease:
        found = look(world, whose)
        begun: Json = world.state.fact(erased.BEGUN) or {}
        done = erased.entries(world, key)
        if found.nothing and key not in begun:
            if done:
                return {**found.to_dict(), "datasets": 0, "jobs": 0, "erased_at": done[-1]["at"]}
            if not found.releases:
                raise NotFound(
                    f"nothing is stored of {whose.words}.",
                    fix="see whose there is: tidemill sql 'select distinct unit from records'.",
                )
        entry = _begin(world, lease, found, begun, key)
        jobs = world.jobs.clear() if isinstance(world.jobs, KeepsInputs) else 0
        say("datasets and state")
        moved = _datasets(world, lease, found)
        _tables(world, lease, found, whose, say)
        world.state.hold(lease)
        row = {"of": key, "at": entry["begun"], "who": who, "records": entry["records"]}
        world.state.add_row("erasures", f"{key}:{len(done)}", row)
        world.state.set_fact(lease, "erasing", {k: v for k, v in begun.items() if k != key})
    world.remembered.clear()
    return {**found.to_dict(), "datasets": len(moved), "jobs": jobs, "erased_at": entry["begun"]}


def _begin(world: World, lease: Lease, found: Found, begun: Json, key: str) -> Json:
    """Write down what is to be erased, under hashes; what was begun before is part of it."""
    old = begun.get(key, {"records": {}, "begun": moment_of(world).isoformat()})
    mine = {hidden(world.salt, name): found.windows.get(name, "") for name in found.ids}
    # A window that is gone already is known from the first time.
    entry = {**old, "records": {h: w or old["records"].get(h, "") for h, w in mine.items()}}
    entry["records"] = {**old["records"], **entry["records"]}
    world.state.set_fact(lease, "erasing", {**begun, key: entry})
    return entry


def _datasets(world: World, lease: Lease, found: Found) -> dict[str, str]:
    """Write each dataset without the rows, let the state name those, and drop the old ones."""
    ids = pa.array(sorted(found.ids), pa.string())
    moved: dict[str, str] = {}
    for blob in world.blobs.digests("datasets"):
        old = Manifest.from_bytes(world.blobs.get("datasets", blob))
        new = old.without(ids, lambda name: hidden(world.salt, name))
        if new is not old:
            moved[blob] = world.blobs.put("datasets", new.to_bytes())
    gone, quoted = set(found.ids), set(found.quoted)
    world.state.rewrite(lease, lambda value: erased.forgotten(value, gone, moved, quoted))
    for blob in moved:
        world.state.hold(lease)
        world.blobs.drop("datasets", blob)
    return moved


def _tables(
    world: World, lease: Lease, found: Found, whose: Whose, told: Callable[[str], None]
) -> None:
    """Erase the rows: facts before records, in the tables and in the inbox."""

    def from_tables(tables: tuple[str, ...]) -> None:
        for table in tables:
            if table not in found.theirs:
                told(table)
                world.state.hold(lease)
                world.events.erase(table, found.quarantine if table in KEYS else found.ids)

    from_tables(ERASABLE[:-1])
    told("the spool")
    for table in _FACTS:
        world.state.hold(lease)
        world.inbox.erase(table, found.ids, unit=whose.unit)
    from_tables(ERASABLE[-1:])

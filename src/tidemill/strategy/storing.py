"""Storing what was taken in, exactly once: dedupe, sample, let wait, set aside, append."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.as_of import AsOf
from tidemill.core.ports import Lease
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.loop.log.facts import take_facts
from tidemill.loop.log.records import take_records
from tidemill.loop.log.taken import set_aside
from tidemill.strategy.erased import leave_out
from tidemill.strategy.in_place import refuse
from tidemill.strategy.turn import Turn, moment_of, stamp

REASONS = 20
"""How many different reasons the counts of a batch name."""

_TICK = timedelta(microseconds=1)
_END = datetime(9999, 1, 1, tzinfo=UTC)
_KEYS = {"labels": "label_id", "feedback": "feedback_id"}
_SAYS = {
    "labels": ["label", "label_text"],
    "feedback": ["value", "value_text", "kind", "happened_at"],
}
"""What makes a fact say the same as another."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What became of the rows of a batch; they add up to ``seen``."""

    table: str
    source: str
    seen: int = 0
    accepted: int = 0
    already: int = 0
    sampled_out: int = 0
    waiting: int = 0
    quarantined: int = 0
    reasons: dict[str, int] | None = None
    notes: tuple[str, ...] = ()


def store_records(
    turn: Turn,
    lease: Lease,
    table: pa.Table,
    columns: Columns,
    *,
    source: str,
    writer: str,
    sequence: int,
    key: str | None = None,
) -> Counts:
    """Take in a batch of records and store it.

    ``writer`` and ``sequence`` make the append happen once; ``key`` names the batch in the
    ledger, so that a batch that is taken in again is counted once.
    """
    refuse(turn.world.events, "records")
    state, now = turn.world.state, stamp(turn.world)
    kinds: dict[str, str] = state.fact("kinds") or {}
    taken = take_records(
        table,
        columns,
        now=now,
        floor=_floor(turn),
        kinds=kinds,
        salt=turn.world.salt,
        source=source,
    )
    fresh, erased = leave_out(turn.world, taken.rows)
    rows, clash, already = _new_records(turn, fresh, now, source)
    rows, sampled_out = _sampled(turn, rows)
    quarantine = pa.concat_tables([taken.quarantine, clash]) if len(clash) else taken.quarantine
    counts = Counts(
        table="records",
        source=source,
        seen=taken.seen,
        accepted=rows.num_rows,
        already=taken.already + already + erased,
        sampled_out=sampled_out,
        quarantined=quarantine.num_rows,
        reasons=reasons_of(quarantine),
        notes=(*taken.notes, *_stays(erased)),
    )
    if taken.kinds != kinds:
        state.set_fact(lease, "kinds", taken.kinds)
    parts = [("quarantine", quarantine), ("records", rows)]
    counts = _keep(turn, lease, counts, parts, (writer, sequence, key))
    turn.stored.add(rows)
    return counts


def store_refused(
    turn: Turn, lease: Lease, table: pa.Table, *, name: str, reason: str, **how: Any
) -> Counts:
    """Set a whole batch aside that cannot be read at all."""
    rows = set_aside(table, name, how["source"], reason, stamp(turn.world))
    n = table.num_rows
    counts = Counts(
        table=name, source=how["source"], seen=n, quarantined=n, reasons=reasons_of(rows)
    )
    parts = [("quarantine", rows)]
    return _keep(turn, lease, counts, parts, (how["writer"], how["sequence"], None))


def store_facts(
    turn: Turn,
    lease: Lease,
    table: pa.Table,
    columns: FactColumns,
    *,
    name: str,
    source: str,
    writer: str,
    sequence: int,
    source_kind: str = "outcome",
    key: str | None = None,
) -> Counts:
    """Take in a batch of labels or feedback; those whose record is not there yet wait."""
    refuse(turn.world.events, name)
    state, now = turn.world.state, stamp(turn.world)
    kind = state.fact("label_kind") if name == "labels" else None
    taken = take_facts(
        table,
        columns,
        name=name,
        now=now,
        floor=_floor(turn),
        source=source,
        source_kind=source_kind,
        kind=kind,
    )
    if name == "labels" and kind is None and taken.kinds:
        state.set_fact(lease, "label_kind", taken.kinds["label"])
    fresh, erased = leave_out(turn.world, taken.rows)
    known, waiting = split_by_record(turn, fresh, now)
    known, already = _new_facts(turn, known, name, now)
    waiting, again = _new_facts(turn, waiting, name, now, waiting=True)
    counts = Counts(
        table=name,
        source=source,
        seen=taken.seen,
        accepted=known.num_rows,
        already=taken.already + already + again + erased,
        waiting=waiting.num_rows,
        quarantined=taken.quarantine.num_rows,
        reasons=reasons_of(taken.quarantine),
        notes=(*taken.notes, *_stays(erased)),
    )
    parts = [("quarantine", taken.quarantine), (f"waiting_{name}", waiting), (name, known)]
    return _keep(turn, lease, counts, parts, (writer, sequence, key))


def _keep(
    turn: Turn,
    lease: Lease,
    counts: Counts,
    parts: list[tuple[str, pa.Table]],
    how: tuple[str, int, str | None],
) -> Counts:
    """Count the batch, then append its parts; a repeat appends what is not there yet.

    Counted first: the counts are of a store without the batch, which a repeat after a crash
    may not find any more. The ledger keeps the first row of a key.
    """
    row: dict[str, Any] = {**asdict(counts), "at": turn.now.isoformat()}
    writer, sequence, key = how
    turn.world.state.add_row("intake", key or f"{writer}:{sequence}", row)
    for table, rows in parts:
        if table == "quarantine":
            rows = not_there_yet(turn, rows, _END)  # noqa: PLW2901
        if not rows.num_rows:
            continue
        if table != "quarantine":  # no decision reads it: it does not keep a replay from going back
            note_write(turn, lease, pc.max(rows["available_at"]).as_py())
        # One that stood still for long, and woke after another had taken over, must not append.
        turn.world.state.hold(lease)
        turn.world.events.append(table, rows, writer=writer, sequence=sequence)
    # Nor may it say that it did, when it was overtaken in between.
    turn.world.state.hold(lease)
    return counts


def note_write(turn: Turn, lease: Lease, at: datetime) -> None:
    """Remember the latest moment at which anything stored becomes available."""
    last = turn.world.state.fact("last_write")
    if last is None or at > datetime.fromisoformat(last):
        turn.world.state.set_fact(lease, "last_write", at.isoformat())


def _stays(erased: int) -> tuple[str, ...]:
    what = (
        "1 row is of a record that was"
        if erased == 1
        else f"{erased:,} rows are of records that were"
    )
    return (f"{what} erased, and stays so",) if erased else ()


def _floor(turn: Turn) -> datetime | None:
    floor = turn.world.state.fact("last_turn")
    return None if floor is None else datetime.fromisoformat(floor)


def everything(turn: Turn, at: datetime) -> AsOf:
    """Open the door wide enough to see what was stored a moment ago."""
    return AsOf(turn.world.events, turn.world.engine, max(at, turn.now, moment_of(turn.world)))


def _new_records(
    turn: Turn, rows: pa.Table, now: datetime, source: str
) -> tuple[pa.Table, pa.Table, int]:
    """Leave out records already there; set aside ids that come with other content."""
    nothing = set_aside(rows.slice(0, 0), "records", source, "", now)
    if not rows.num_rows:
        return rows, nothing, 0
    view, wanted = everything(turn, now), ("record_id", "row_hash", "predicted_at")
    found = turn.stored.find(view, rows["record_id"], wanted)
    if not found.num_rows:
        return rows, nothing, 0
    place = pc.index_in(rows["record_id"], found["record_id"])
    there = pc.is_valid(place)
    match = found.take(place)
    same = pc.and_(
        pc.equal(match["row_hash"], rows["row_hash"]),
        pc.equal(match["predicted_at"], rows["predicted_at"]),
    )
    same = pc.fill_null(same, False)
    clash = rows.filter(pc.and_(there, pc.invert(same)))
    stamped = ("available_at", "u_log", "u_label", "u_split", "day")
    clash = clash.drop_columns(list(stamped))
    reason = "the id is already logged with other content"
    clashes = set_aside(clash, "records", source, reason, now)
    return rows.filter(pc.invert(there)), clashes, int(pc.sum(same).as_py() or 0)


def _sampled(turn: Turn, rows: pa.Table) -> tuple[pa.Table, int]:
    """Keep each record with the probability the log rule gives it, by its stored draw."""
    if not rows.num_rows:
        return rows.append_column("p_log", pa.array([], pa.float64())), 0
    slim = ibis.memtable(rows)
    p = turn.world.engine.arrow(slim.select("record_id", p=turn.strategy.log(slim)))
    at = pc.index_in(rows["record_id"], p["record_id"])
    rows = rows.append_column("p_log", p["p"].take(at).cast(pa.float64()))
    keep = pc.less(rows["u_log"], rows["p_log"])
    kept = rows if pc.all(keep).as_py() else rows.filter(keep)  # a copy of them all is large
    return kept, rows.num_rows - kept.num_rows


def split_by_record(turn: Turn, rows: pa.Table, now: datetime) -> tuple[pa.Table, pa.Table]:
    """Give each fact its record's time and day; return those with a record, and the rest."""
    moment = pa.timestamp("us", tz="UTC")
    bare = rows.drop_columns([c for c in ("predicted_at", "day") if c in rows.column_names])
    if not bare.num_rows:
        empty = bare.append_column("predicted_at", pa.array([], moment))
        empty = empty.append_column("day", pa.array([], pa.date32()))
        return empty, empty
    view, wanted = everything(turn, now), ("record_id", "predicted_at")
    found = turn.stored.find(view, bare["record_id"], wanted)
    place = pc.index_in(bare["record_id"], found["record_id"])
    at = found["predicted_at"].take(place)
    with_time = bare.append_column("predicted_at", at.cast(moment))
    arrival = with_time["available_at"]
    day = (
        pc.if_else(pc.is_valid(at), at, arrival)
        .cast(pa.timestamp("us"))
        .cast(pa.date32(), safe=False)
    )
    whole = with_time.append_column("day", day)
    return whole.filter(pc.is_valid(at)), whole.filter(pc.is_null(at))


def _new_facts(
    turn: Turn, rows: pa.Table, name: str, now: datetime, *, waiting: bool = False
) -> tuple[pa.Table, int]:
    """Leave out what the latest statement of the same source says already.

    A label that changes one of the same moment counts from a microsecond after it.
    """
    if not rows.num_rows:
        return rows, 0
    view = everything(turn, now)
    span = {} if waiting else _span(rows["predicted_at"])
    stored = view.table(f"waiting_{name}" if waiting else name, **span)
    stored = stored.semi_join(ibis.memtable(rows.select(["record_id"])), "record_id")
    key = _KEYS[name]
    wanted = ["record_id", "source", *_SAYS[name], key, "available_at"]
    found = view.arrow(stored.select(*wanted).order_by("available_at")).to_pylist()
    if not found:
        return rows, 0
    ids = {r[key] for r in found}
    new = rows.select(wanted).to_pylist()
    if name == "labels":
        latest = {(r["record_id"], r["source"]): r for r in found}
        before = [latest.get((r["record_id"], r["source"])) for r in new]
        again = [_same(o, r, name) for o, r in zip(before, new, strict=True)]
        arrivals = [
            r["available_at"] + _TICK if o and o["available_at"] == r["available_at"] else None
            for o, r in zip(before, new, strict=True)
        ]
        arrived = pa.chunked_array([pa.array(arrivals, rows["available_at"].type)])
        arrived = pc.coalesce(arrived, rows["available_at"])
        rows = rows.set_column(rows.column_names.index("available_at"), "available_at", arrived)
    else:
        said = {tuple(r[n] for n in ("record_id", *_SAYS[name])) for r in found}
        again = [tuple(r[n] for n in ("record_id", *_SAYS[name])) in said for r in new]
    known = np.array([a or r[key] in ids for a, r in zip(again, new, strict=True)])
    return rows.filter(pa.array(~known)), int(known.sum())


def _span(moments: pa.ChunkedArray) -> dict[str, datetime]:
    ends = pc.min_max(moments).as_py()
    return {"since": ends["min"], "until": ends["max"] + _TICK}


def _same(old: dict[str, Any] | None, new: dict[str, Any], name: str) -> bool:
    return old is not None and all(old[n] == new[n] for n in _SAYS[name])


def not_there_yet(turn: Turn, quarantine: pa.Table, now: datetime) -> pa.Table:
    """Leave out rows that were set aside before, from the same file."""
    if not quarantine.num_rows:
        return quarantine
    view = everything(turn, now)
    ids = ibis.memtable(quarantine.select(["quarantine_id"]))
    stored = view.table("quarantine").select("quarantine_id").semi_join(ids, "quarantine_id")
    there = view.arrow(stored)["quarantine_id"]
    return quarantine.filter(pc.invert(pc.is_in(quarantine["quarantine_id"], there)))


def reasons_of(quarantine: pa.Table) -> dict[str, int]:
    """Count the reasons; the rarer ones together, since a reason may quote its value."""
    counts = quarantine["reason"].value_counts().to_pylist()
    ordered = sorted(counts, key=lambda c: (-c["counts"], c["values"]))
    reasons = {c["values"]: c["counts"] for c in ordered[:REASONS]}
    rest = sum(c["counts"] for c in ordered[REASONS:])
    return {**reasons, "other reasons, see the quarantine": rest} if rest else reasons

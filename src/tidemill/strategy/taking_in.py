"""Intake: what a service handed over goes into the tables; waiting labels meet their records."""

from __future__ import annotations

from collections.abc import Iterator

import ibis
import pyarrow as pa

from tidemill.core.errors import BadInput, BadValue, NotAllowed, NotFound
from tidemill.core.failpoints import failpoint
from tidemill.core.ports import Lease, Parcel
from tidemill.core.records import MOMENT
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.strategy.in_place import refused
from tidemill.strategy.storing import (
    everything,
    note_write,
    split_by_record,
    store_facts,
    store_records,
    store_refused,
)
from tidemill.strategy.turn import Step, Turn, stamp

INBOX, WAITING, LOST = "inbox", "waiting", "lost"
"""LOST is the table of a parcel that says what a writer could not keep."""


def due(turn: Turn) -> Iterator[Step]:
    """Say what waits to be taken in, and what may be settled."""
    yield from handed_over(turn)
    yield from settling(turn)


def handed_over(turn: Turn) -> Iterator[Step]:
    """Say what waits to be taken in, a parcel at a time."""
    done = turn.world.state.fact(_done(turn)) or {}
    for parcel in turn.world.inbox.pending(done):
        why = f"{parcel.rows.num_rows} rows of {parcel.table} were handed over"
        if parcel.table == LOST:
            why = f"process {parcel.columns['process']} could not keep {parcel.sequence}"
        elif no := refused(turn.world.events, parcel.table):
            why += f", and go to the quarantine: {no.removesuffix('.')}"
        yield Step(stage="intake", id=parcel.writer, target=INBOX, why=why, data=parcel)


def settling(turn: Turn) -> Iterator[Step]:
    """Say what waited for its record, and may have met it."""
    for name in ("labels", "feedback"):
        version = turn.world.events.version(f"waiting_{name}")
        if version < 0:
            continue
        seen = [version, turn.world.events.version("records")]
        if turn.world.state.fact(f"waited_{name}") == seen:
            continue
        why = f"{name} may have met their records"
        yield Step(stage="intake", id=name, target=WAITING, why=why, data=seen)


def apply(turn: Turn, lease: Lease, step: Step) -> None:
    """Take in one parcel, or settle what waited."""
    if step.target == WAITING:
        _settle(turn, lease, step)
        return
    parcel, state = step.data, turn.world.state
    how = {"source": parcel.source, "writer": parcel.writer, "sequence": parcel.sequence}
    try:
        if parcel.table == LOST:
            _note_lost(turn, lease, parcel)
        elif parcel.table == "records":
            store_records(turn, lease, parcel.rows, Columns(**parcel.columns), **how)
        else:
            columns = FactColumns(**parcel.columns)
            store_facts(turn, lease, parcel.rows, columns, name=parcel.table, **how)
    except (BadInput, BadValue, NotAllowed, NotFound) as error:
        # It was acknowledged, so it is kept; and it must not stop the mill for ever.
        store_refused(turn, lease, parcel.rows, name=parcel.table, reason=str(error), **how)
    done = {**(state.fact(_done(turn)) or {}), parcel.writer: parcel.sequence}
    state.set_fact(lease, _done(turn), done)
    failpoint("inbox.discard.before")
    state.set_fact(lease, _done(turn), turn.world.inbox.discard(done))


def _note_lost(turn: Turn, lease: Lease, parcel: Parcel) -> None:
    """Remember what a writer lost since it began; said again it changes nothing."""
    lost = turn.world.state.fact("lost") or {}
    reasons = {r["reason"]: r["n"] for r in parcel.rows.to_pylist()}
    said = {**parcel.columns, "reasons": reasons}
    turn.world.state.set_fact(lease, "lost", {**lost, parcel.writer: said})


def _done(turn: Turn) -> str:
    """Name what is known of the inbox of this machine; another's is not forgotten by it."""
    if turn.world.shared_inbox:
        return "inbox shared"
    return f"inbox {turn.world.place}" if turn.world.place else "inbox"


def _settle(turn: Turn, lease: Lease, step: Step) -> None:
    """Move facts whose record has come; they count from now, not from when they came.

    Of several labels by one source only the last one counts: not those it replaced while
    they waited, nor one that waited while a newer came straight in.
    """
    name, state = step.id, turn.world.state
    now = stamp(turn.world)
    view = everything(turn, now)
    key = "label_id" if name == "labels" else "feedback_id"
    waiting = view.table(f"waiting_{name}")
    waiting = waiting.anti_join(view.table(name), key)
    if name == "labels":
        newer = view.table(name).select("record_id", "source", newer="available_at")
        same = ["record_id", "source"]
        replaced = waiting.inner_join(newer, same).filter(ibis._.newer >= ibis._.available_at)
        waiting = waiting.anti_join(replaced.select(key), key)
        last = ibis.row_number().over(group_by=same, order_by=ibis.desc("available_at"))
        waiting = waiting.mutate(last=last).filter(ibis._.last == 0).drop("last")
    met, _ = split_by_record(turn, view.arrow(waiting), now)
    if met.num_rows:
        place = met.column_names.index("available_at")
        arrival = pa.array([now] * met.num_rows, MOMENT)
        met = met.set_column(place, "available_at", arrival)
        note_write(turn, lease, now)
        sequence = turn.world.events.version(name) + 1
        turn.world.events.append(name, met, writer=f"waiting_{name}", sequence=sequence)
    state.set_fact(lease, f"waited_{name}", step.data)

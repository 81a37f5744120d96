"""Importing tables: in batches, exactly once, under the right to change state."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
from pyarrow import ipc

from tidemill.core.ports import Lease, World
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.strategy.storing import Counts, store_facts, store_records
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.turn import Turn, moment_of

BATCH = 100_000
"""Rows taken in at a time."""


def records(
    world: World,
    strategy: Strategy,
    table: pa.Table | pa.RecordBatchReader,
    columns: Columns,
    *,
    source: str,
) -> Counts:
    """Take in a table of predictions.

    A reader of batches is taken in as it is read, so a table of any size needs the memory of one
    batch.

    Returns
    -------
    Counts
        What became of the rows; importing the same table again changes nothing.
    """
    total = Counts(table="records", source=source)
    with world.state.lease("import") as lease:
        turn = _turn(world, strategy)
        for k, batch in enumerate(_batches(table)):
            how: dict[str, Any] = {
                "source": source,
                "writer": "import",
                "sequence": _sequence(lease, k),
            }
            how["key"] = f"{_digest(batch, columns)}:{k}"
            total = add(total, store_records(turn, lease, batch, columns, **how))
    return total


def facts(
    world: World,
    strategy: Strategy,
    table: pa.Table | pa.RecordBatchReader,
    columns: FactColumns,
    *,
    source: str,
    name: str = "labels",
    kind: str = "outcome",
) -> Counts:
    """Take in a table of labels or feedback; a label whose record is unknown waits for it."""
    total = Counts(table=name, source=source)
    with world.state.lease("import") as lease:
        turn = _turn(world, strategy)
        for k, batch in enumerate(_batches(table)):
            done = store_facts(
                turn,
                lease,
                batch,
                columns,
                name=name,
                source=source,
                source_kind=kind,
                writer="import",
                sequence=_sequence(lease, k),
                key=f"{name}:{_digest(batch, columns)}:{k}",
            )
            total = add(total, done)
    return total


def add(one: Counts, other: Counts) -> Counts:
    """Add up what became of two batches."""
    reasons = dict(one.reasons or {})
    for reason, n in (other.reasons or {}).items():
        reasons[reason] = reasons.get(reason, 0) + n
    numbers = ("seen", "accepted", "already", "sampled_out", "waiting", "quarantined")
    sums = {n: getattr(one, n) + getattr(other, n) for n in numbers}
    notes = tuple(dict.fromkeys((*one.notes, *other.notes)))
    return replace(one, **sums, reasons=reasons, notes=notes)


def _batches(table: pa.Table | pa.RecordBatchReader) -> Iterator[pa.Table]:
    """Cut a table into batches, wherever those of a reader end; at least one."""
    if isinstance(table, pa.Table):
        starts = range(0, table.num_rows, BATCH) if table.num_rows else [0]
        yield from (table.slice(k, BATCH) for k in starts)
        return
    held = table.schema.empty_table()
    for part in table:
        held = pa.concat_tables([held, pa.Table.from_batches([part])])
        while held.num_rows > BATCH:
            yield held.slice(0, BATCH)
            held = held.slice(BATCH)
    yield held


def _sequence(lease: Lease, k: int) -> int:
    # Never repeats: what is imported again is recognised by its content, not by its writer,
    # since a label that was changed and changed back must count.
    return lease.epoch * 1_000_000 + k


def _turn(world: World, strategy: Strategy) -> Turn:
    return Turn(world=world, strategy=strategy, now=moment_of(world), marks=strategy.marks)


def _digest(table: pa.Table, columns: Columns | FactColumns) -> str:
    digest = hashlib.sha256(repr(columns).encode())
    sink = pa.PythonFile(_Into(digest.update), "w")
    with ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return digest.hexdigest()[:16]


class _Into(io.RawIOBase):
    """A file whose bytes are only looked at: a batch is not held a second time to be known again."""

    def __init__(self, look: Callable[[Any], None]) -> None:
        self._look = look

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride] - the buffers there are
        self._look(data)
        return len(data)

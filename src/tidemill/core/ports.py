"""Ports: what the mill asks of the world. Adapters answer; nothing above knows which one.

Each port is passed by every adapter in ``adapters/`` through the same conformance suite
(:mod:`tidemill.testing`), so an in-memory store keeps the promises of the real one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol, TypeVar, runtime_checkable

import pyarrow as pa
from ibis.expr import types as ir

from tidemill.core.clock import Clock

Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """Something that is wrong with what is stored, and what can be done about it.

    A store may have a method ``flaws() -> Iterable[Flaw]``; ``tidemill check`` asks it.
    """

    what: str
    fix: str
    mend: Callable[[], object] | None = None
    """Puts it right without losing anything that was acknowledged; None where only a person can."""

    def __str__(self) -> str:
        return f"{self.what} Fix: {self.fix}"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The rows of a table at one version: Parquet files, or Arrow in memory."""

    schema: pa.Schema
    files: tuple[str, ...] = ()
    arrow: pa.Table | None = None
    fetch: Callable[[Sequence[str]], tuple[str, ...]] | None = field(default=None, compare=False)
    """Copies the files to this machine, for an engine that does not read them where they are."""


class EventStore(Protocol):
    """Append-only tables of events (:data:`tidemill.core.records.TABLES`)."""

    def append(self, table: str, rows: pa.Table, *, writer: str, sequence: int) -> bool:
        """Append all rows or none; False when this (writer, sequence) was appended before."""
        ...

    def snapshot(
        self,
        table: str,
        *,
        since: date | None = None,
        until: date | None = None,
        arrived: datetime | None = None,
    ) -> Snapshot:
        """Return the rows with ``day`` in [since, until], available at ``arrived`` or later.

        The bounds are for skipping files: the answer may hold more rows, never fewer.
        """
        ...

    def version(self, table: str) -> int:
        """Return a number that grows with every change of the table; -1 when there is none."""
        ...

    def compact(self, table: str) -> None:
        """Merge small files; no row changes."""
        ...

    def erase(self, table: str, ids: Collection[str]) -> int:
        """Remove the rows of these records for ever, and the bytes of every row ever removed.

        Rows of the quarantine are named by ``quarantine_id``. Returns how many went; without ids
        only the bytes go, so a call that was cut short can be repeated. ``BadValue`` for a table
        that holds no rows of single records.
        """
        ...


class Engine(Protocol):
    """Evaluates expressions."""

    def table(self, snapshot: Snapshot) -> ir.Table:
        """Return the rows of a snapshot as an expression."""
        ...

    def arrow(self, expression: ir.Table) -> pa.Table:
        """Evaluate an expression."""
        ...


@runtime_checkable
class SpeaksSql(Protocol):
    """An engine that people may ask in its own SQL."""

    def sql(self, query: str, views: Mapping[str, ir.Table]) -> pa.Table:
        """Answer one SELECT over named views; ``BadInput`` when it is none or has no answer."""
        ...


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A journalled state machine: one curation window, one release, ..."""

    kind: str
    id: str
    state: str
    payload: Json
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class Transition:
    """One step of a machine, written with everything that must change with it."""

    kind: str
    id: str
    source: str | None
    target: str
    why: str
    at: datetime
    payload: Json = field(default_factory=dict)
    frontier: Json = field(default_factory=dict)
    strategy: str = ""
    actor: str = "tidemill"
    front: str | None = None
    """The model version that answers from now on, if this step changes it."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """Facts to set in the same transaction."""
    also: tuple[Transition, ...] = ()
    """Steps of other machines in the same transaction."""


@dataclass(frozen=True, kw_only=True)
class JournalRow:
    """What happened, when, why, decided by which strategy on which data."""

    seq: int
    at: datetime
    kind: str
    id: str
    source: str | None
    target: str
    why: str
    payload: Json
    frontier: Json
    strategy: str
    actor: str


@dataclass(frozen=True, kw_only=True)
class Front:
    """Which model version answered since when."""

    seq: int
    at: datetime
    version: str | None
    why: str
    actor: str


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to change state, fenced by an epoch that only grows."""

    epoch: int


class StateStore(Protocol):
    """The journal and what follows from it; every change is one transaction."""

    def lease(self, owner: str) -> AbstractContextManager[Lease]:
        """Hold the right to change state; ``Busy`` when somebody living has it."""
        ...

    def hold(self, lease: Lease) -> None:
        """Raise ``Busy`` when another has taken the lease over meanwhile."""
        ...

    def transition(self, lease: Lease, step: Transition) -> None:
        """Write a step; refused when the machine is not in ``source`` or the lease is old."""
        ...

    def machine(self, kind: str, machine_id: str) -> Machine | None: ...

    def machines(self, kind: str, states: Sequence[str] | None = None) -> list[Machine]:
        """Return the machines of a kind in the order of their creation."""
        ...

    def journal(self, *, after: int = 0) -> list[JournalRow]: ...

    def fronts(self) -> list[Front]:
        """Return which version answered when, the present one last."""
        ...

    def front(self) -> Front | None: ...

    def fact(self, key: str) -> Any: ...

    def set_fact(self, lease: Lease, key: str, value: Any) -> None: ...

    def add_row(self, table: str, key: str, row: Json) -> bool:
        """Keep a row of a ledger (``intake``, ``strategies``, ``signatures``) once by its key."""
        ...

    def rows(self, table: str) -> list[Json]: ...

    def rewrite(self, lease: Lease, change: Callable[[Any], Any]) -> None:
        """Keep what ``change`` makes of each payload, row of a ledger and fact, and no older bytes.

        Only for erasing: nothing else may change what was journalled. It is one transaction.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """Rows that a service handed over and that wait to be taken in."""

    table: str
    """``records``, ``labels`` or ``feedback``."""
    rows: pa.Table
    columns: Json
    """Which column means what, as keywords of the stage's own column map."""
    writer: str
    sequence: int
    source: str


class Inbox(Protocol):
    """What was acknowledged to a service but is not in the tables yet."""

    def pending(self, done: Mapping[str, int]) -> Iterator[Parcel]:
        """Yield what waits, beyond the sequence that each writer is done with.

        Parcels are read one by one: what waits need not fit into memory.
        """
        ...

    def discard(self, done: Mapping[str, int]) -> dict[str, int]:
        """Remove what is done with and whose writer is gone; return what to go on knowing."""
        ...

    def erase(self, table: str, ids: Collection[str], *, unit: str | None = None) -> int:
        """Remove the rows of these records from a table's parcels, taken in or not; their bytes too.

        Rows of ``records`` also go by their unit, and what cannot be read by naming it.
        """
        ...

    def close(self) -> None: ...


class BlobStore(Protocol):
    """Immutable bytes by name; a content-addressed name is checked on every read."""

    def put(self, kind: str, data: bytes) -> str:
        """Keep bytes under their sha256; returns it."""
        ...

    def get(self, kind: str, digest: str) -> bytes:
        """Read bytes and check them; ``Damaged`` when they do not match."""
        ...

    def digests(self, kind: str) -> list[str]: ...

    def drop(self, kind: str, digest: str) -> None:
        """Remove bytes; what is not there is removed already."""
        ...


class Objects(Protocol):
    """Bytes by name in a place that other machines see too, each written whole."""

    def put(self, name: str, data: bytes) -> None: ...

    def get(self, name: str) -> bytes | None:
        """Read an object; None when there is none."""
        ...

    def delete(self, name: str) -> None: ...

    def names(self, prefix: str) -> list[str]: ...


@dataclass(frozen=True, kw_only=True)
class Job:
    """Work that runs user code, apart from the mill, under limits."""

    id: str
    kind: str
    """``fit``, ``answer``, ``check`` (answers and their latency) or ``label``."""
    work: Any = None
    """The trainer, the labelling function, or what else is asked of one who answers
    (:class:`tidemill.core.importance.Importance`)."""
    table: pa.Table | None = None
    models: Mapping[str, bytes] = field(default_factory=dict)
    seconds: float = 3600.0
    memory_mb: int = 4096
    content: str = ""
    """A digest of the rows, where it is known already; else they are hashed."""


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """What became of a job: its output, or why it failed."""

    ok: bool
    why: str = ""
    model: bytes | None = None
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    facts: Json = field(default_factory=dict)


class Jobs(Protocol):
    """Runs jobs; a job outlives the turn that started it."""

    def start(self, job: Job) -> None:
        """Start a job, unless one of this id has been started and is not lost."""
        ...

    def poll(self, job_id: str) -> JobResult | None:
        """Return the result, None while it runs; a job that was lost is a failed result."""
        ...

    def wait(self, seconds: float) -> None:
        """Sleep until a job ends or the time is over."""
        ...

    def forget(self, job_id: str) -> None:
        """Remove what a collected job left behind."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class KeepsInputs(Protocol):
    """Jobs whose inputs lie somewhere until they are forgotten."""

    def kept(self) -> list[str]:
        """Return the ids of jobs that something is kept of, untouched for an hour."""
        ...

    def clear(self) -> int:
        """End what runs, remove what any job was given, made and printed; returns how many."""
        ...


class Searcher(Protocol):
    """Proposes what to try next, one value for each name, from how well others did."""

    def ask(self) -> Json | None:
        """Return a value for each name; None when there is nothing left to try."""
        ...

    def tell(self, tried: Mapping[str, Any], value: float) -> None:
        """Say how well what was asked did: higher is better, NaN when nothing can be said."""
        ...


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything outside the strategy: the adapters, the clock, the salt."""

    clock: Clock
    events: EventStore
    engine: Engine
    state: StateStore
    blobs: BlobStore
    jobs: Jobs
    inbox: Inbox
    salt: str
    place: str = ""
    """Names this machine, where several turn one mill: what was taken in from its own inbox."""
    shared_inbox: bool = False
    """Whether all those machines take in from one inbox."""
    door: Callable[[datetime], Any] | None = None
    """Opens the door to data at a moment, where a store knows a faster way than the engine."""
    recall: Callable[[tuple[Any, ...], Callable[[], Any]], Any] | None = None
    """Answers a question about data by its key when it was asked before; a replay of many
    strategies on one history asks most questions once."""

    remembered: dict[str, Any] = field(default_factory=dict)
    """What this process need not ask again; to lose it costs time and changes nothing."""

    def known(self, make: Callable[[], T], *key: Any) -> T:
        """Answer a question about data; its key must say all that the answer depends on."""
        return make() if self.recall is None else self.recall(key, make)

    def close(self) -> None:
        """Let go of files and processes; a job that runs goes on."""
        for part in (self.jobs, self.inbox, self.state):
            part.close()

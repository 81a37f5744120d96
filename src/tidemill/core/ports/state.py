"""State: machines, the journal of their steps, fronts, facts and ledgers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

Json = dict[str, Any]


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

    def journal(
        self, *, after: int = 0, kind: str | None = None, machine: str | None = None
    ) -> list[JournalRow]:
        """Return what happened beyond an entry, to one kind of machine or one machine only."""
        ...

    def fronts(self) -> list[Front]:
        """Return which version answered when, the present one last."""
        ...

    def front(self) -> Front | None: ...

    def fact(self, key: str) -> Any: ...

    def set_fact(self, lease: Lease, key: str, value: Any) -> None: ...

    def add_row(self, table: str, key: str, row: Json) -> bool:
        """Keep a row of a ledger (``intake``, ``strategies``, ``signatures``) once by its key."""
        ...

    def rows(self, table: str, *, last: int | None = None) -> list[Json]:
        """Return the rows of a ledger in the order of writing: all, or so many of the newest."""
        ...

    def rewrite(self, lease: Lease, change: Callable[[Any], Any]) -> None:
        """Keep what ``change`` makes of each payload, row of a ledger and fact, and no older bytes.

        Only for erasing: nothing else may change what was journalled. It is one transaction.
        """
        ...

    def close(self) -> None: ...

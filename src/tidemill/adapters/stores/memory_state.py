"""State in plain dicts: for replays, which ask and step hundreds of thousands of times."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tidemill.adapters.stores.handed_out import hand_out
from tidemill.core.errors import Busy, NotAllowed
from tidemill.core.machines import check_step
from tidemill.core.ports import Front, JournalRow, Json, Lease, Machine, Transition


class MemoryState:
    """The journal and what follows from it, in this process.

    JSON is kept as text and read anew for whoever asks, so nobody holds what is kept here.

    Examples
    --------
    >>> state, at = MemoryState(), datetime(2024, 3, 1, tzinfo=UTC)
    >>> with state.lease("me") as lease:
    ...     step = Transition(kind="curation", id="w1", source=None, target="chosen", why="", at=at)
    ...     state.transition(lease, step)
    >>> [m.id for m in state.machines("curation", ["chosen"])]
    ['w1']
    """

    def __init__(self) -> None:
        self._epoch = 0
        self._machines: dict[str, dict[str, _Entry]] = {}
        # The same by state, so that asking for what is open does not look at what has ended.
        self._in_state: dict[tuple[str, str], dict[str, _Entry]] = {}
        self._journal: list[_Written] = []
        self._fronts: list[Front] = []
        self._facts: dict[str, str] = {}
        self._ledgers: dict[str, dict[str, str]] = {}

    @contextmanager
    def lease(self, owner: str) -> Generator[Lease, None, None]:
        self._epoch += 1
        yield Lease(epoch=self._epoch)

    def hold(self, lease: Lease) -> None:
        self._fence(lease)

    def transition(self, lease: Lease, step: Transition) -> None:
        self._fence(lease)
        # All that can be refused is, before anything is written.
        changes = list(self._changes(step))
        for change in changes:
            self._apply(change)

    def _changes(self, step: Transition) -> Iterator[_Change]:
        moved: dict[tuple[str, str], str] = {}
        for one in (step, *step.also):
            here = (one.kind, one.id)
            entry = self._machines.get(one.kind, {}).get(one.id)
            state = moved.get(here, None if entry is None else entry.state)
            if state != one.source:
                raise NotAllowed(
                    f"{one.kind} {one.id} is {state!r}, not {one.source!r}.",
                    fix="run 'tidemill status' and try again.",
                )
            check_step(one.kind, one.source, one.target)
            moved[here] = one.target
            yield _Change(
                one,
                one.at if one.at.tzinfo is UTC else one.at.astimezone(UTC),
                _text(one.payload),
                _text(one.frontier),
                {k: _text(v) for k, v in one.meta.items()},
            )

    def _apply(self, change: _Change) -> None:
        step, at = change.step, change.at
        of_kind = self._machines.setdefault(step.kind, {})
        old = of_kind.get(step.id)
        if old is not None:
            del self._in_state[step.kind, old.state][step.id]
        seq = len(of_kind) if old is None else old.seq
        known = {"kind": step.kind, "id": step.id, "state": step.target, "updated_at": at}
        entry = _Entry(seq, step.target, known, change.payload)
        of_kind[step.id] = entry
        self._in_state.setdefault((step.kind, step.target), {})[step.id] = entry
        row = (at, step.kind, step.id, step.source, step.target, step.why)
        whose = (step.strategy, step.actor)
        self._journal.append((row, change.payload, change.frontier, whose))
        if step.front is not None:
            version, seq = step.front or None, len(self._fronts) + 1
            front = Front(seq=seq, at=at, version=version, why=step.why, actor=step.actor)
            self._fronts.append(front)
        self._facts.update(change.facts)

    def _fence(self, held: Lease) -> None:
        if held.epoch != self._epoch:
            raise Busy(
                "somebody else took over this state meanwhile.",
                fix="nothing was changed; take the lease again.",
            )

    def machine(self, kind: str, machine_id: str) -> Machine | None:
        entry = self._machines.get(kind, {}).get(machine_id)
        return None if entry is None else _machine(entry)

    def machines(self, kind: str, states: Sequence[str] | None = None) -> list[Machine]:
        if states is None:
            return [_machine(e) for e in self._machines.get(kind, {}).values()]
        found = [e for s in set(states) for e in self._in_state.get((kind, s), {}).values()]
        found.sort(key=_seq)
        return [_machine(e) for e in found]

    def journal(
        self, *, after: int = 0, kind: str | None = None, machine: str | None = None
    ) -> list[JournalRow]:
        first = max(after, 0)
        rows = enumerate(self._journal[first:], first + 1)
        return [_row(seq, w) for seq, w in rows if _is_of(w, kind, machine)]

    def fronts(self) -> list[Front]:
        return list(self._fronts)

    def front(self) -> Front | None:
        return self._fronts[-1] if self._fronts else None

    def fact(self, key: str) -> Any:
        text = self._facts.get(key)
        return None if text is None else json.loads(text)

    def set_fact(self, lease: Lease, key: str, value: Any) -> None:
        self._fence(lease)
        self._facts[key] = _text(value)

    def add_row(self, table: str, key: str, row: Json) -> bool:
        text, ledger = _text(row), self._ledgers.setdefault(table, {})
        if key in ledger:
            return False
        ledger[key] = text
        return True

    def rows(self, table: str, *, last: int | None = None) -> list[Json]:
        texts = list(self._ledgers.get(table, {}).values())
        return [
            json.loads(text) for text in texts[0 if last is None else max(0, len(texts) - last) :]
        ]

    def rewrite(self, lease: Lease, change: Callable[[Any], Any]) -> None:
        self._fence(lease)

        def changed(text: str) -> str:
            return _text(change(json.loads(text)))

        for of_kind in self._machines.values():
            for name, entry in of_kind.items():
                of_kind[name] = new = entry._replace(payload=changed(entry.payload))
                self._in_state[new.known["kind"], new.state][name] = new
        self._journal = [
            (row, changed(p), frontier, who) for row, p, frontier, who in self._journal
        ]
        for kept in (self._facts, *self._ledgers.values()):
            kept.update({key: changed(text) for key, text in kept.items()})

    def close(self) -> None:
        return


_Written = tuple[tuple[datetime, str, str, str | None, str, str], str, str, tuple[str, str]]
"""A row of the journal as it is kept: what happened, payload, frontier, and whose it was."""


class _Change(NamedTuple):
    """A step that was found legal, with its JSON as text."""

    step: Transition
    at: datetime
    payload: str
    frontier: str
    facts: dict[str, str]


class _Entry(NamedTuple):
    """A machine as it is kept."""

    seq: int
    state: str
    known: Json
    payload: str


def _is_of(written: _Written, kind: str | None, machine: str | None) -> bool:
    _, its_kind, its_machine, *_ = written[0]
    return kind in (None, its_kind) and machine in (None, its_machine)


def _row(seq: int, written: _Written) -> JournalRow:
    (at, kind, machine_id, source, target, why), payload, frontier, (strategy, actor) = written
    return JournalRow(
        seq=seq,
        at=at,
        kind=kind,
        id=machine_id,
        source=source,
        target=target,
        why=why,
        payload=json.loads(payload),
        frontier=json.loads(frontier),
        strategy=strategy,
        actor=actor,
    )


def _machine(entry: _Entry) -> Machine:
    return hand_out(entry.known, entry.payload, json.loads)


def _seq(entry: _Entry) -> int:
    return entry.seq


# Made once: json.dumps with an argument makes one each time.
_text = json.JSONEncoder(sort_keys=True).encode

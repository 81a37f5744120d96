"""State in SQL through SQLAlchemy Core: SQLite in WAL mode, or in memory for replays."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DatabaseError

from tidemill.adapters.stores.schema import (
    facts,
    fronts,
    head,
    journal,
    lease,
    ledger,
    machines,
    migrate,
)
from tidemill.core.errors import Busy, Damaged, NotAllowed
from tidemill.core.failpoints import failpoint
from tidemill.core.machines import check_step
from tidemill.core.ports import Front, JournalRow, Json, Lease, Machine, Transition


class SqlState:
    """The journal and what follows from it.

    Parameters
    ----------
    path
        The SQLite file; None keeps everything in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        url = "sqlite://" if path is None else f"sqlite:///{path}"
        pool: Json = {"poolclass": sa.StaticPool} if path is None else {}
        self._engine = sa.create_engine(
            url, connect_args={"timeout": 30, "check_same_thread": False}, **pool
        )
        event.listen(self._engine, "connect", _tune)
        try:
            migrate(self._engine, path)
        except DatabaseError as error:
            raise Damaged(
                f"the state {path} cannot be read: {error.orig}.",
                fix="restore it from a backup.",
            ) from error

    @contextmanager
    def lease(self, owner: str) -> Generator[Lease, None, None]:
        with self._exclusive():
            with self._engine.begin() as db:
                row = db.execute(sa.select(lease.c.epoch)).scalar()
                epoch = 1 if row is None else row + 1
                db.execute(sa.delete(lease))
                db.execute(sa.insert(lease).values(epoch=epoch, owner=owner, at=_stamp()))
            yield Lease(epoch=epoch)

    @contextmanager
    def _exclusive(self) -> Generator[None, None, None]:
        # The kernel lets go of the lock when its holder dies, so a kill -9 blocks nobody.
        if self._path is None:
            yield
            return
        with self._path.with_suffix(".lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                holder = file.read().strip() or "another process"
                raise Busy(
                    f"{holder} is changing this project.",
                    fix="wait until it is done, or stop it; nothing was changed.",
                ) from None
            file.truncate(0)
            file.write(f"process {os.getpid()}")
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)

    def transition(self, lease: Lease, step: Transition) -> None:
        name = f"{step.kind}.{step.target}"
        failpoint(f"{name}.before")
        with self._engine.begin() as db:
            self._fence(db, lease)
            self._write(db, lease, step)
            for one in step.also:
                self._write(db, lease, one)
                failpoint(f"{one.kind}.{one.target}.within")
        failpoint(f"{name}.after")

    def _write(self, db: sa.Connection, held: Lease, step: Transition) -> None:
        here = (machines.c.kind == step.kind) & (machines.c.id == step.id)
        state = db.execute(sa.select(machines.c.state).where(here)).scalar()
        if state != step.source:
            raise NotAllowed(
                f"{step.kind} {step.id} is {state!r}, not {step.source!r}.",
                fix="run 'tidemill status' and try again.",
            )
        check_step(step.kind, step.source, step.target)
        at, payload = _text(step.at), json.dumps(step.payload, sort_keys=True)
        values = {"state": step.target, "payload": payload, "updated_at": at}
        if state is None:
            db.execute(sa.insert(machines).values(kind=step.kind, id=step.id, **values))
        else:
            db.execute(sa.update(machines).where(here).values(**values))
        db.execute(
            sa.insert(journal).values(
                at=at,
                kind=step.kind,
                machine=step.id,
                source=step.source,
                target=step.target,
                why=step.why,
                payload=payload,
                frontier=json.dumps(step.frontier, sort_keys=True),
                strategy=step.strategy,
                actor=step.actor,
                epoch=held.epoch,
            )
        )
        if step.front is not None:
            db.execute(
                sa.insert(fronts).values(
                    at=at, version=step.front or None, why=step.why, actor=step.actor
                )
            )
        for key, value in step.meta.items():
            self._set(db, key, value)

    def _fence(self, db: sa.Connection, held: Lease) -> None:
        # A write, so that from here on nobody else can take the lease before this is committed.
        mine = sa.update(lease).where(lease.c.epoch == held.epoch).values(epoch=held.epoch)
        if db.execute(mine).rowcount != 1:
            raise Busy(
                "another process took over this project meanwhile.",
                fix="nothing was changed; run the command again.",
            )

    def machine(self, kind: str, machine_id: str) -> Machine | None:
        query = sa.select(machines).where(machines.c.kind == kind, machines.c.id == machine_id)
        with self._engine.connect() as db:
            row = db.execute(query).first()
        return None if row is None else _machine(row)

    def machines(self, kind: str, states: Sequence[str] | None = None) -> list[Machine]:
        query = sa.select(machines).where(machines.c.kind == kind)
        if states is not None:
            query = query.where(machines.c.state.in_(list(states)))
        with self._engine.connect() as db:
            return [_machine(r) for r in db.execute(query.order_by(machines.c.seq))]

    def journal(self, *, after: int = 0) -> list[JournalRow]:
        query = sa.select(journal).where(journal.c.seq > after).order_by(journal.c.seq)
        with self._engine.connect() as db:
            rows = db.execute(query).mappings().all()
        return [
            JournalRow(
                seq=r["seq"],
                at=_moment(r["at"]),
                kind=r["kind"],
                id=r["machine"],
                source=r["source"],
                target=r["target"],
                why=r["why"],
                payload=json.loads(r["payload"]),
                frontier=json.loads(r["frontier"]),
                strategy=r["strategy"],
                actor=r["actor"],
            )
            for r in rows
        ]

    def fronts(self) -> list[Front]:
        with self._engine.connect() as db:
            return [_front(r) for r in db.execute(sa.select(fronts).order_by(fronts.c.seq))]

    def front(self) -> Front | None:
        query = sa.select(fronts).order_by(fronts.c.seq.desc()).limit(1)
        with self._engine.connect() as db:
            row = db.execute(query).first()
        return None if row is None else _front(row)

    def fact(self, key: str) -> Any:
        with self._engine.connect() as db:
            text = db.execute(sa.select(facts.c.value).where(facts.c.key == key)).scalar()
        return None if text is None else json.loads(text)

    def set_fact(self, lease: Lease, key: str, value: Any) -> None:
        failpoint(f"fact.{key}.before")
        with self._engine.begin() as db:
            self._fence(db, lease)
            self._set(db, key, value)
        failpoint(f"fact.{key}.after")

    def _set(self, db: sa.Connection, key: str, value: Any) -> None:
        text = json.dumps(value, sort_keys=True)
        row = upsert(facts).values(key=key, value=text)
        db.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": text}))

    def add_row(self, table: str, key: str, row: Json) -> bool:
        failpoint(f"ledger.{table}.before")
        values = {"book": table, "key": key, "row": json.dumps(row, sort_keys=True)}
        with self._engine.begin() as db:
            done = db.execute(upsert(ledger).values(**values).on_conflict_do_nothing())
        failpoint(f"ledger.{table}.after")
        return done.rowcount > 0

    def rows(self, table: str) -> list[Json]:
        query = sa.select(ledger.c.row).where(ledger.c.book == table).order_by(ledger.c.seq)
        with self._engine.connect() as db:
            return [json.loads(r) for r in db.execute(query).scalars()]

    def problems(self) -> list[str]:
        """Return what SQLite itself finds wrong with the file, and whether it is migrated."""
        with self._engine.connect() as db:
            found = [str(r) for r in db.execute(sa.text("PRAGMA integrity_check")).scalars()]
            at = db.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        wrong = [f for f in found if f != "ok"]
        return wrong if at == head() else [*wrong, f"the schema is {at}, not {head()}"]

    def close(self) -> None:
        self._engine.dispose()


def _tune(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _machine(row: Any) -> Machine:
    return Machine(
        kind=row.kind,
        id=row.id,
        state=row.state,
        payload=json.loads(row.payload),
        updated_at=_moment(row.updated_at),
    )


def _front(row: Any) -> Front:
    return Front(seq=row.seq, at=_moment(row.at), version=row.version, why=row.why, actor=row.actor)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _stamp() -> str:
    return _text(datetime.now(UTC))

"""State in SQL through SQLAlchemy Core: one path for SQLite, memory and PostgreSQL."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from tidemill.adapters.stores.databases import PATIENCE, Database
from tidemill.adapters.stores.erasing import rewrite_texts, shrink
from tidemill.adapters.stores.handed_out import hand_out
from tidemill.adapters.stores.leases import held
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
from tidemill.core.ports import Flaw, Front, JournalRow, Json, Lease, Machine, Transition

_INDEX = re.compile(r"missing from index|wrong # of entries in index")
_SKEW = 60.0
"""Seconds that the clocks of this machine and of the database may differ."""


class SqlState:
    """The journal and what follows from it.

    Parameters
    ----------
    where
        The SQLite file; the URL of a PostgreSQL database; None keeps everything in memory.
    schema
        On PostgreSQL, the schema that holds this project and no other.
    patience
        On SQLite, for how many seconds another program may hold the file locked.

    Raises
    ------
    Unreachable
        If the server does not answer, or does not let us in.
    Damaged
        If the state cannot be read, or was written by a newer tidemill.
    """

    def __init__(
        self, where: Path | str | None, *, schema: str = "tidemill", patience: float = PATIENCE
    ) -> None:
        self._database = Database(where, schema=schema, patience=patience)
        self._engine = self._database.engine
        dialect = postgresql if self._database.remote else sqlite
        self._upsert: Any = dialect.insert
        try:
            with self._database.told():
                migrate(self._database)
        except BaseException:
            self._database.close()
            raise

    def lease(self, owner: str) -> AbstractContextManager[Lease]:
        return held(self._database, owner)

    def hold(self, lease: Lease) -> None:
        with self._database.read() as db:
            self._still(db, lease)

    def transition(self, lease: Lease, step: Transition) -> None:
        name = f"{step.kind}.{step.target}"
        failpoint(f"{name}.before")
        with self._fenced(lease) as db:
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
        # Numbered here: the server's own numbers leave gaps where a transaction was undone.
        last = sa.select(sa.func.coalesce(sa.func.max(journal.c.seq), 0) + 1)
        db.execute(
            sa.insert(journal).values(
                seq=last.scalar_subquery(),
                at=at,
                kind=step.kind,
                machine=step.id,
                source=step.source,
                target=step.target,
                why=_clean(step.why),
                payload=payload,
                frontier=json.dumps(step.frontier, sort_keys=True),
                strategy=step.strategy,
                actor=_clean(step.actor),
                epoch=held.epoch,
            )
        )
        if step.front is not None:
            db.execute(
                sa.insert(fronts).values(
                    at=at,
                    version=step.front or None,
                    why=_clean(step.why),
                    actor=_clean(step.actor),
                )
            )
        for key, value in step.meta.items():
            self._set(db, key, value)

    @contextmanager
    def _fenced(self, held: Lease) -> Generator[sa.Connection, None, None]:
        """Do one transaction that changes state, if the lease is still ours when it is done."""
        try:
            with self._database.connect() as db, db.begin():
                self._fence(db, held)
                yield db
        except DBAPIError as error:
            if error.connection_invalidated:
                # Who takes over from one that stands still ends its sessions: say that.
                self.hold(held)
            raise self._database.explained(error) from error

    def _fence(self, db: sa.Connection, held: Lease) -> None:
        # A write, so that from here on nobody else can take the lease before this is committed.
        mine = sa.update(lease).where(lease.c.epoch == held.epoch).values(epoch=held.epoch)
        if db.execute(mine).rowcount != 1:
            raise _taken_over()

    def _still(self, db: sa.Connection, held: Lease) -> None:
        if db.execute(sa.select(lease.c.epoch)).scalar() != held.epoch:
            raise _taken_over()

    def machine(self, kind: str, machine_id: str) -> Machine | None:
        query = sa.select(machines).where(machines.c.kind == kind, machines.c.id == machine_id)
        with self._database.read() as db:
            row = db.execute(query).first()
        return None if row is None else _machine(row)

    def machines(self, kind: str, states: Sequence[str] | None = None) -> list[Machine]:
        query = sa.select(machines).where(machines.c.kind == kind)
        if states is not None:
            query = query.where(machines.c.state.in_(list(states)))
        with self._database.read() as db:
            return [_machine(r) for r in db.execute(query.order_by(machines.c.seq))]

    def journal(
        self, *, after: int = 0, kind: str | None = None, machine: str | None = None
    ) -> list[JournalRow]:
        query = sa.select(journal).where(journal.c.seq > after).order_by(journal.c.seq)
        if kind is not None:
            query = query.where(journal.c.kind == kind)
        if machine is not None:
            query = query.where(journal.c.machine == machine)
        with self._database.read() as db:
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
                payload=_read(r["payload"]),
                frontier=_read(r["frontier"]),
                strategy=r["strategy"],
                actor=r["actor"],
            )
            for r in rows
        ]

    def fronts(self) -> list[Front]:
        with self._database.read() as db:
            return [_front(r) for r in db.execute(sa.select(fronts).order_by(fronts.c.seq))]

    def front(self) -> Front | None:
        query = sa.select(fronts).order_by(fronts.c.seq.desc()).limit(1)
        with self._database.read() as db:
            row = db.execute(query).first()
        return None if row is None else _front(row)

    def fact(self, key: str) -> Any:
        with self._database.read() as db:
            text = db.execute(sa.select(facts.c.value).where(facts.c.key == key)).scalar()
        return None if text is None else _read(text)

    def set_fact(self, lease: Lease, key: str, value: Any) -> None:
        failpoint(f"fact.{key}.before")
        with self._fenced(lease) as db:
            self._set(db, key, value)
        failpoint(f"fact.{key}.after")

    def _set(self, db: sa.Connection, key: str, value: Any) -> None:
        text = json.dumps(value, sort_keys=True)
        row = self._upsert(facts).values(key=key, value=text)
        db.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": text}))

    def add_row(self, table: str, key: str, row: Json) -> bool:
        failpoint(f"ledger.{table}.before")
        values = {"book": table, "key": key, "row": json.dumps(row, sort_keys=True)}
        with self._database.begin() as db:
            row_added = self._upsert(ledger).values(**values).on_conflict_do_nothing()
            added = db.execute(row_added.returning(ledger.c.seq)).scalar()
        failpoint(f"ledger.{table}.after")
        return added is not None

    def rows(self, table: str, *, last: int | None = None) -> list[Json]:
        query = sa.select(ledger.c.row).where(ledger.c.book == table)
        query = query.order_by(ledger.c.seq.desc()).limit(last)
        with self._database.read() as db:
            found = [_read(r) for r in db.execute(query).scalars()]
        return found[::-1]

    def rewrite(self, lease: Lease, change: Callable[[Any], Any]) -> None:
        texts = (machines.c.payload, journal.c.payload, ledger.c.row, facts.c.value)

        def changed(text: str) -> str:
            return json.dumps(change(json.loads(text)), sort_keys=True)

        failpoint("state.rewrite.before")
        with self._fenced(lease) as db:
            for column in texts:
                rewrite_texts(db, column.table, column, changed)
        failpoint("state.rewrite.within")
        shrink(self._database, [column.table.name for column in texts])
        failpoint("state.rewrite.after")

    def flaws(self) -> Iterator[Flaw]:
        """Tell what the database itself finds wrong, and whether it is migrated."""
        with self._database.read() as db:
            at = db.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
            if self._database.remote:
                yield from _skewed(db.execute(sa.select(sa.func.clock_timestamp())).scalar_one())
                found: list[str] = []
            else:
                found = [str(f) for f in db.execute(sa.text("PRAGMA integrity_check")).scalars()]
        yield from (self._broken(what) for what in found if what != "ok")
        if at != head():
            yield Flaw(what=f"the schema is {at}, not {head()}.", fix="run any command again.")

    def _broken(self, what: str) -> Flaw:
        if _INDEX.search(what):  # an index says nothing that its table does not
            fix = "tidemill check --repair builds the indexes of the state again."
            return Flaw(what=f"the state: {what}.", fix=fix, mend=self._reindex)
        fix = "restore the folder of the project, all of it, from a backup."
        return Flaw(what=f"the state: {what}.", fix=fix)

    def _reindex(self) -> None:
        with self._database.begin() as db:
            db.execute(sa.text("REINDEX"))

    def close(self) -> None:
        self._database.close()


def _taken_over() -> Busy:
    return Busy(
        "another process took over this project meanwhile.",
        fix="nothing was changed; run the command again.",
    )


def _skewed(there: datetime) -> Iterator[Flaw]:
    """Say whether this machine's clock is not the database's."""
    off = (datetime.now(UTC) - there).total_seconds()
    if abs(off) > _SKEW:
        how = "ahead of" if off > 0 else "behind"
        what = f"this machine's clock is {abs(off):,.0f} s {how} that of the database."
        yield Flaw(what=what, fix="set it.")


def _machine(row: Any) -> Machine:
    known = {"kind": row.kind, "id": row.id, "state": row.state}
    return hand_out(known | {"updated_at": _moment(row.updated_at)}, row.payload, _read)


def _front(row: Any) -> Front:
    return Front(seq=row.seq, at=_moment(row.at), version=row.version, why=row.why, actor=row.actor)


def _read(text: str) -> Any:
    """Read what was kept as JSON; a bit of it that changed is no bug of the program."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise Damaged(
            f"the state holds what it never wrote: {text[:60]!r}: {error}.",
            fix="restore the folder of the project, all of it, from a backup.",
        ) from None


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise Damaged(
            f"the state holds what it never wrote: {error}.",
            fix="restore the folder of the project, all of it, from a backup.",
        ) from None


def _clean(text: str) -> str:
    """Return a text as every database keeps it: without NUL, without half characters."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()

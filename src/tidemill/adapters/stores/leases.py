"""The right to change a state, held by one process of one machine at a time.

Beside an SQLite file it is a lock of the kernel's. On PostgreSQL it is an advisory lock of a
session of its own: the server frees it when the holder dies. A holder that stands still, as a
paused machine does, keeps its session; so it also says every few seconds that it goes on, by
the server's clock, and who has not said so for long loses the lease. Whatever it tries when it
wakes is refused by its epoch (:meth:`SqlState._fence`).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from tidemill.adapters.stores.databases import Database
from tidemill.adapters.stores.schema import lease
from tidemill.core.errors import Busy, Unreachable
from tidemill.core.ports import Lease

BEAT = 5.0
"""Seconds between two signs of life of a holder on PostgreSQL."""
STALE = 30.0
"""Seconds without one after which the lease is taken from it."""

_FIX = "wait until it is done, or stop it; nothing was changed."
_SERVER_TIME = sa.literal_column(
    "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00\"')", sa.Text
)


@contextmanager
def held(database: Database, owner: str) -> Generator[Lease, None, None]:
    """Hold the lease of a state.

    Raises
    ------
    Busy
        If somebody living has it.
    """
    if database.remote:
        with _session(database) as taken:
            yield taken
        return
    with _file(database.path):
        with database.begin() as db:
            at = datetime.now(UTC).isoformat(timespec="microseconds")
            taken = Lease(epoch=_next(db, owner, at))
        yield taken


def _next(db: sa.Connection, owner: str, at: Any) -> int:
    """Take the next epoch; who holds an older one is refused from here on."""
    epoch = db.execute(sa.select(lease.c.epoch)).scalar()
    if epoch is None:
        db.execute(sa.insert(lease).values(epoch=1, owner=owner, at=at))
        return 1
    db.execute(sa.update(lease).values(epoch=epoch + 1, owner=owner, at=at))
    return epoch + 1


@contextmanager
def _file(path: Path | None) -> Generator[None, None, None]:
    # The kernel lets go of the lock when its holder dies, so a kill -9 blocks nobody.
    if path is None:
        yield
        return
    try:
        file = path.with_suffix(".lock").open("a+b", buffering=0)
    except OSError as error:
        raise Unreachable(
            f"the lock beside {path} cannot be written: {error.strerror or error}.",
            fix="free some space or mend the permissions, and run it again; nothing is lost.",
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise _held_by(file.read().decode().strip()) from None
        file.truncate(0)
        with suppress(OSError):  # a full disk: it only says to others who has it
            file.write(f"process {os.getpid()}".encode())
        try:
            yield
        finally:
            file.truncate(0)


def _held_by(holder: str) -> Busy:
    """Say who has the lease, and whether it stands still: then to wait is no help."""
    pid = holder.removeprefix("process ")
    stopped = Path("/proc") / pid / "stat"
    if pid.isdigit() and stopped.exists():
        state = stopped.read_text(errors="replace").rpartition(")")[2].split()[0]
        if state in {"T", "t"}:
            return Busy(
                f"{holder} is changing this project, but stands still: somebody stopped it.",
                fix=f"let it go on (kill -CONT {pid}), or end it (kill -KILL {pid}); "
                "nothing was changed.",
            )
    return Busy(f"{holder or 'another process'} is changing this project.", fix=_FIX)


@contextmanager
def _session(database: Database) -> Generator[Lease, None, None]:
    """Hold an advisory lock in a session of its own, and say that this process goes on."""
    with database.told():
        db = database.connect().execution_options(isolation_level="AUTOCOMMIT")
        db.detach()  # closing it ends the session, and with it the lock, whatever happened
    try:
        with database.told():
            _lock(db, database)
            epoch = _next(db, database.session, _SERVER_TIME)
        over = threading.Event()
        beat = threading.Thread(target=_beat, args=(db, epoch, over), daemon=True)
        beat.start()
        try:
            yield Lease(epoch=epoch)
        finally:
            over.set()
            beat.join(2 * BEAT)
    finally:
        with suppress(DBAPIError):  # the server is gone, and the lock with it
            # Said and heard, so that the next one who asks gets it; a session ends a bit later.
            db.execute(sa.select(sa.func.pg_advisory_unlock_all()))
            db.close()


def _lock(db: sa.Connection, database: Database) -> None:
    digest = hashlib.sha256(f"tidemill lease {database.schema}".encode()).digest()
    key = int.from_bytes(digest[:8], "big", signed=True)
    attempt = sa.select(sa.func.pg_try_advisory_lock(key))
    if db.execute(attempt).scalar():
        return
    holder = _end_of_stale(db)
    # The sessions of the old holder are told to end, which takes the server a moment.
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if db.execute(attempt).scalar():
            return
        time.sleep(0.05)
    raise Busy(f"{holder} is changing this project.", fix=_FIX)


def _end_of_stale(db: sa.Connection) -> str:
    """End the sessions of a holder that stands still; ``Busy`` when it goes on."""
    look = sa.select(lease.c.owner, lease.c.at, lease.c.epoch, _SERVER_TIME.label("now"))
    row = db.execute(look).first()
    if row is not None and _silent(row) >= STALE:
        # One that took the lock this moment has not signed yet: look twice.
        time.sleep(0.3)
        again = db.execute(look).first()
        row = again if again is None or again.epoch != row.epoch else row
    holder = "another process" if row is None else row.owner.removeprefix("tidemill ")
    if row is None or _silent(row) < STALE:
        raise Busy(f"{holder} is changing this project.", fix=_FIX)
    ended = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :owner"
        " AND datname = current_database() AND pid <> pg_backend_pid()"
    )
    db.execute(ended, {"owner": row.owner}).all()
    return holder


def _silent(row: Any) -> float:
    """Return for how many seconds the holder has given no sign of life."""
    return (datetime.fromisoformat(row.now) - datetime.fromisoformat(row.at)).total_seconds()


def _beat(db: sa.Connection, epoch: int, over: threading.Event) -> None:
    """Say every few seconds that this holder goes on, until it is over."""
    alive = sa.update(lease).where(lease.c.epoch == epoch).values(at=_SERVER_TIME)
    # Without a session there is nothing to say: should another have taken the lease, the
    # fence tells at the next write.
    with suppress(DBAPIError):
        while not over.wait(BEAT):
            db.execute(alive)

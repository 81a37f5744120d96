"""Where the state lies: an SQLite file, memory, or a schema of a PostgreSQL database.

What a database says when something is wrong becomes one line with a fix; passwords stay out of it.
"""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError

from tidemill.core.errors import BadValue, Busy, Damaged, MissingExtra, TidemillError, Unreachable
from tidemill.core.ports import Json

PATIENCE = 30.0
"""Seconds for which another program may hold an SQLite file locked."""
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""Of libpq, unless the URL says otherwise: seconds, but milliseconds for the last one."""
_SESSION = (
    # A machine that vanishes, or a process that is stopped within a transaction, must not hold
    # what it locked for hours.
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
    "SET idle_in_transaction_session_timeout = '60s'",
    "SET timezone = 'UTC'",
)


class Database:
    """A database that holds a state.

    Parameters
    ----------
    where
        A file of SQLite, the URL of a PostgreSQL database, or None for memory.
    schema
        On PostgreSQL, the schema that holds this project: several share a database, and none
        can see the rows of another by a forgotten condition.
    patience
        On SQLite, for how many seconds another program may hold the file locked.

    Raises
    ------
    BadValue
        If the URL or the name of the schema is none.
    MissingExtra
        If there is no driver.
    """

    def __init__(
        self, where: Path | str | None, *, schema: str = "tidemill", patience: float = PATIENCE
    ) -> None:
        self.path = where if isinstance(where, Path) else None
        self.remote = isinstance(where, str)
        self.schema = schema if self.remote else None
        self.session = f"tidemill process {os.getpid()} on {socket.gethostname()[:20]}"
        self.session = f"{self.session} {uuid.uuid4().hex[:8]}"  # at most 63 letters
        self._pid = os.getpid()
        if isinstance(where, str):
            if not _SCHEMA.fullmatch(schema):
                raise BadValue(
                    f"{schema!r} cannot be the name of a schema.",
                    fix="use lower-case letters, digits and '_', beginning with a letter.",
                )
            url = _postgres(where)
            self.name = url.set(drivername="postgresql").render_as_string(hide_password=True)
            self.engine = _remote(url, self.session)
            event.listen(self.engine, "connect", self._greet)
        else:
            self.name = str(where)
            self.engine = _local(where, patience)

    @contextmanager
    def begin(self) -> Generator[sa.Connection, None, None]:
        """Do one transaction."""
        with self.told(), self.connect() as db, db.begin():
            yield db

    @contextmanager
    def read(self) -> Generator[sa.Connection, None, None]:
        """Read, in a transaction that changes nothing."""
        with self.told(), self.connect() as db:
            yield db

    def connect(self) -> sa.Connection:
        """Return a connection, and never one that a fork inherited: two would talk into one."""
        if self.remote and os.getpid() != self._pid:
            self.engine.dispose(close=False)
            self._pid = os.getpid()
        return self.engine.connect()

    @contextmanager
    def told(self) -> Generator[None, None, None]:
        """Say as an error of ours what the database could not do."""
        try:
            yield
        except DBAPIError as error:
            raise self.explained(error) from error

    def explained(self, error: DBAPIError) -> TidemillError:
        """Return what an error of the database means to a person."""
        said = " ".join(str(error.orig).split())[:300].rstrip(".")
        if self.remote:
            return _of_postgres(self.name, said, str(getattr(error.orig, "sqlstate", "") or ""))
        if isinstance(error.orig, sqlite3.OperationalError) and "locked" in said:
            return Busy(
                f"another program holds the state {self.path} locked.",
                fix="close it, or wait; what was in hand was not written, run the command again.",
            )
        if isinstance(error.orig, sqlite3.OperationalError) and ("full" in said or "I/O" in said):
            return Unreachable(
                f"the state {self.path} cannot be written: {said}.",
                fix="free some space and run the command again; nothing is lost.",
            )
        if isinstance(error, DatabaseError):
            return Damaged(
                f"the state {self.path} cannot be read: {said}.", fix="restore it from a backup."
            )
        return Unreachable(f"the state {self.path}: {said}.", fix="run the command again.")

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _greet(self, connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for setting in (*_SESSION, f'SET search_path TO "{self.schema}"'):
            cursor.execute(setting)
        cursor.close()
        connection.commit()  # else the settings would go with the first rollback


def _local(path: Path | None, patience: float) -> sa.Engine:
    url = "sqlite://" if path is None else f"sqlite:///{path}"
    pool: Json = {"poolclass": sa.StaticPool} if path is None else {}
    given = {"timeout": patience, "check_same_thread": False}
    engine = sa.create_engine(url, connect_args=given, **pool)
    event.listen(engine, "connect", _tune)
    return engine


def _remote(url: sa.URL, session: str) -> sa.Engine:
    more = {k: v for k, v in _PATIENCE.items() if k not in url.query}
    try:
        return sa.create_engine(
            url,
            connect_args={**more, "application_name": session},
            pool_pre_ping=True,
            pool_size=2,
        )
    except ImportError:
        raise MissingExtra(
            "state on PostgreSQL needs psycopg.", fix="pip install 'tidemill[postgres]'."
        ) from None


def _postgres(text: str) -> sa.URL:
    """Read a URL; whatever driver it names, psycopg 3 is meant.

    Examples
    --------
    >>> _postgres("postgres://ana:x@db.example/mill").render_as_string(hide_password=True)
    'postgresql+psycopg://ana:***@db.example/mill'
    """
    fix = "write it like postgresql://user:${PGPASSWORD}@host:5432/database."
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):
        raise BadValue("the url of the state cannot be read.", fix=fix) from None
    kind = url.drivername.partition("+")[0]
    if kind not in {"postgres", "postgresql"}:
        raise BadValue(
            f"state on {kind!r} is not supported: SQLite in the project's folder, or PostgreSQL.",
            fix=fix,
        )
    return url.set(drivername="postgresql+psycopg")


def _of_postgres(name: str, said: str, code: str) -> TidemillError:
    what = f"the state at {name} cannot be used: {said}."
    # Before there is a session there is no code, only words.
    if code == "3D000" or re.search(r'database "[^"]*" does not exist', said):
        return Unreachable(what, fix="create the database, or mend url in [state] of project.toml.")
    if code.startswith("28") or re.search(r"authentication|password|role .* not exist", said):
        return Unreachable(what, fix="check the user and the password that url in [state] names.")
    if code == "42501":
        return Unreachable(
            what, fix="let its user create a schema: GRANT CREATE ON DATABASE ... TO ...;"
        )
    if code.startswith(("22", "23", "42")):
        return Damaged(what, fix="run 'tidemill check'; was the schema changed by hand?")
    return Unreachable(
        what,
        fix="see that PostgreSQL runs and can be reached, and run the command again; nothing is lost.",
    )


def _tune(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()

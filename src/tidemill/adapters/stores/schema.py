"""The tables of the state, and their migrations by Alembic."""

from __future__ import annotations

import hashlib
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tidemill.adapters.stores.databases import Database
from tidemill.core.errors import Damaged
from tidemill.core.failpoints import failpoint

_SCRIPTS = Path(__file__).parent / "migrations"

metadata = sa.MetaData()


def _short(length: int) -> sa.types.TypeEngine[str]:
    """Return the type of a name; SQLite takes longer ones too, so PostgreSQL shall as well."""
    return sa.String(length).with_variant(sa.Text(), "postgresql")


machines = sa.Table(
    "machines",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("kind", _short(40), nullable=False),
    sa.Column("id", _short(80), nullable=False),
    sa.Column("state", _short(40), nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("updated_at", _short(40), nullable=False),
    sa.UniqueConstraint("kind", "id"),
)

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", _short(40), nullable=False),
    sa.Column("kind", _short(40), nullable=False),
    sa.Column("machine", _short(80), nullable=False),
    sa.Column("source", _short(40)),
    sa.Column("target", _short(40), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("frontier", sa.Text, nullable=False),
    sa.Column("strategy", _short(40), nullable=False),
    sa.Column("actor", _short(200), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
)

fronts = sa.Table(
    "fronts",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", _short(40), nullable=False),
    sa.Column("version", _short(80)),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("actor", _short(200), nullable=False),
)

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("key", _short(80), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("book", _short(40), nullable=False),
    sa.Column("key", _short(200), nullable=False),
    sa.Column("row", sa.Text, nullable=False),
    sa.UniqueConstraint("book", "key"),
)

lease = sa.Table(
    "lease",
    metadata,
    sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("owner", _short(200), nullable=False),
    sa.Column("at", _short(40), nullable=False),
)


def migrate(database: Database) -> None:
    """Bring the state to the newest schema; refuse one from a newer tidemill.

    The in-memory state of a replay is made from the tables directly; a test checks that
    the migrations lead to the same schema.
    """
    if database.path is None and not database.remote:
        _make_in_memory(database.engine)
        return
    with database.read() as db:
        at = _revision(db)
    if at == head():
        return
    scripts = ScriptDirectory(str(_SCRIPTS))
    if at is not None and at not in {s.revision for s in scripts.walk_revisions()}:
        raise Damaged(
            f"{database.name} was written by a newer tidemill (schema {at}).",
            fix="upgrade tidemill: pip install --upgrade tidemill.",
        )
    failpoint("state.migrate.before")
    # One transaction, so that a kill leaves the old schema or the new one, and two processes
    # do not migrate at once.
    with database.begin() as db:
        _alone(db, database)
        config = Config()
        config.set_main_option("script_location", str(_SCRIPTS))
        config.attributes["connection"] = db
        if _revision(db) != head():
            command.upgrade(config, "head")
        failpoint("state.migrate.within")
    failpoint("state.migrate.after")


def _alone(db: sa.Connection, database: Database) -> None:
    """Keep others from migrating until this transaction ends."""
    if not database.remote:
        db.exec_driver_sql("BEGIN IMMEDIATE")  # before DDL the driver begins none by itself
        return
    digest = hashlib.sha256(f"tidemill migrate {database.schema}".encode()).digest()
    key = int.from_bytes(digest[:8], "big", signed=True)
    db.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
    if database.schema not in sa.inspect(db).get_schema_names():
        db.execute(sa.schema.CreateSchema(str(database.schema)))


def _revision(db: sa.Connection) -> str | None:
    return MigrationContext.configure(db).get_current_revision()


def _make_in_memory(engine: sa.Engine) -> None:
    metadata.create_all(engine)
    with engine.begin() as db:
        db.execute(sa.text("CREATE TABLE IF NOT EXISTS alembic_version (version_num TEXT)"))
        db.execute(sa.text("INSERT INTO alembic_version VALUES (:v)"), {"v": head()})


def head() -> str:
    """Return the newest schema revision."""
    return "0001"

"""The tables of the state, and their migrations by Alembic."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tidemill.core.errors import Damaged
from tidemill.core.failpoints import failpoint

_SCRIPTS = Path(__file__).parent / "migrations"

metadata = sa.MetaData()

machines = sa.Table(
    "machines",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("id", sa.String(80), nullable=False),
    sa.Column("state", sa.String(40), nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("updated_at", sa.String(40), nullable=False),
    sa.UniqueConstraint("kind", "id"),
)

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("machine", sa.String(80), nullable=False),
    sa.Column("source", sa.String(40)),
    sa.Column("target", sa.String(40), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("frontier", sa.Text, nullable=False),
    sa.Column("strategy", sa.String(40), nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
)

fronts = sa.Table(
    "fronts",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("version", sa.String(80)),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
)

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("key", sa.String(80), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("book", sa.String(40), nullable=False),
    sa.Column("key", sa.String(200), nullable=False),
    sa.Column("row", sa.Text, nullable=False),
    sa.UniqueConstraint("book", "key"),
)

lease = sa.Table(
    "lease",
    metadata,
    sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("at", sa.String(40), nullable=False),
)


def migrate(engine: sa.Engine, path: Path | None) -> None:
    """Bring the state to the newest schema; refuse one from a newer tidemill.

    The in-memory state of a replay is made from the tables directly; a test checks that
    the migrations lead to the same schema.
    """
    if path is None:
        metadata.create_all(engine)
        with engine.begin() as db:
            db.execute(sa.text("CREATE TABLE IF NOT EXISTS alembic_version (version_num TEXT)"))
            db.execute(sa.text("INSERT INTO alembic_version VALUES (:v)"), {"v": head()})
        return
    with engine.connect() as db:
        at = MigrationContext.configure(db).get_current_revision()
    if at == head():
        return
    scripts = ScriptDirectory(str(_SCRIPTS))
    if at is not None and at not in {s.revision for s in scripts.walk_revisions()}:
        raise Damaged(
            f"{path} was written by a newer tidemill (schema {at}).",
            fix="upgrade tidemill: pip install --upgrade tidemill.",
        )
    failpoint("state.migrate.before")
    with engine.begin() as db:
        # One transaction, so that a kill leaves the old schema or the new one, and two
        # processes do not migrate at once: before DDL the driver begins none by itself.
        db.exec_driver_sql("BEGIN IMMEDIATE")
        config = Config()
        config.set_main_option("script_location", str(_SCRIPTS))
        config.attributes["connection"] = db
        if MigrationContext.configure(db).get_current_revision() != head():
            command.upgrade(config, "head")
        failpoint("state.migrate.within")
    failpoint("state.migrate.after")


def head() -> str:
    """Return the newest schema revision."""
    return "0001"

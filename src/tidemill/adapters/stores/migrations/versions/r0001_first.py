"""The first schema: machines, journal, fronts, facts, ledger, lease."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _short(length: int) -> sa.types.TypeEngine[str]:
    """Return the type of a name; SQLite takes longer ones too, so PostgreSQL shall as well."""
    return sa.String(length).with_variant(sa.Text(), "postgresql")


def upgrade() -> None:
    """Create the tables as they were in the first release."""
    op.create_table(
        "machines",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", _short(40), nullable=False),
        sa.Column("id", _short(80), nullable=False),
        sa.Column("state", _short(40), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("updated_at", _short(40), nullable=False),
        sa.UniqueConstraint("kind", "id"),
    )
    op.create_table(
        "journal",
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
    op.create_table(
        "fronts",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", _short(40), nullable=False),
        sa.Column("version", _short(80)),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("actor", _short(200), nullable=False),
    )
    op.create_table(
        "facts",
        sa.Column("key", _short(80), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "ledger",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("book", _short(40), nullable=False),
        sa.Column("key", _short(200), nullable=False),
        sa.Column("row", sa.Text, nullable=False),
        sa.UniqueConstraint("book", "key"),
    )
    op.create_table(
        "lease",
        sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("owner", _short(200), nullable=False),
        sa.Column("at", _short(40), nullable=False),
    )

"""Migrations lead to the schema the program works with, all at once, and never back."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tidemill.adapters.stores import schema
from tidemill.adapters.stores.sql import SqlState
from tidemill.core.clock import instant
from tidemill.core.errors import Busy, Damaged
from tidemill.core.ports import Transition


def engine_of(path: Path) -> sa.Engine:
    return sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool)


def test_migrations_lead_to_the_schema_of_the_program(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    SqlState(path).close()
    with engine_of(path).connect() as db:
        context = MigrationContext.configure(db, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
        assert context.get_current_revision() == schema.head()


def test_the_program_knows_the_newest_revision() -> None:
    scripts = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))
    assert scripts.get_heads() == [schema.head()]


def test_opening_again_migrates_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.db"
    SqlState(path).close()
    monkeypatch.setattr(command, "upgrade", None)
    state = SqlState(path)
    assert list(state.flaws()) == []
    state.close()


def test_a_newer_schema_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    SqlState(path).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    db.close()
    with pytest.raises(Damaged, match=r"newer tidemill \(schema 9999\)\. Fix: upgrade") as caught:
        SqlState(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(Damaged, match=r"cannot be read.*Fix: restore") as caught:
        SqlState(path)
    assert "\n" not in str(caught.value)


def test_a_migration_that_stops_half_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, whole = tmp_path / "state.db", command.upgrade

    def stops(*arguments: object) -> None:
        whole(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "upgrade", stops)
    with pytest.raises(KeyboardInterrupt):
        SqlState(path)
    monkeypatch.undo()
    with engine_of(path).connect() as db:
        assert sa.inspect(db).get_table_names() == []
    state = SqlState(path)
    assert list(state.flaws()) == []
    state.close()


def test_a_state_in_memory_has_the_same_tables() -> None:
    state = SqlState(None)
    assert list(state.flaws()) == []
    names = set(sa.inspect(state._engine).get_table_names())
    assert names == {*schema.metadata.tables, "alembic_version"}
    state.close()


def test_the_file_is_in_wal_mode(tmp_path: Path) -> None:
    state = SqlState(tmp_path / "state.db")
    with state._engine.connect() as db:
        assert db.execute(sa.text("PRAGMA journal_mode")).scalar() == "wal"
    state.close()


def test_nobody_takes_the_lease_between_the_fence_and_the_write(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    state = SqlState(path)
    with state.lease("one") as lease:
        with state._engine.begin() as db:
            state._fence(db, lease)
            other = sqlite3.connect(path, timeout=0.05)
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("UPDATE lease SET epoch = epoch + 1")
            other.close()
        other = sqlite3.connect(path, timeout=0.05)
        with other:
            other.execute("UPDATE lease SET epoch = epoch + 1")
        other.close()
        step = Transition(
            kind="curation",
            id="w",
            source=None,
            target="chosen",
            why="so",
            at=instant("2024-01-01"),
        )
        with pytest.raises(Busy, match="Fix:"):
            state.transition(lease, step)
    assert state.journal() == []
    state.close()


def test_who_holds_the_lease_is_named(tmp_path: Path) -> None:
    one, other = SqlState(tmp_path / "state.db"), SqlState(tmp_path / "state.db")
    with one.lease("one"), pytest.raises(Busy, match=r"process \d+ is changing this project"):
        other.lease("two").__enter__()
    one.close()
    other.close()

"""A project of an earlier tidemill goes on with its data in place; one of a later is refused."""

from __future__ import annotations

import sqlite3
import tarfile
from pathlib import Path

import pytest
from alembic import command

from tidemill.adapters.stores import schema
from tidemill.adapters.stores.sql import SqlState
from tidemill.core.clock import ReplayedClock, instant
from tidemill.core.errors import Damaged
from tidemill.faces.cli import main
from tidemill.project import open_project
from tidemill.strategy.check import problems

EARLIER = Path(__file__).parent / "earlier"


@pytest.fixture
def earlier(tmp_path) -> Path:
    """A project as the version before left it: v1 awaits a signature, its spool is not empty."""
    with tarfile.open(EARLIER / "before_segments.tar.xz") as packed:
        packed.extractall(tmp_path, filter="data")
    return tmp_path / "project"


def rows_of(mill) -> tuple[int, list[str]]:
    view = mill.sql("select count(*) as n from records")
    spooled = mill.sql(
        "select r.record_id from records r join labels l using (record_id)"
        " where r.record_id like 'spooled%'"
    )
    return view["n"][0].as_py(), spooled["record_id"].to_pylist()


def test_a_project_of_the_version_before_goes_on_with_its_data_in_place(earlier) -> None:
    with open_project(earlier, clock=ReplayedClock(instant("2024-01-29"))) as mill:
        assert [str(p) for p in problems(mill.world)] == []
        assert rows_of(mill) == (599, [])
        release = mill.world.state.machine("release", "v1")
        assert release.state == "awaiting"
        mill.run()
        assert rows_of(mill) == (601, ["spooled-1"]), "also what its spool still held"
        assert [str(p) for p in problems(mill.world)] == []
        model, kinds = mill.model("v1")
        assert model is not None
        assert kinds == {"x": "double", "carrier": "string"}


LATER = '''
"""One more column."""
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("journal") as journal:
        journal.add_column(sa.Column("note", sa.Text, nullable=False, server_default=""))
'''


@pytest.fixture
def later(tmp_path, monkeypatch) -> Path:
    """Pretend that this is the version after, with one migration more."""
    scripts = tmp_path / "migrations"
    ours = Path(schema.__file__).parent / "migrations"
    (scripts / "versions").mkdir(parents=True)
    for path in (*ours.glob("*.py"), *ours.glob("versions/*.py")):
        (scripts / path.relative_to(ours)).write_text(path.read_text())
    (scripts / "versions" / "r0002_later.py").write_text(LATER)
    monkeypatch.setattr(schema, "_SCRIPTS", scripts)
    monkeypatch.setattr(schema, "head", lambda: "0002")
    return scripts


def rows_and_schema(path: Path) -> tuple[list[str], str]:
    with sqlite3.connect(path / "state.db") as db:
        rows = [line for line in db.iterdump() if line.startswith("INSERT")]
        [(revision,)] = db.execute("select version_num from alembic_version")
    db.close()
    return sorted(line for line in rows if "alembic" not in line), revision


def test_a_migration_keeps_every_row_and_one_that_is_cut_short_keeps_the_old_schema(
    earlier, later, monkeypatch
) -> None:
    before = rows_and_schema(earlier)
    assert before[1] == "0001"
    assert len(before[0]) > 20
    whole = command.upgrade

    def stops(*arguments: object) -> None:
        whole(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "upgrade", stops)
    with pytest.raises(KeyboardInterrupt):
        SqlState(earlier / "state.db")
    assert rows_and_schema(earlier) == before
    monkeypatch.setattr(command, "upgrade", whole)
    SqlState(earlier / "state.db").close()
    text, revision = rows_and_schema(earlier)
    assert revision == "0002"
    journal = 'INSERT INTO "journal"'
    as_before = [t.replace(",'');", ");") if t.startswith(journal) else t for t in text]
    assert sorted(as_before) == before[0]
    assert sum(t.startswith(journal) for t in text) > 5


def test_a_state_that_is_newer_than_the_program_is_refused_and_left_as_it_is(
    earlier, later, monkeypatch, capsys
) -> None:
    SqlState(earlier / "state.db").close()
    monkeypatch.undo()
    before = rows_and_schema(earlier)
    with pytest.raises(Damaged, match=r"newer tidemill \(schema 0002\)\. Fix: upgrade"):
        open_project(earlier)
    assert main(["run", "--project", str(earlier)]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "newer tidemill" in line
    assert rows_and_schema(earlier) == before

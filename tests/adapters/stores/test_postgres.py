"""State on a real PostgreSQL: the promises of the port, its faults, and who may not mix."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tidemill.adapters.stores import leases, schema
from tidemill.adapters.stores.sql import SqlState
from tidemill.core.clock import instant
from tidemill.core.errors import BadValue, Busy, Damaged, Unreachable
from tidemill.core.ports import Lease, Transition
from tidemill.testing.bench import Bench
from tidemill.testing.state import STATE

AT = instant("2024-01-01")


@pytest.fixture
def place(postgres: Any, request: pytest.FixtureRequest) -> Any:
    """Open the state of a schema of its own, any number of times."""
    name = f"t_{abs(hash(request.node.nodeid)):x}"
    opened: list[SqlState] = []

    def make(folder: Path | None = None) -> SqlState:
        opened.append(SqlState(postgres.url, schema=name))
        return opened[-1]

    yield make
    for state in opened:
        state.close()
    postgres.ask(f"DROP SCHEMA IF EXISTS {name} CASCADE")


def step(name: str = "w", **more: Any) -> Transition:
    said = {"kind": "curation", "id": name, "source": None, "target": "chosen", "why": "so"}
    return Transition(**{**said, "at": AT, **more})


@pytest.mark.parametrize("promise", STATE, ids=lambda f: f.__name__)
def test_promises_of_the_port(promise: Any, place: Any, tmp_path: Path) -> None:
    promise(Bench(make=place, folder=tmp_path))


def test_migrations_lead_to_the_schema_of_the_program(place: Any) -> None:
    state = place()
    assert list(state.flaws()) == []
    with state._engine.connect() as db:
        context = MigrationContext.configure(db, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


def test_a_newer_schema_is_refused_in_one_line(place: Any) -> None:
    with place()._engine.begin() as db:
        db.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Damaged, match=r"newer tidemill \(schema 9999\)\. Fix: upgrade") as caught:
        place()
    assert "\n" not in str(caught.value)


def test_a_migration_that_stops_half_way_leaves_nothing(
    place: Any, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stops(name: str) -> None:
        if name == "state.migrate.within":
            raise KeyboardInterrupt

    monkeypatch.setattr(schema, "failpoint", stops)
    with pytest.raises(KeyboardInterrupt):
        place()
    monkeypatch.undo()
    assert list(place().flaws()) == []


def test_projects_of_one_database_do_not_see_each_other(postgres: Any) -> None:
    one, other = (SqlState(postgres.url, schema=f"mix_{k}") for k in "ab")
    with one.lease("x") as lease, other.lease("x") as beside:
        one.transition(lease, step("w", meta={"k": 1}, front="v1"))
        other.transition(beside, step("v"))
    assert [m.id for m in one.machines("curation")] == ["w"]
    assert [m.id for m in other.machines("curation")] == ["v"]
    assert (other.fact("k"), other.front(), len(other.journal())) == (None, None, 1)
    for state in (one, other):
        state.close()
    with pytest.raises(BadValue, match="cannot be the name of a schema"):
        SqlState(postgres.url, schema='x"; DROP TABLE y')


def test_names_longer_than_a_column_and_letters_no_database_takes_are_kept(place: Any) -> None:
    state = place()
    with state.lease("x") as lease:
        state.set_fact(lease, "k" * 300, 1)
        state.transition(lease, step("w" * 300, why="a\0b \ud800", actor="ana\0"))
    assert state.fact("k" * 300) == 1
    assert state.journal()[0].why == "a�b ?"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"database": "nowhere"}, "does not exist.*Fix: create the database"),
        ({"port": 1}, "Fix: see that PostgreSQL runs"),
        ({"username": "nobody_here"}, "Fix: check the user"),
    ],
)
def test_who_cannot_be_reached_is_told_in_one_line_without_the_password(
    postgres: Any, change: dict[str, Any], said: str
) -> None:
    url = sa.make_url(postgres.url).set(password="hush", **change)
    with pytest.raises(Unreachable, match=said) as caught:
        SqlState(url.render_as_string(hide_password=False))
    assert "\n" not in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_server_that_restarts_within_a_transaction_fails_the_step_and_not_the_next(
    place: Any, postgres: Any
) -> None:
    state = place()
    with state.lease("x") as lease:
        state.transition(lease, step("before"))

        def restarts() -> None:
            with state._fenced(lease) as db:
                state._write(db, lease, step("within"))
                postgres.restart()
                state._write(db, lease, step("within too"))

        with pytest.raises(Unreachable, match="Fix: see that PostgreSQL runs") as caught:
            restarts()
    assert "\n" not in str(caught.value)
    with state.lease("x") as lease:
        state.transition(lease, step("after"))
    assert [(m.id, r.seq) for m, r in zip(state.machines("curation"), state.journal(), strict=True)
            ] == [("before", 1), ("after", 2)]  # fmt: skip
    assert list(state.flaws()) == []


HOLDER = """
import os, sys, time
from tidemill.adapters.stores.sql import SqlState
from tidemill.core.clock import instant
from tidemill.core.errors import Busy
from tidemill.core.ports import Transition

state = SqlState(sys.argv[1], schema=sys.argv[2])
step = Transition(kind="curation", id="late", source=None, target="chosen", why="", at=instant("2024-01-01"))
with state.lease("x") as lease:
    within = sys.argv[3] == "within"
    try:
        if within:
            with state._fenced(lease) as db:
                state._write(db, lease, step)
                print("here", flush=True)
                sys.stdin.readline()
                state._set(db, "late", 1)
        else:
            print("here", flush=True)
            sys.stdin.readline()
            state.transition(lease, step)
    except Busy as error:
        print("busy", error, flush=True)
    else:
        print("wrote", flush=True)
"""


@pytest.mark.parametrize("where", ["between", "within"])
def test_a_holder_that_stands_still_loses_the_lease_and_changes_nothing_when_it_wakes(
    place: Any, postgres: Any, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = place()
    schema_name = state._database.schema
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, postgres.url, schema_name, where],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert holder.stdout.readline() == "here\n"
    holder.send_signal(signal.SIGSTOP)
    with pytest.raises(Busy, match=rf"process {holder.pid} on .* is changing this project"):
        state.lease("y").__enter__()
    monkeypatch.setattr(leases, "STALE", 0.6)
    time.sleep(0.7)
    with state.lease("y") as lease:
        state.set_fact(lease, "mine", 1)
        holder.send_signal(signal.SIGCONT)
        said, _ = holder.communicate("go\n", timeout=30)
        state.set_fact(lease, "mine", 2)
    assert said.startswith("busy another process took over this project meanwhile. Fix:")
    assert (state.machines("curation"), state.fact("late"), state.journal()) == ([], None, [])
    assert state.fact("mine") == 2


def test_a_lease_that_is_given_back_can_be_taken_at_once(place: Any) -> None:
    state = place()
    epochs = []
    for _ in range(30):
        with state.lease("x") as lease:
            epochs.append(lease.epoch)
    assert epochs == list(range(1, 31))


def test_a_killed_holder_frees_the_lease_at_once(place: Any, postgres: Any) -> None:
    state = place()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, postgres.url, state._database.schema, "between"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert holder.stdout.readline() == "here\n"
    holder.kill()
    holder.communicate()
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            with state.lease("y"):
                return
        except Busy:
            time.sleep(0.02)
    pytest.fail("the lease was not freed")


def test_a_holder_that_goes_on_keeps_the_lease(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "STALE", 0.5)
    monkeypatch.setattr(leases, "BEAT", 0.1)
    one, other = place(), place()
    with one.lease("x") as lease:
        time.sleep(0.8)
        with pytest.raises(Busy, match="is changing this project"):
            other.lease("y").__enter__()
        one.hold(lease)
    with pytest.raises(Busy, match="took over"):
        one.hold(Lease(epoch=lease.epoch - 1))


def test_a_fork_does_not_talk_into_its_parents_connection(place: Any) -> None:
    state = place()
    with state.lease("x") as lease:
        state.set_fact(lease, "k", 1)
    pid = os.fork()
    if pid == 0:
        code = 1
        with suppress(Exception):
            code = 0 if state.fact("k") == 1 else 2
        os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    assert state.fact("k") == 1

"""A project whose state and tables lie elsewhere: made, opened, and told what is wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tidemill.core.errors import BadInput, BadValue, Unreachable
from tidemill.faces.cli import main
from tidemill.project import open_project
from tidemill.project.places import schema_of


def test_a_project_is_made_on_a_database_and_a_bucket_and_checked(
    postgres: Any, object_store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", object_store.endpoint)
    monkeypatch.setenv("PGPASSWORD", "hush")
    state = postgres.url.replace("postgres@", "postgres:${PGPASSWORD}@")
    events = f"s3://{object_store.bucket}/{tmp_path.name}"
    folder = tmp_path / "mine"
    assert main(["init", str(folder), "--state", state, "--events", events]) == 0
    said = tomllib.loads((folder / "project.toml").read_text())
    assert (said["state"]["url"], said["events"]["url"]) == (state, events)
    assert main(["check", "--project", str(folder)]) == 0
    with open_project(folder) as mill:
        mill.log({"x": 1.0}, record_id="a")
        mill.run()
        assert mill.world.events.version("records") == 0
    schema = schema_of(said["salt"])
    tables = postgres.ask(f"SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}'")
    assert tables == [(7,)]
    assert not (folder / "state.db").exists()
    capsys.readouterr()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr("tidemill.adapters.stores.places.ATTEMPTS", 2)
    assert main(["check", "--project", str(folder)]) in (1, 4)
    out = "".join(capsys.readouterr())
    assert "Fix: see that the store answers" in " ".join(out.split())
    assert "hush" not in out
    postgres.ask(f"DROP SCHEMA {schema} CASCADE")


def test_a_database_that_does_not_answer_and_a_variable_that_is_not_set_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql://ana:${SECRET_OF_TEST}@127.0.0.1:1/mills"
    assert main(["init", str(tmp_path / "p"), "--state", url]) == 0
    with pytest.raises(BadInput, match=r"SECRET_OF_TEST, which is not set\. Fix: set"):
        open_project(tmp_path / "p")
    monkeypatch.setenv("SECRET_OF_TEST", "hush")
    with pytest.raises(Unreachable, match="Fix: see that PostgreSQL runs") as caught:
        open_project(tmp_path / "p")
    assert "hush" not in str(caught.value)


def test_a_password_is_not_written_down_and_a_wrong_section_is_told(tmp_path: Path) -> None:
    from tidemill.project import create_project

    with pytest.raises(BadValue, match="holds a password"):
        create_project(tmp_path / "p", strategy="", state="postgresql://ana:hush@db/mills")
    assert not (tmp_path / "p" / "project.toml").exists()
    create_project(tmp_path / "q", strategy="")
    path = tmp_path / "q" / "project.toml"
    for section in (
        "[state]\nuri = 'x'",
        "[events]\nregion = 'x'",
        "[state]\nurl = 1",
        "state = 3",
    ):
        whole = path.read_text()
        path.write_text(
            section + "\n" + whole if "=" in section.split("\n")[0] else whole + section
        )
        with pytest.raises(BadInput, match=r"\[(state|events)\] cannot be read.*Fix:"):
            open_project(tmp_path / "q")
        path.write_text(whole)

"""Whatever goes wrong is told in one line that says how to mend it; no traceback unasked."""

from __future__ import annotations

import gzip
import json

import pytest

from tidemill.faces.cli import app


def wrong(said, code):
    """Check the shape of an error; returns its line."""
    assert said.code == code, said.err
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    assert said.err.startswith("tidemill: ")
    assert " Fix: " in said.err
    assert "Traceback" not in said.err
    return said.err


@pytest.mark.parametrize(
    "words",
    [
        "nope",
        "plan --projct x",
        "run --at",
        "run --at soon",
        "run --at 2024-01-01T10:00",
        "run --every often",
        "run --every 0s",
        "run --every 1h --at 2024-01-01",
        "records import",
        "records nope",
        "labels import file.csv --kind guess",
        "releases approve",
        "records quarantine --limit many",
    ],
)
def test_wrong_usage(tidemill, words):
    wrong(tidemill(*words.split()), 2)


@pytest.mark.parametrize(
    "words", ["status", "plan", "run", "check", "releases list", "strategy show"]
)
def test_no_project(tidemill, tmp_path, words):
    line = wrong(tidemill(*words.split(), "--project", tmp_path / "nowhere"), 1)
    assert "tidemill init" in line


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("releases report v9", "unknown release 'v9'"),
        ("releases approve v9", "unknown release 'v9'"),
        ("releases rollback", "no model is in front"),
        ("strategy show beef", "unknown strategy 'beef'"),
        ("run --at 2020-01-01", "before the last turn"),
    ],
)
def test_what_is_not_there(tidemill, built, words, told):
    assert told in wrong(tidemill(*words.split(), "--project", built.project), 1)


def test_a_name_that_is_no_text(tidemill, built):
    line = wrong(tidemill("releases", "approve", "\udcff", "--project", built.project), 2)
    assert "is not text in UTF-8" in line


def test_a_project_is_not_made_twice(tidemill, built, tmp_path):
    assert "already" in wrong(tidemill("init", built.project), 1)
    (tmp_path / "file").write_text("")
    wrong(tidemill("init", tmp_path / "file"), 1)


def test_a_broken_strategy(tidemill, project):
    (project / "strategy.py").write_text("from tidemill import *\nstrategy = Strategy(trainin=1)\n")
    assert "line 2" in wrong(tidemill("plan", "--project", project), 1)
    wrong(tidemill("run", "--every", "1h", "--project", project), 1)
    said = tidemill("check", "--project", project, "--json")
    assert said.code == 4
    assert "trainin" in said.json["problems"][0]["what"]


def test_damage_is_found(tidemill, project):
    [model, *_] = (project / "store" / "models").rglob("*")
    model.chmod(0o600)
    model.write_bytes(b"something else")
    said = tidemill("check", "--project", project)
    assert said.code == 4
    assert said.out.startswith("1 problem:")


def test_busy(tidemill, project):
    from tidemill.project import open_project

    with open_project(project) as mill, mill.world.state.lease("somebody"):
        wrong(tidemill("run", "--project", project), 5)
        wrong(tidemill("releases", "rollback", "--project", project), 5)


BAD_FILES = {
    "missing.csv": None,
    "empty.csv": b"",
    "blank.csv": b"\n\n",
    "empty.parquet": b"",
    "empty.jsonl": b"\n",
    "garbage.parquet": bytes(range(256)),
    "garbage.csv": bytes(range(256)),
    "garbage.jsonl": bytes(range(256)),
    "garbage.csv.gz": b"\x1f\x8bnonsense",
    "cut.csv.gz": gzip.compress(b"record_id,predicted_at\n" * 999)[:-20],
    "latin.csv": "record_id,predicted_at,city\n1,2024-01-01T00:00:00Z,Köln\n".encode("latin-1"),
    "utf16.csv": "record_id,predicted_at\n".encode("utf-16"),
    "ragged.csv": b"record_id,predicted_at\n1,2\n1,2,3\n",
    "twins.csv": b"record_id,record_id,predicted_at\n1,2,3\n",
    "half.jsonl": b'{"record_id": "a"}\n{"record_id": \n',
    "list.jsonl": b"[1, 2]\n",
    "words.txt": b"hello\n",
    "noending": b"hello\n",
    "timeless.csv": b"record_id,x\n1,2\n",
    "twice.jsonl": b'{"record_id": "a", "time": "2024-01-01", "x": 1, "features": {"x": 2}}\n',
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_that_cannot_be_read(tidemill, project, tmp_path, name):
    path = tmp_path / name
    if BAD_FILES[name] is not None:
        path.write_bytes(BAD_FILES[name])
    line = wrong(tidemill("records", "import", path, "--project", project), 1)
    assert str(path) in line


def test_a_folder_is_no_file(tidemill, project, tmp_path):
    assert "is a folder" in wrong(tidemill("records", "import", tmp_path, "--project", project), 1)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("--time predictedat", 1),
        ("--features x,speed", 1),
        ("--known speed=predicted_at", 1),
        ("--known x", 2),
        ("--timezone Mars/Olympus", 2),
    ],
)
def test_columns_that_are_not_there(tidemill, project, tmp_path, more, code):
    path = tmp_path / "records.csv"
    path.write_text("record_id,predicted_at,x\nnew,2024-01-01 05:00:00,1\n")
    wrong(tidemill("records", "import", path, *more.split(), "--project", project), code)


def test_labels_need_an_id_and_a_label(tidemill, project, tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("key,truth\na,1\n")
    assert "--id" in wrong(tidemill("labels", "import", path, "--project", project), 1)
    more = ("--id", "key", "--project", project)
    assert "--label" in wrong(tidemill("labels", "import", path, *more), 1)


def test_our_own_bugs_are_one_line_too(tidemill, tmp_path, monkeypatch):
    def broken(**_):
        raise KeyError("surprise")

    monkeypatch.setattr(app, "build", broken)
    assert "internal error" in wrong(tidemill("status"), 70)
    said = tidemill("status", "--debug")
    assert said.code == 70
    assert "Traceback" in said.err


def test_ctrl_c(tidemill, monkeypatch):
    def stopped(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "build", stopped)
    wrong(tidemill("status"), 130)


def test_errors_as_json(tidemill):
    said = tidemill("--json", "nope")
    assert json.loads(said.out)["exit"] == said.code == 2

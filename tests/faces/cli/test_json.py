"""Every command's --json is one document with the keys that docs/cli.md states."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tidemill import EdgeProfile
from tidemill.measures.profile import Profile

DOCS = Path(__file__).parents[3] / "docs" / "cli.md"


def documented() -> dict[str, set[str]]:
    """Return the keys of each heading of the JSON chapter."""
    chapter = DOCS.read_text("utf-8").split("\n## JSON\n")[1]
    parts = re.split(r"^### (.+)$", chapter, flags=re.MULTILINE)[1:]
    return {name: set(_stated(text)) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def _stated(text: str) -> list[str]:
    """Return the keys of a table; a row may state several."""
    heads = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", text, flags=re.MULTILINE)
    return [key for head in heads for key in re.findall(r"\w+", head)]


@pytest.fixture(scope="module")
def keys():
    return documented()


@pytest.mark.parametrize(
    ("made", "heading"),
    [
        ("init", "init"),
        ("plan", "plan"),
        ("run", "run"),
        ("records", "records import"),
        ("labels", "records import"),
        ("feedback", "records import"),
    ],
)
def test_what_built_the_project(built, keys, made, heading):
    said = built.said[made]
    assert said.err == ""
    assert set(said.json) == keys[heading]
    assert said.code == 0


@pytest.mark.parametrize(
    ("words", "heading", "code"),
    [
        ("plan", "plan", 3),
        ("status", "status", 3),
        ("check", "check", 0),
        ("records quarantine", "records quarantine", 0),
        ("releases list", "releases list", 0),
        ("releases report", "releases report", 0),
        ("releases report v1", "releases report", 0),
        ("strategy show", "strategy show", 0),
        ("history 00010", "history RECORD", 0),
        ("history v1", "history RELEASE", 0),
    ],
)
def test_commands_that_look(tidemill, built, words, heading, code):
    said = tidemill(*words.split(), "--project", built.project, "--json")
    assert (said.code, said.err) == (code, "")
    assert set(said.json) == documented()[heading]
    shown = tidemill("--project", built.project, *words.split())
    assert shown.code == code
    assert shown.err == ""
    assert shown.out.strip()


def test_profiles_of_the_edge(tidemill, project, tmp_path, keys):
    text = (project / "strategy.py").read_text()
    watched = text.replace(
        "strategy = Strategy(",
        "from tidemill import Monitoring\nstrategy = Strategy(\n    monitoring=Monitoring(),",
    )
    (project / "strategy.py").write_text(watched)
    here = ("--project", project, "--json")
    path = tmp_path / "reference.profile"
    assert "nothing was profiled" in tidemill("records", "reference", path, *here).json["error"]
    tidemill("run", *here)
    said = tidemill("records", "reference", path, *here)
    assert (said.code, set(said.json)) == (0, keys["records reference"])
    edge = EdgeProfile(Profile.from_bytes(path.read_bytes()), writer="api")
    edge.add({"x": 1.0})
    start = datetime(2024, 1, 20, tzinfo=UTC)
    made = edge.save(tmp_path, start=start, end=start + timedelta(hours=1))
    for accepted in (1, 0):
        said = tidemill("records", "profiles", made, *here)
        assert (said.code, set(said.json)) == (0, keys["records profiles"])
        assert (said.json["accepted"], said.json["already"]) == (accepted, 1 - accepted)
    said = tidemill("records", "profiles", project / "strategy.py", "--project", project)
    assert (said.code, "this is no profile" in said.out) == (4, True)
    said = tidemill("records", "profiles", *here)
    assert (said.code, said.json["error"]) == (2, "no file is named.")


def test_old_strategies(tidemill, built, keys):
    here = ("--project", built.project, "--json")
    name = tidemill("strategy", "show", *here).json["hash"]
    said = tidemill("strategy", "show", name[:6], *here)
    assert set(said.json) == keys["strategy show HASH"]
    assert "Signs nothing by itself" in said.json["source"]
    assert said.json["ran_last"]


def test_signing_and_rolling_back(tidemill, project, keys):
    here = ("--project", project, "--json")
    signed = tidemill("releases", "approve", "v1", "--as", "ann", "--why", "looks good", *here)
    assert set(signed.json) == keys["releases approve"]
    assert signed.json["who"] == "ann"
    ran = tidemill("run", "--at", "2024-01-29", *here)
    assert ran.code == 0
    assert ran.json["front"] == "v1"
    [release] = tidemill("releases", "list", *here).json["releases"]
    assert release["signed_by"] == "ann"
    back = tidemill("releases", "rollback", "--as", "ann", *here)
    assert set(back.json) == keys["releases rollback"]
    assert back.json["out"] == "v1"
    assert tidemill("status", *here).json["front"] is None
    assert tidemill("check", *here).json["problems"] == []


def test_rejecting(tidemill, project, keys):
    here = ("--project", project, "--json")
    assert set(tidemill("releases", "reject", "v1", *here).json) == keys["releases approve"]
    ran = tidemill("run", "--at", "2024-01-29", *here).json
    assert ran["front"] is None
    assert ran["waiting"] == []


def test_an_error_is_a_document_too(tidemill, tmp_path, keys):
    said = tidemill("status", "--json", "--project", tmp_path / "nowhere")
    assert set(said.json) == keys["error"]
    assert said.json["exit"] == said.code == 1


def test_the_exit_codes_are_documented():
    from tidemill.faces.cli.exits import Exit

    rows = re.findall(r"^\| (\d+) \| (\w+) \|", DOCS.read_text("utf-8"), flags=re.MULTILINE)
    assert {(int(code), name) for code, name in rows} == {(e.value, e.name) for e in Exit}

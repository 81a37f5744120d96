"""``tidemill strategy`` and ``status --strategy``, as a user meets them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs" / "cli.md"
LATER = 'comment="half the labels", trigger=Every("14d")'


def documented(heading):
    """Return the keys that docs/cli.md states under a heading."""
    chapter = DOCS.read_text("utf-8").split(f"\n### {heading}\n")[1].split("\n### ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", chapter, flags=re.MULTILINE))


def wrong(said, code, words):
    assert said.code == code, said.err
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    assert " Fix: " in said.err
    assert "Traceback" not in said.err
    assert words in said.err


@pytest.fixture
def changed(project):
    """The project, its strategy file changed since it ran."""
    return change(project)


def change(project):
    file = project / "strategy.py"
    file.write_text(file.read_text().replace('trigger=Every("7d")', LATER))
    return project


@pytest.fixture(scope="module")
def twice(tidemill, built, tmp_path_factory):
    """The project after both strategies ran, and the first one again; no test may change it."""
    project = tmp_path_factory.mktemp("twice") / "copy"
    shutil.copytree(built.project, project)
    text = (project / "strategy.py").read_text()
    assert tidemill("run", "--at", "2024-01-30", "--project", change(project)).code == 0
    (project / "strategy.py").write_text(text)
    assert tidemill("run", "--at", "2024-01-31", "--project", project).code == 0
    return project


@pytest.mark.parametrize(
    ("words", "code"),
    [("strategy log", 0), ("strategy diff", 0), ("strategy check", 0), ("status --strategy", 3)],
)
def test_the_keys_are_documented(tidemill, built, words, code):
    said = tidemill(*words.split(), "--project", built.project, "--json")
    assert (said.code, said.err) == (code, "")
    assert set(said.json) == documented(words)
    shown = tidemill(*words.split(), "--project", built.project)
    assert (shown.code, shown.err) == (code, "")
    assert shown.out.strip()


def test_what_is_inside_is_documented_too(tidemill, changed):
    here = ("--project", changed, "--json")
    [entry] = tidemill("strategy", "log", *here).json["strategies"]
    assert set(entry) == documented("strategy log: strategies")
    chapters = DOCS.read_text("utf-8")
    change = tidemill("strategy", "diff", *here).json["changes"][0]
    stage = tidemill("strategy", "check", *here).json["stages"][0]
    found = tidemill("status", "--strategy", *here).json
    for name in (*change, *stage, *entry["realised"], *found["labels"], *found["training"],
                 *found["candidates"]):  # fmt: skip
        assert f"`{name}`" in chapters, name


def test_a_log_of_nothing(tidemill, tmp_path):
    tidemill("init", tmp_path)
    assert tidemill("strategy", "log", "--project", tmp_path).out == "No strategy has run yet.\n"
    said = tidemill("strategy", "log", "--project", tmp_path, "--json").json
    assert said == {"strategies": [], "notes": []}
    wrong(tidemill("strategy", "diff", "--project", tmp_path), 1, "no strategy has run yet")
    found = tidemill("status", "--strategy", "--project", tmp_path)
    assert found.code == 0
    assert "no model yet" in found.out


def test_the_log_tells_who_when_and_what(tidemill, twice):
    found = tidemill("strategy", "log", "--project", twice, "--json").json["strategies"]
    assert len(found) == 3
    assert [e["message"] for e in found] == ["", "half the labels", ""]
    assert found[0]["hash"] == found[2]["hash"] != found[1]["hash"]
    assert [(e["from"][:10], (e["to"] or "")[:10]) for e in found] == [
        ("2024-01-29", "2024-01-30"),
        ("2024-01-30", "2024-01-31"),
        ("2024-01-31", ""),
    ]
    assert (found[0]["triggered"], found[0]["labels_chosen"]) == (1, 599)
    assert found[0]["author"]
    shown = tidemill("strategy", "log", "--project", twice).out
    assert "half the labels" in shown
    assert "1 triggered, 0 live, 0 refused, 0 failed" in shown
    assert "to now" in shown


def test_the_author_is_who_git_knows(tidemill, project):
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    for words in (["init", "-q"], ["config", "user.name", "Grace Hopper"]):
        subprocess.run([git, "-C", project, *words], check=True)
    file = project / "strategy.py"
    file.write_text(file.read_text().replace("0.55", "0.56"))
    tidemill("run", "--at", "2024-01-30", "--project", project)
    found = tidemill("strategy", "log", "--project", project, "--json").json["strategies"]
    assert found[-1]["author"] == "Grace Hopper"
    assert found[0]["author"] != "Grace Hopper"


def test_a_broken_file_leaves_the_log_readable(tidemill, project):
    (project / "strategy.py").write_text("strategy = 1\n")
    said = tidemill("strategy", "log", "--project", project, "--json")
    assert said.code == 0
    assert said.json["strategies"][0]["realised"] is None
    assert "nothing is measured" in said.json["notes"][0]
    assert "nothing is measured" in tidemill("strategy", "log", "--project", project).out


def test_diff_against_what_was_live(tidemill, changed):
    here = ("--project", changed)
    found = tidemill("strategy", "diff", *here, "--json").json
    assert not found["same"]
    assert [(c["path"], c["old"], c["new"], c["relevant"]) for c in found["changes"]] == [
        ("trigger.period", "'7d'", "'14d'", True),
        ("comment", "''", "'half the labels'", False),
    ]
    assert found["old"]["hash"] != found["new"]["hash"]
    shown = tidemill("strategy", "diff", *here).out
    assert "  trigger.period: '7d' → '14d'\n" in shown
    assert "'half the labels'  (cosmetic)\n" in shown
    assert "strategy diff" in tidemill("strategy", "show", *here).out


def test_diff_of_hashes_and_files(tidemill, twice, tmp_path):
    here = ("--project", twice, "--json")
    one, two, _ = (e["hash"] for e in tidemill("strategy", "log", *here).json["strategies"])
    found = tidemill("strategy", "diff", one[:5], two, *here).json
    assert (found["old"]["hash"], found["new"]["hash"]) == (one, two)
    back = tidemill("strategy", "diff", two, one, *here).json
    assert [(c["old"], c["new"]) for c in back["changes"]] == [
        (c["new"], c["old"]) for c in found["changes"]
    ]
    file = tmp_path / "other.py"
    shutil.copy(twice / "strategy.py", file)
    same = tidemill("strategy", "diff", one, file, *here).json
    assert (same["same"], same["changes"], same["notes"]) == (True, [], [])
    file.write_text(file.read_text().replace("Signs nothing", "Signs little"))
    said = tidemill("strategy", "diff", one, file, *here).json
    assert said["notes"] == ["only comments, layout or docstrings differ"]
    assert "the same strategy" in tidemill("strategy", "diff", one, file, "--project", twice).out


def test_two_files_need_no_project(tidemill, built, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(built.project / "strategy.py", "one.py")
    text = Path("one.py").read_text().replace("score > 0.5", "score > 0.6")
    Path("two.py").write_text(text)
    shown = tidemill("strategy", "diff", "one.py", "two.py")
    assert shown.code == 0
    assert "training.function: code changed" in shown.out
    assert "+        return {" in shown.out
    assert tidemill("strategy", "check", "one.py").code == 0
    assert not (tmp_path / "state.db").exists()


def test_an_old_text_that_means_something_else_today(tidemill, project):
    here = ("--project", project)
    (project / "mine_of_3.py").write_text("FLOOR = 0.6\n")
    file = project / "strategy.py"
    text = file.read_text().replace("0.55", "FLOOR")
    file.write_text("from mine_of_3 import FLOOR\n" + text)
    assert tidemill("run", "--at", "2024-01-30", *here).code == 0
    import sys

    sys.modules["mine_of_3"].FLOOR = 0.7
    found = tidemill("strategy", "diff", *here, "--json").json
    assert "has changed since" in found["notes"][0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("strategy diff beef", "unknown strategy 'beef'"),
        ("strategy diff nowhere.py", "cannot be read"),
        ("strategy check nowhere.py", "cannot be read"),
        ("strategy check .", "cannot be read"),
        ("strategy show beef", "unknown strategy 'beef'"),
    ],
)
def test_what_is_not_there(tidemill, built, words, told):
    wrong(tidemill(*words.split(), "--project", built.project), 1, told)


def test_a_prefix_of_several(tidemill, project):
    from tidemill.project import open_project

    with open_project(project) as mill:
        for name in ("zz10", "zz20"):
            row = {"hash": name, "name": name, "source": "", "first_seen": "2024-01-29T00:00:00"}
            mill.world.state.add_row("strategies", name, row | {"after": 99})
    for command in ("show", "diff"):
        said = tidemill("strategy", command, "zz", "--project", project)
        wrong(said, 1, "may be any of zz10, zz20")


def test_files_that_are_no_strategy(tidemill, tmp_path):
    file = tmp_path / "odd.py"
    file.write_bytes(b"\xff\xfe")
    wrong(tidemill("strategy", "check", file), 1, "cannot be read")
    file.write_text("from tidemill import *\n\nstrategy = Strategy(trainin=1)\n")
    wrong(tidemill("strategy", "check", file), 1, "line 3")
    wrong(tidemill("strategy", "diff", file, file), 1, "line 3")


@pytest.mark.parametrize("words", ["strategy log", "strategy diff", "strategy check",
                                   "status --strategy"])  # fmt: skip
def test_no_project(tidemill, tmp_path, words):
    wrong(tidemill(*words.split(), "--project", tmp_path / "nowhere"), 1, "tidemill init")


def test_check_finds_what_cannot_work(tidemill, project):
    file = project / "strategy.py"
    file.write_text(file.read_text().replace('signing="approve"', 'signing="auto"')
                    .replace("offline=AtLeast(AUC(), 0.55),", ""))  # fmt: skip
    said = tidemill("strategy", "check", "--project", project, "--json")
    assert said.code == 4
    assert not said.json["ok"]
    assert "there is no gate" in said.json["problems"][0]
    shown = tidemill("strategy", "check", "--project", project)
    assert shown.code == 4
    assert "PROBLEM: " in shown.out
    assert "what it does" in shown.out


def test_status_of_the_strategy(tidemill, project):
    here = ("--project", project)
    tidemill("releases", "approve", "v1", "--as", "ann", *here)
    tidemill("run", "--at", "2024-01-29", *here)
    said = tidemill("status", "--strategy", *here, "--json")
    assert said.code == 0
    found = said.json
    assert found["front"]["release"] == "v1"
    assert found["candidates"]["live"] == 1
    assert (found["labels"]["asked"], found["labels"]["come"]) == (599, 599)
    [promise] = found["promises"]
    assert promise["promised_value"]["value"] > 0.55
    assert promise["realised"]["why"] == "there was no model before it"
    shown = tidemill("status", "--strategy", *here).out
    assert "599 asked, 599 came" in shown
    assert "v1: there was no model before it" in shown


def test_errors_are_documents_too(tidemill, built):
    said = tidemill("strategy", "diff", "beef", "--project", built.project, "--json")
    assert said.code == json.loads(said.out)["exit"] == 1

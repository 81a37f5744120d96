"""``tidemill backtest`` in a project: its own strategy, and what is kept of it."""

from __future__ import annotations

from turning import FAST

from tidemill.faces.report.reference import problems


def test_a_project_replays_its_own_strategy_and_others(tidemill, built):
    said = tidemill("backtest", "monthly", "--project", built.project, *FAST, "--json")
    assert (said.code, said.err) == (0, "")
    assert list(problems(said.json)) == []
    assert said.json["model"]["yours"]
    names = [s["name"] for s in said.json["strategies"] if s["kind"] == "asked"]
    assert names == ["careful", "monthly"]
    shown = tidemill("backtest", "--project", built.project, *FAST)
    assert shown.code == 0
    assert "replays  careful, in steps of 7d" in shown.err
    assert shown.out.startswith("Your model: your own training.")


def test_a_project_is_left_as_it_was(tidemill, project):
    before = tidemill("check", "--project", project, "--json").json["digest"]
    assert tidemill("backtest", "--project", project, *FAST).code == 0
    assert tidemill("check", "--project", project, "--json").json["digest"] == before


def test_what_is_concluded_of_a_project_can_be_kept_with_it(tidemill, refuse, project):
    answers = []
    for words in ((), ("backtest", *FAST, "--keep", "--json")):
        made = tidemill(*words, "--project", project).json if words else None
        answers.append(tidemill("status", "--strategy", "--project", project, "--json").json)
    assert answers[0]["retraining"]["fix"] == "tidemill backtest --keep"
    own = next(c for c in made["retraining"] if c["name"] == "careful")
    assert own["against"] == "never"
    found = answers[1]["retraining"]
    assert found["age_days"] == 0
    said = {"BETTER": "retrain", "SAME": "don't", "WORSE": "don't", "NO_VERDICT": "unknown"}
    assert found["answer"] == said[own["verdict"]]
    assert "retrain?" in tidemill("status", "--strategy", "--project", project).out
    told = refuse("--keep", "--dataset", "28d", "--project", project, code=2)
    assert "not of --dataset" in told


def test_what_is_no_project_and_no_table(refuse, built):
    assert "no project at" in refuse()
    assert "no project at" in refuse("fortnightly.py")
    assert "no table" in refuse("--time", "t", "--project", built.project, code=2)

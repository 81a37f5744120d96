"""Commands that say how monitoring could be better, on one project whose faults are known."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parents[3] / "docs" / "cli.md"
START, DAYS, ROWS = datetime(2024, 1, 1, tzinfo=UTC), 44, 40
STRATEGY = """
from tidemill import (
    Accuracy,
    FeedbackRate,
    Manual,
    Monitoring,
    Outcome,
    Strategy,
    Uniform,
)
from tidemill.loop.training.function import always_the_mean

strategy = Strategy(
    training=always_the_mean,
    curation=Uniform(100000, per="1d"),
    labels=Outcome(final_after="12h"),
    trigger=Manual(),
    metrics=[Accuracy()],  # how good
    monitoring=Monitoring(signals=[FeedbackRate("click", higher_is="better")], spans=(1,)),
)
"""


def documented(heading):
    """Return the keys that docs/cli.md states under a heading."""
    chapter = DOCS.read_text("utf-8").split(f"\n### {heading}\n")[1].split("\n### ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", chapter, flags=re.MULTILINE))


@pytest.fixture(scope="module")
def watched(tidemill, tmp_path_factory):
    """A project of 44 days: port B is answered badly, clicks follow accuracy, day 40 is odd."""
    folder = tmp_path_factory.mktemp("watched")
    project = folder / "mill"
    assert tidemill("init", project).code == 0
    (project / "strategy.py").write_text(STRATEGY)
    rng = np.random.default_rng(0)
    records = ["record_id,predicted_at,x,port,output"]
    labels = ["record_id,label,happened_at"]
    clicks = ["record_id,value,kind,happened_at"]
    for day in range(DAYS):
        bad = 0.08 + 0.1 * rng.random()
        for k in range(ROWS):
            at = START + timedelta(days=day, seconds=86_400 * (k + 0.5) / ROWS)
            port = "ABCD"[k % 4]
            x = rng.normal() + (4 if day == 40 else 0)
            wrong = rng.random() < (0.55 if port == "B" else bad)
            name, came = f"{day}-{k}", (at + timedelta(hours=1)).isoformat()
            records.append(f"{name},{at.isoformat()},{x:.4f},{port},1")
            labels.append(f"{name},{0 if wrong else 1},{came}")
            if rng.random() < 1 - 5 * bad:
                clicks.append(f"{name},1,click,{came}")
    for kind, lines in (("records", records), ("labels", labels), ("feedback", clicks)):
        (folder / f"{kind}.csv").write_text("\n".join(lines) + "\n")
        more = ("--output", "output") if kind == "records" else ()
        said = tidemill(kind, "import", folder / f"{kind}.csv", *more, "--project", project)
        assert said.code == 0, said.err
    assert tidemill("run", "--at", "2024-02-14T12:00:00Z", "--project", project).code == 0
    return project


def asked(tidemill, project, words, code=0):
    """Ask for JSON, and see that people are told something too."""
    told = tidemill(*words, "--project", project)
    said = tidemill(*words, "--project", project, "--json")
    assert (said.code, told.code) == (code, code), said.err
    assert (said.err, told.err) == ("", "")
    assert told.out.strip()
    return said.json, told.out


def test_rules_of_quality_are_suggested_as_lines_that_run(tidemill, watched):
    found, told = asked(tidemill, watched, ["strategy", "suggest", "--all"])
    short = tidemill("strategy", "suggest", "--project", watched).out
    assert [one["rank"] for one in found["offered"]] == list(range(1, len(found["offered"]) + 1))
    assert "The 10 rules to take first" in short
    assert short.count("held-out days") == 10 < told.count("held-out days")
    assert set(found) == documented("strategy suggest")
    rules = {one["rule"] for one in found["offered"]}
    assert any(rule.startswith("InSet('port', ('A', 'B', 'C', 'D')") for rule in rules)
    assert found["source"] in told
    first, rest = found["source"].split("\n\nmonitoring=")
    scope = {}
    exec(f"{first}\nfrom tidemill import Monitoring\nmade = {rest.strip().rstrip(',')}", scope)
    assert len(scope["made"].signals) == len([o for o in found["offered"] if not o["watched"]])


def test_the_group_that_is_answered_badly_is_found_and_confirmed(tidemill, watched):
    found, told = asked(tidemill, watched, ["cohorts", "find", "--last", "40d"])
    assert set(found) == documented("cohorts find")
    first = found["slices"][0]
    assert (first["where"], first["confirmed"]) == ("port is B", True)
    assert first["value"] == pytest.approx(0.45, abs=0.1)
    assert "cohorts add 1" in told


def test_without_enough_days_nothing_is_confirmed_and_it_says_why(tidemill, watched):
    found, told = asked(tidemill, watched, ["cohorts", "find", "--last", "4d"])
    assert not any(one["confirmed"] for one in found["slices"])
    assert "windows with final labels: 4, and 10 are needed" in " ".join(told.split())


def test_what_changed_between_two_times(tidemill, watched):
    words = ["cohorts", "find", "--for", "change", "--last", "20d"]
    found, _ = asked(tidemill, watched, words)
    assert set(found) - {"since_before"} == documented("cohorts find")
    assert found["before"] == pytest.approx(found["value"], abs=0.1)
    assert not any(one["confirmed"] for one in found["slices"])


def test_a_group_becomes_a_cohort_and_nothing_else_changes(tidemill, watched, tmp_path):
    project = tmp_path / "copy"
    shutil.copytree(watched, project)
    assert tidemill("cohorts", "find", "--last", "40d", "--project", project).code == 0
    said = tidemill("cohorts", "add", "1", "--project", project, "--json")
    assert said.code == 0, said.err
    assert set(said.json) == documented("cohorts add")
    assert said.json["inside"] * 4 == said.json["records"]
    added = 'Cohort("port is B", lambda r: (r.f_port == "B"))'
    was = STRATEGY.replace("    FeedbackRate,\n", "    Cohort,\n    FeedbackRate,\n")
    end = "spans=(1,)),\n"
    want = was.replace(end, f"{end}    cohorts=[{added}],\n")
    assert (project / "strategy.py").read_text() == want
    again = tidemill("cohorts", "add", "1", "--project", project)
    assert (again.code, "has a cohort 'port is B' already" in again.err) == (1, True)
    own = tidemill("cohorts", "add", "low", "--where", "r.f_x < 0", "--project", project)
    assert own.code == 0, own.err
    line = f'    cohorts=[{added}, Cohort("low", lambda r: r.f_x < 0)],\n'
    assert (project / "strategy.py").read_text() == was.replace(end, end + line)


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        ("cohorts add a --where r.f_y>0", 1, "no attribute 'f_y'"),
        ("cohorts add a --where r.f_x>", 1, "no Python expression"),
        ("cohorts add a", 2, "has no condition"),
        ("cohorts add 77", 1, "unknown slice '77'"),
        ("cohorts find --metric acuracy", 1, "did you mean 'accuracy'"),
        ("cohorts find --for fun", 2, "none of drop, change"),
        ("alerts budget --pages 0", 2, "above 0"),
        ("alerts unusual --window 2031-01-01", 1, "has no record"),
        ("metrics --against clicks", 1, "unknown outcome 'clicks'"),
        ("strategy suggest --last 5d", 1, "2 to learn from"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(tidemill, watched, words, code, why):
    said = tidemill(*words.split(), "--project", watched)
    assert said.code == code, said.err
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert " Fix: " in said.err
    assert why in said.err
    assert (watched / "strategy.py").read_text() == STRATEGY


def test_what_the_rules_would_have_paged_at_two_budgets(tidemill, watched):
    found, told = asked(tidemill, watched, ["alerts", "budget", "--pages", "20"])
    assert set(found) == documented("alerts budget")
    own, other = found["budgets"]
    assert (own["pages"], other["pages"]) == (1.0, 20.0)
    assert other["paged"] >= own["paged"]
    assert own["low"] <= own["per_month"] <= own["high"]
    assert found["short"]
    assert "ask again with 60 days" in told
    # The day that is odd is among what would have been paged, as it was in the turn.
    assert own["paged"] >= 1
    days = [a[:10] for a, _ in own["incidents"]]
    assert "2024-02-10" in days


def test_the_odd_day_is_unusual_and_its_region_is_named(tidemill, watched):
    words = ["alerts", "unusual", "--window", "2024-02-10"]
    found, _ = asked(tidemill, watched, words, code=4)
    assert set(found) == documented("alerts unusual")
    assert found["verdict"] == "ALERT"
    assert "x >" in found["regions"][0]["where"]
    usual, _ = asked(tidemill, watched, ["alerts", "unusual", "--window", "2024-02-07"])
    assert usual["verdict"] == "OK"


def test_whether_a_better_model_is_felt(tidemill, watched):
    found, told = asked(tidemill, watched, ["metrics", "--against", "all"])
    assert set(found) == documented("metrics --against")
    pair = found["pairs"][0]
    assert (pair["metric"], pair["outcome"]) == ("accuracy", "feedback_rate_click")
    assert pair["windows"] == DAYS
    assert pair["low"] < pair["value"] < pair["high"]
    assert pair["said"] in told


def test_check_says_what_monitoring_costs_and_what_is_not_measured(tidemill, watched):
    found, told = asked(tidemill, watched, ["check"])
    kept = found["monitoring"]
    assert kept["profiles"]["cells"] > 0
    assert kept["profiles"]["bytes"] > 0
    assert kept["signals"]["rows"] > 0
    assert {one["kind"] for one in kept["missing"]} == {"proxy", "quality", "system"}
    assert "not measured" in told

"""``tidemill drift`` and ``tidemill compare``: two tables, no project, one answer."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tidemill.faces.comparing import drift

DOCS = Path(__file__).parents[3] / "docs" / "cli.md"


def keys(heading: str) -> set[str]:
    """Return the keys that docs/cli.md states under a heading."""
    section = DOCS.read_text("utf-8").split(f"\n### {heading}\n")[1].split("\n### ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE))


def window(seed: int, *, days: int = 20, shift: float = 0.0) -> pa.Table:
    rng, each = np.random.default_rng(seed), 150
    n = days * each
    at = [
        datetime(2024, 3, 20, tzinfo=UTC) + timedelta(days=k // each, minutes=k % each)
        for k in range(n)
    ]
    return pa.table(
        {
            "at": pa.array([t.replace(tzinfo=None) for t in at], pa.timestamp("us")),
            "x": rng.normal(size=n) + shift,
            "calm": rng.normal(size=n),
            "city": rng.choice(["Bonn", "Köln"], n),
            "empty": pa.nulls(n, pa.float64()),
        }
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("drift")
    found = {}
    for name, table in {
        "usual": window(0),
        "same": window(1),
        "moved": window(2, shift=0.5),
        "text": window(3).set_column(1, "x", window(3).column("x").cast(pa.string())),
        "none": window(0).slice(0, 0),
    }.items():
        found[name] = folder / f"{name}.parquet"
        pq.write_table(table, found[name])
    pyarrow.csv.write_csv(window(2, shift=0.5), folder / "moved.csv")
    found["csv"] = folder / "moved.csv"
    return found


def test_the_worst_comes_first_and_the_exit_code_says_it(tidemill, files):
    said = tidemill("drift", files["usual"], files["moved"])
    assert said.code == 4
    lines = said.out.splitlines()
    rows = [line.split()[:2] for line in lines if line.startswith(("ALERT", "OK", "NO_VERDICT"))]
    assert rows[0] == ["ALERT", "x"]
    assert ["OK", "calm"] in rows
    assert "Drift in 1 of 5 columns: x, mean up by 0.5" in " ".join(lines)
    assert "name the --time COLUMN" in " ".join(lines)
    assert tidemill("drift", files["usual"], files["same"]).code == 0


def test_its_json_is_what_the_page_states(tidemill, files):
    said = tidemill("drift", files["usual"], files["moved"], "--json")
    assert set(said.json) == keys("drift")
    for column in said.json["columns"]:
        assert set(column) == keys("drift: columns")
    assert said.json == drift(str(files["usual"]), str(files["moved"])).to_dict()


def test_csv_and_parquet_say_the_same(tidemill, files):
    both = [
        tidemill("drift", files["usual"], files[k], "--json", "--columns", "x,city").json
        for k in ("moved", "csv")
    ]
    assert both[0]["columns"] == both[1]["columns"]


def test_days_are_the_evidence_with_a_time(tidemill, files):
    said = tidemill(
        *("drift", files["usual"], files["moved"], "--time", "at", "--json"),
        *("--zone", "Europe/Berlin"),
    ).json
    assert (said["units"], said["reference"]["days"]) == ("days", 20)
    assert said["reference"]["start"] == "2024-03-19T23:00:00+00:00"
    assert said["columns"][0]["column"] == "x"
    assert said["columns"][0]["verdict"] == "ALERT"
    assert "at" not in [c["column"] for c in said["columns"]]


def test_a_profile_stands_for_its_table(tidemill, files, tmp_path):
    kept = tmp_path / "usual.profile"
    wrote = tidemill("drift", files["usual"], "--profile", kept, "--json")
    assert (wrote.code, set(wrote.json)) == (0, keys("drift --profile"))
    with_profile = tidemill("drift", kept, files["moved"], "--json").json
    assert (
        with_profile["columns"]
        == tidemill("drift", files["usual"], files["moved"], "--json").json["columns"]
    )
    assert tidemill("drift", files["moved"], kept).code == 4
    content = kept.read_bytes()
    kept.write_bytes(content[:-9] + b"x" * 9)
    broken = tidemill("drift", kept, files["moved"])
    assert (broken.code, broken.out) == (1, "")
    assert len(broken.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["{usual}"], "nothing to compare with"),
        (["{usual}", "nowhere.parquet"], "no file nowhere.parquet"),
        (["{usual}", "{none}"], "holds no rows"),
        (["{usual}", "{moved}", "--time", "x"], "no time"),
        (["{usual}", "{moved}", "--time", "att"], "did you mean 'at'"),
        (["{usual}", "{moved}", "--columns", "y"], "unknown column 'y'"),
        (["{usual}", "{moved}", "--ignore", "x,calm,city,empty,at"], "no column is left"),
        (["{usual}", "{moved}", "--alpha", "2"], "alpha"),
        (["{usual}", "{moved}", "--floor", "-1"], "number"),
        (["{usual}", "{moved}", "--time", "at", "--zone", "Mars"], "no time zone 'Mars'"),
        (["{usual}", "{moved}", "--html", "nowhere/x.html"], "no folder"),
        (["{usual}", "{moved}", "--profile", "x.profile"], "two were named"),
        (["{usual}", "--profile", "x.bin"], "must end with .profile"),
    ],
)
def test_bad_input_is_one_line(tidemill, files, words, told):
    said = tidemill("drift", *(w.format(**files) for w in words))
    assert said.code in {1, 2}
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert told in said.err
    assert "Fix: " in said.err


def test_a_changed_type_and_a_missing_column_are_said(tidemill, files, tmp_path):
    assert (
        "type changed from number to text" in tidemill("drift", files["usual"], files["text"]).out
    )
    pq.write_table(
        window(1).rename_columns(["at", "x", "still", "city", "empty"]), tmp_path / "r.parquet"
    )
    found = drift(files["usual"], tmp_path / "r.parquet")
    assert {s.column: s.words for s in found.report.shifts if s.verdict == "ALERT"} == {
        "calm": "column is gone",
        "still": "column is new",
    }
    assert found.table.num_rows == 6


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, Path]:
    folder, rng, n = tmp_path_factory.mktemp("compare"), np.random.default_rng(0), 4000
    label = rng.integers(0, 2, n)
    at = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=20 * k) for k in range(n)]
    ids = pa.array([f"{k:05}" for k in range(n)])
    order = rng.permutation(n)[: n - 10]
    scores = {
        name: 1 / (1 + np.exp(rng.normal(size=n) - k * (label - 0.5)))
        for name, k in (("a", 1.0), ("b", 1.6))
    }
    tables = {
        "a": pa.table({"id": ids, "at": at, "label": label, "score": scores["a"]}),
        "b": pa.table({"id": ids, "score": scores["b"]}).take(pa.array(order)),
        "labels": pa.table({"id": ids, "truth": label, "at": at}),
        "bare": pa.table({"id": ids, "score": scores["a"]}),
        "wrong": pa.table({"id": ids, "label": 1 - label, "score": scores["b"]}),
    }
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return {name: folder / f"{name}.parquet" for name in tables}


def test_the_better_predictions_are_found_by_days(tidemill, answers):
    found = tidemill("compare", answers["a"], answers["b"], "--time", "at", "--json")
    assert (found.code, set(found.json)) == (0, keys("compare"))
    assert (found.json["verdict"], found.json["paired"]) == ("BETTER", 3990)
    assert (found.json["units"], found.json["groups"]) == ("days", 56)
    assert found.json["left_out"]["unpaired"] == {"a.parquet": 10, "b.parquet": 0}
    back = tidemill(
        *("compare", answers["b"], answers["bare"], "--table-labels", answers["labels"]),
        *("--label", "truth", "--json"),
    )
    assert (back.code, back.json["verdict"]) == (4, "WORSE")
    assert back.json["units"] == "blocks of rows"
    first, again = found.json["metrics"][0], back.json["metrics"][0]
    assert first["difference"]["value"] == pytest.approx(-again["difference"]["value"])


def test_rankings_are_compared_list_by_list(tidemill, answers, tmp_path):
    table = pq.read_table(answers["a"])
    lists = np.arange(table.num_rows) // 8
    pq.write_table(table.append_column("query", [lists]), tmp_path / "a.parquet")
    asked = ("compare", tmp_path / "a.parquet", answers["b"], "--group", "query", "--json")
    found = tidemill(*asked)
    assert (found.code, found.json["verdict"], found.json["units"]) == (
        0,
        "BETTER",
        "blocks of lists",
    )
    names = [m["name"] for m in found.json["metrics"]]
    assert names[:4] == ["ndcg_at_10", "mrr_at_10", "precision_at_10", "recall_at_10"]
    assert {"ndcg", "mrr", "map", "auc"} < set(names)
    few = tidemill(*asked, "--metric", "recall_at_2").json["metrics"][0]
    assert (few["name"], few["verdict"]) == ("recall_at_2", "BETTER")
    assert "did you mean 'ndcg_at_10'" in tidemill(*asked, "--metric", "ndgc_at_10").err


def test_equal_predictions_are_the_same_and_never_better(tidemill, answers):
    said = tidemill("compare", answers["a"], answers["a"])
    assert said.code == 0
    assert "answers as" in said.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["{a}", "{b}", "--label", "labl"], "did you mean 'label'"),
        (["{a}", "{b}", "--metric", "aucc"], "did you mean 'auc'"),
        (["{a}", "{wrong}"], "labels of 4,000 rows differ"),
        (["{a}", "{b}", "--id", "score"], "no id of 'score' is in all tables"),
        (["{a}", "{labels}"], "nothing says which column is the prediction"),
        (["{a}", "{b}", "--time", "label"], "no time"),
    ],
)
def test_what_cannot_be_compared_is_one_line(tidemill, answers, words, told):
    said = tidemill("compare", *(w.format(**answers) for w in words))
    assert said.code in {1, 2}
    assert (said.out, len(said.err.splitlines())) == ("", 1)
    assert told in said.err

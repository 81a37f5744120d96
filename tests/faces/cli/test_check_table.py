"""``tidemill check TABLE`` says what a table can tell, and touches nothing."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

DATA = Path(__file__).parents[4] / "shared" / "data"
START = datetime(2024, 1, 1, tzinfo=UTC)
KEYS = {
    "ok",
    "table",
    "rows",
    "labels",
    "quarantined",
    "task",
    "columns",
    "features",
    "leaks",
    "assumed",
    "warnings",
    "step",
    "conclusions",
}


@pytest.fixture
def predictions(tmp_path, monkeypatch) -> Path:
    """A table of half a year in a folder where there is nothing else."""
    rng, n = np.random.default_rng(0), 4000
    at = [START + timedelta(hours=k) for k in range(n)]
    x = rng.normal(size=n)
    table = pa.table(
        {
            "scheduled": at,
            "x": x,
            "carrier": rng.choice(["AA", "UA"], n),
            "late": (rng.random(n) < 1 / (1 + np.exp(-x))).astype(int),
            "landed": [t + timedelta(hours=3) for t in at],
            "p": 1 / (1 + np.exp(-x)),
            "v": [f"v{k // 900}" for k in range(n)],
        }
    )
    pq.write_table(table, tmp_path / "predictions.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "predictions.parquet"


TOLD = [
    "--time",
    "scheduled",
    "--label",
    "late",
    "--label-time",
    "landed",
    "--score",
    "p",
    "--model-version",
    "v",
]


def test_it_says_what_it_understood_and_what_can_be_concluded(tidemill, predictions):
    said = tidemill("check", predictions, *TOLD)
    assert (said.code, said.err) == (0, "")
    words = " ".join(said.out.split())
    assert "4,000 rows, 4,000 labels" in words
    assert "x (number), carrier (category)" in words
    assert "label-time = landed" in words
    assert "Nothing hinders a backtest in steps of 7d." in words
    assert [p.name for p in predictions.parent.iterdir()] == ["predictions.parquet"]


def test_json_is_one_document(tidemill, predictions):
    said = tidemill("check", predictions, *TOLD, "--step", "28d", "--json")
    document = said.json
    assert set(document) == KEYS
    assert (document["ok"], document["task"], document["step"]) == (True, "binary", "28d")
    assert document["features"] == {"x": "number", "carrier": "category"}
    assert (document["assumed"], document["warnings"]) == ([], [])
    for conclusion in document["conclusions"]:
        assert set(conclusion) == {"question", "answer", "why", "fix", "hinders"}
        assert conclusion["answer"] in ("yes", "no", "not known")


def test_what_is_assumed_and_what_may_leak_is_shown(tidemill, predictions):
    said = tidemill("check", predictions, "--time", "scheduled", "--label", "late")
    assert said.code == 0
    words = " ".join(said.out.split())
    assert "ASSUMED labels are known at once" in words
    assert "landed may be a leak" in words
    assert "--drop landed" in words
    gone = tidemill("check", predictions, *TOLD[:4], "--drop", "landed,p", "--drop", "v", "--json")
    assert gone.json["features"] == {"x": "number", "carrier": "category"}
    assert gone.json["leaks"] == []


def test_it_ends_with_4_where_a_backtest_would_be_meaningless(tidemill, predictions):
    for more in (["--step", "400d"], ["--features", "x", "--drop", "x"]):
        said = tidemill("check", predictions, *TOLD, *more)
        assert said.code == 4
        assert "A backtest would be meaningless:" in said.out
        assert not tidemill("check", predictions, *TOLD, *more, "--json").json["ok"]


def test_usual_names_are_found(tidemill, predictions):
    table = pq.read_table(predictions, columns=["scheduled", "x", "late"])
    pyarrow.csv.write_csv(
        table.rename_columns(["predicted_at", "x", "label"]), predictions.parent / "t.csv"
    )
    said = tidemill("check", "t.csv", "--label-delay", "1d", "--json")
    assert said.json["columns"] == {"time": "predicted_at", "label": "label"}


def test_a_table_of_a_database(tidemill, predictions):
    with sqlite3.connect(predictions.parent / "w.db") as made:
        made.execute("create table logs (id text, time text, x real, label integer)")
        rows = [
            (f"{k:04}", (START + timedelta(hours=k)).isoformat(), k % 7, k % 2) for k in range(2000)
        ]
        made.executemany("insert into logs values (?, ?, ?, ?)", rows)
    made.close()
    address = "sqlite://w.db"
    said = tidemill(
        "check", address, "--table", "logs", "--id", "id", "--label-delay", "1d", "--json"
    )
    assert (said.code, said.json["rows"], said.json["features"]) == (0, 2000, {"x": "number"})
    wrong = tidemill("check", address, "--table", "log")
    assert (wrong.code, "did you mean 'logs'" in wrong.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("check none.parquet", 1, "there is no file none.parquet"),
        ("check predictions.parquet", 2, "nothing says which column is --time"),
        ("check predictions.parquet --time scheduled", 2, "which column is --label"),
        ("check predictions.parquet --time schedule --label late", 1, "did you mean 'scheduled'"),
        ("check predictions.parquet --time x --label late", 1, "which is no time"),
        ("check predictions.parquet --time scheduled --label late --step soon", 2, "a duration"),
        ("check predictions.parquet --time scheduled --label late --step 0s", 2, "never ends"),
        (
            "check predictions.parquet --time scheduled --label late --label-delay 7",
            2,
            "--label-delay: '7' is not a duration",
        ),
        ("check predictions.parquet --table t", 2, "is no database"),
        ("check --time scheduled", 2, "no table"),
        ("check --step 7d", 2, "no table"),
        ("check", 1, "there is no project"),
    ],
)
def test_errors_are_one_line(tidemill, predictions, words, code, says):
    said = tidemill(*words.split())
    assert (said.code, said.out) == (code, "")
    assert says in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("name", ["bike_hourly", "bank_marketing", "angular_cli_commits"])
def test_real_tables(tidemill, name):
    path = DATA / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"no ../shared/data/{path.name}")
    said = tidemill("check", path, "--label-delay", "7d", "--json")
    assert (said.code, said.json["step"], said.json["ok"]) == (0, "28d", True)

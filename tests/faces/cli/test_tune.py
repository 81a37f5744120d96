"""``tidemill strategy tune`` on a table and in a project; --json is what docs/cli.md states."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

DOCS = Path(__file__).parents[3] / "docs" / "cli.md"
START = datetime(2024, 1, 1, tzinfo=UTC)
TOLD = ["--time", "scheduled", "--label", "late", "--label-time", "landed", "--step", "7d"]
TERMS = ["--workers", 1, "--latency", "0s", "--strategies", "weekly", "--dataset", "14d"]


def keys(heading: str) -> set[str]:
    text = DOCS.read_text("utf-8").split(f"\n### {heading}\n")[1].split("\n### ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE))


@pytest.fixture
def table(tmp_path, monkeypatch) -> str:
    """Eleven weeks of a world that turns."""
    rng, n = np.random.default_rng(0), 11 * 7 * 12
    at = [START + timedelta(hours=2 * k) for k in range(n)]
    x, z, turn = rng.normal(size=n), rng.normal(size=n), np.arange(n) / n * 3
    y = (x * np.cos(turn) + z * np.sin(turn) + 0.5 * rng.normal(size=n) > 0).astype(int)
    landed = [t + timedelta(hours=3) for t in at]
    rows = pa.table({"scheduled": at, "x": x, "z": z, "late": y, "landed": landed})
    pq.write_table(rows, tmp_path / "p.parquet")
    (tmp_path / "mine.py").write_text(_MODEL)
    monkeypatch.chdir(tmp_path)
    return "p.parquet"


_MODEL = """
import numpy as np


class Line:
    def __init__(self, weights):
        self.weights = weights

    def __call__(self, frame):
        score = 1 / (1 + np.exp(-4 * (frame[["x", "z"]].to_numpy() @ self.weights)))
        return {"output": (score > 0.5).astype(float), "score": score}


def train(dataset, _previous):
    x = dataset.to_pandas()[["x", "z"]].to_numpy()
    return Line(np.linalg.lstsq(x, dataset.label - 0.5, rcond=1e-9)[0])
"""


def test_a_table_is_tuned_and_openings_are_counted(tidemill, table):
    words = ["strategy", "tune", table, *TOLD, *TERMS, "--model", "mine:train", "--cache", "kept"]
    words += ["--space", "trigger.period=7d,14d,28d", "--cost-error", 1, "--cost-second", 0.01]
    first = tidemill(*words, "--json")
    assert (first.code, first.err) == (0, "")
    found = first.json
    assert set(found) == keys("strategy tune")
    assert found["search"] == "cadence"
    assert found["trials"][0]["words"] == "trigger=Every('7d')"
    assert found["recommendation"]["strategy"] == "incumbent"
    assert found["openings"]["count"] == 1
    for name in ("trials", "comparisons"):
        assert set(found[name][0]) == keys(f"strategy tune: {name}")
    said = tidemill(*words)
    assert said.code == 0
    assert "Recommended: incumbent (trigger=Every('7d'))" in said.out
    assert "opened 2 times; each interval holds at 97.5 %" in said.out
    assert "read" in said.err


def test_values_and_triggers_may_be_searched_at_random(tidemill, table):
    words = ["strategy", "tune", table, *TOLD, *TERMS, "--model", "mine:train", "--json"]
    said = tidemill(*words, "--triggers", "never,performance", "--search", "random", "--trials", 3)
    assert said.code == 0
    assert said.json["search"] == "random"
    assert {"trigger", "trigger.Every.period", "trigger.Cusum.slack"} <= set(said.json["space"])
    assert 3 <= said.json["tried"] <= 5
    assert said.json["openings"]["count"] is None


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (["--space", "trigger.period"], "expected PATH=VALUES"),
        (["--space", "trigger.when=7d"], "trigger.when is no field of the strategy"),
        (["--triggers", "sometimes"], "unknown trigger 'sometimes'"),
        (["--search", "luck"], "unknown search 'luck'"),
        (["--trials", 0], "nothing is tried"),
        (["--late-from", "2030-01-01"], "the late part 0"),
        (["--strategies", "monthly"], "one strategy is tuned, not 2"),
    ],
)
def test_what_cannot_be_meant_is_one_line(tidemill, table, more, what):
    said = tidemill("strategy", "tune", table, *TOLD, *TERMS, "--model", "mine:train", *more)
    assert said.code in (1, 2)
    assert what in said.err
    assert "Fix: " in said.err
    assert said.out == ""


def test_in_a_project_its_own_strategy_is_tuned_and_nothing_is_decided(tidemill, project):
    here = ("--project", project, "--json")
    before = tidemill("check", *here).json["digest"]
    words = ["--space", "dataset.past=7d,14d", "--step", "1d", "--latency", "0s", "--workers", 1]
    found = [tidemill("strategy", "tune", *words, *here) for _ in range(2)]
    assert [f.code for f in found] == [0, 0]
    assert [f.json["openings"]["count"] for f in found] == [1, 2]
    assert tidemill("check", *here).json["digest"] == before
    assert tidemill("strategy", "tune", "--strategies", "weekly", *here).code in (1, 2)

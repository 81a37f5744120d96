"""``tidemill.backtest``: a backtest as a value in Python."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidemill
from tidemill.core.errors import BadInput, BadValue, NotFound
from tidemill.faces.report.reference import problems

START = datetime(2024, 1, 1, tzinfo=UTC)
N = 500
HOSTILE = "</td><script>alert(1)</script>"
ROW = {
    "name",
    "kind",
    "value",
    "low",
    "high",
    "against",
    "gain",
    "verdict",
    "retrains",
    "refused",
    "failed",
    "labels",
    "seconds",
    "cost",
    "opportunity",
}


def rows() -> pa.Table:
    rng = np.random.default_rng(3)
    x = rng.normal(size=N)
    turn = np.cos(np.linspace(0, 3, N))
    return pa.table(
        {
            "at": [START + timedelta(hours=2 * k) for k in range(N)],
            "x": x,
            "y": (x * turn + rng.normal(size=N) > 0).astype(int),
        }
    )


class Sign:
    """A model that says what the sign of x says."""

    classes_ = (0.0, 1.0)

    def __init__(self, sign: float) -> None:
        self.sign = sign

    def predict_proba(self, frame):
        p = 1 / (1 + np.exp(-self.sign * frame["x"].to_numpy()))
        return np.column_stack([1 - p, p])

    def predict(self, frame):
        return (self.predict_proba(frame)[:, 1] > 0.5).astype(float)


def train(dataset, _previous):
    x = dataset.to_pandas()["x"]
    return Sign(float(np.sign(np.corrcoef(x, dataset.label)[0, 1])))


def asked(history, strategies=("never", "weekly"), **more):
    how = {"time": "at", "label": "y", "label_delay": "3h", "step": "7d", "references": False}
    return tidemill.backtest(history, strategies, **{**how, **more})


@pytest.fixture(scope="module")
def found():
    return tidemill.backtest(
        rows(),
        "never, weekly",
        time="at",
        label="y",
        label_delay="3h",
        step="7d",
        dataset="14d",
        costs=tidemill.Costs(error=2.0, currency="CHF"),
    )


def test_a_row_for_each_strategy(found):
    table = found.table
    assert set(table.column_names) == ROW
    by = {row["name"]: row for row in table.to_pylist()}
    assert by["never"]["against"] is None
    assert by["weekly"]["against"] == "never"
    assert by["weekly"]["low"] <= by["weekly"]["gain"] <= by["weekly"]["high"]
    assert by["weekly"]["verdict"] == found.comparisons[0]["verdict"]
    assert by["weekly"]["cost"] > 0
    assert by["hindsight optimum"]["kind"] == "reference"


def test_the_document_is_as_documented(found):
    assert list(problems(found.to_dict())) == []
    assert found.conclusion == found.to_dict()["conclusion"]
    assert "weekly" in found.conclusion[0]


def test_it_prints_like_the_command(found):
    text = str(found)
    assert text.startswith("This is not your model: a built-in logistic regression.")
    assert "Conclusion" in text
    assert repr(found) == "<Backtest of never, weekly on your table>"


def test_a_notebook_shows_a_small_table(found):
    html = found._repr_html_()
    assert html.startswith("<div><p><strong>This is not your model")
    assert "<script" not in html
    assert html.count("<tr>") == 1 + found.table.num_rows


def test_what_users_named_is_escaped():
    own = tidemill.Strategy(training=train, name=HOSTILE, **_plain())
    shown = asked(rows(), [own, "never"])
    assert HOSTILE in [s["name"] for s in shown.to_dict()["strategies"]]
    assert "<script" not in shown._repr_html_()
    assert "&lt;script&gt;" in shown._repr_html_()


def _plain() -> dict:
    return {
        "curation": tidemill.Uniform(1000, per="7d"),
        "holdout": tidemill.Nothing(),
        "offline": tidemill.Unchecked(),
        "trigger": tidemill.Every("14d"),
    }


def test_the_page_and_the_chart(found, tmp_path):
    path = found.save_html(tmp_path / "a.html")
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "vega-lite" in found.plot().to_dict()["$schema"]


def test_any_table_is_the_same_history(tmp_path):
    table = rows()
    pq.write_table(table, tmp_path / "a.parquet")
    from_path = asked(tmp_path / "a.parquet")
    assert from_path.to_dict()["title"] == "a.parquet"
    frames = (table, table.to_pandas(), pl.from_arrow(table))
    assert isinstance(frames[1], pd.DataFrame)
    values = [asked(f).table.column("value").to_pylist() for f in frames]
    assert values == [from_path.table.column("value").to_pylist()] * 3


def test_models_and_strategies_of_ones_own():
    own = tidemill.Strategy(training=train, name="mine", **_plain())
    shown = asked(rows(), ["never", own], model=train)
    assert shown.to_dict()["model"]["yours"]
    assert [s["words"] for s in shown.to_dict()["strategies"]] == [
        "retrain once, at the start, on all labels so far",
        "retrain every 14d, on all labels so far",
    ]
    twins = asked(rows(), [own, own], model=train).table.column("name").to_pylist()
    assert twins[:2] == ["mine", "mine 2"]


def test_a_project_is_a_history(tmp_path):
    from tidemill.faces.cli import main
    from tidemill.loop.log.columns import Columns, FactColumns

    assert main(["init", str(tmp_path / "mill"), "--json"]) == 0
    (tmp_path / "mill" / "strategy.py").write_text(PROJECT)
    table = rows().append_column("id", pa.array([str(k) for k in range(N)]))
    with tidemill.open(tmp_path / "mill") as mill:
        columns = Columns(id="id", time="at", available_at="at", features=["x"])
        mill.import_records(table, columns, source="a")
        facts = FactColumns(id="id", value="y", happened_at="at", available_at="at")
        mill.import_labels(table, facts, source="a")
        inside = tidemill.backtest(mill, ["weekly"], step="7d", references=False)
    outside = tidemill.backtest(tmp_path / "mill", ["weekly"], step="7d", references=False)
    assert inside.table.column("name").to_pylist() == ["own", "weekly", "never"]
    assert inside.table.column("value") == outside.table.column("value")
    with pytest.raises(BadValue, match="says itself what its columns mean"):
        tidemill.backtest(tmp_path / "mill", label_delay="1d")


PROJECT = """
import numpy as np
from tidemill import Every, Nothing, Strategy, Unchecked, Uniform


class Always:
    classes_ = (0.0, 1.0)

    def __init__(self, sign):
        self.sign = sign

    def predict_proba(self, frame):
        p = 1 / (1 + np.exp(-self.sign * frame["x"].to_numpy()))
        return np.column_stack([1 - p, p])

    def predict(self, frame):
        return (self.predict_proba(frame)[:, 1] > 0.5).astype(float)


def train(dataset, _previous):
    return Always(float(np.sign(np.corrcoef(dataset.to_pandas()["x"], dataset.label)[0, 1])))


strategy = Strategy(
    training=train,
    trigger=Every("14d"),
    curation=Uniform(1000, per="7d"),
    holdout=Nothing(),
    offline=Unchecked(),
    name="own",
)
"""


def test_what_cannot_be_asked():
    with pytest.raises(NotFound, match="did you mean 'weekly'"):
        asked(rows(), ["weekley"])
    with pytest.raises(BadValue, match="which column is the time"):
        asked(rows(), time=None)
    with pytest.raises(BadInput, match="is no table"):
        asked(7)
    with pytest.raises(BadInput, match="cannot be read"):
        asked({"at": np.arange(3).astype("datetime64[h]"), "y": [0, 1, 0]})
    with pytest.raises(BadValue, match="no database"):
        asked(rows(), table="predictions")
    with pytest.raises(BadInput, match="would be meaningless"):
        asked(rows().slice(0, 5))


def test_importing_it_loads_nothing_heavy():
    code = (
        "import sys, tidemill; assert 'backtest' in tidemill.__all__; "
        "print(sorted({'numpy', 'pyarrow', 'pandas', 'altair', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

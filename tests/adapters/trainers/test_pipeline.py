"""The built-in model takes whatever columns a table has, and says what it is."""

from __future__ import annotations

import copy
import pickle
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tidemill.adapters.trainers.pipeline import WORDS, pipeline
from tidemill.core.errors import BadValue, MissingExtra
from tidemill.core.fingerprint import fingerprint
from tidemill.core.model import answer

FEATURES = (("x", "number"), ("c", "category"), ("s", "text"), ("t", "time"))
START = datetime(2024, 1, 1, tzinfo=UTC)


def rows(n: int = 400, *, seed: int = 0) -> pa.Table:
    """Features as the mill hands them to a model, with nulls in each of them."""
    rng = np.random.default_rng(seed)

    def holes(values):
        return [None if k % 11 == 3 else v for k, v in enumerate(values)]

    return pa.table(
        {
            "x": pa.array(holes(rng.normal(size=n).tolist()), pa.float64()),
            "c": holes([f"c{k}" for k in rng.integers(0, 4, n)]),
            "s": holes([f"word{k} and more" for k in rng.integers(0, 9, n)]),
            "t": pa.array(holes([START + timedelta(hours=int(k)) for k in range(n)])),
        }
    )


def labels(task: str, table: pa.Table):
    x = np.nan_to_num(np.array(table["x"].to_pylist(), dtype=float))
    if task == "regression":
        return 3 * x + 10
    y = (x > 0).astype(int) + (x > 1)
    return (y > 0).astype(float) if task == "binary" else np.array(["low", "mid", "high"])[y]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_it_learns_and_answers_unseen_rows(task):
    table, later = rows(), rows(seed=1)
    model = pipeline(FEATURES, task).fit(table.to_pandas(), labels(task, table))
    said, truth = answer(model, later), labels(task, later)
    if task == "regression":
        assert np.corrcoef(said.output, truth)[0, 1] > 0.9
        assert not hasattr(model, "predict_proba")
    else:
        assert (said.output == truth).mean() > 0.8
    assert np.isfinite(said.score).all() == (task == "binary")
    assert model.words == WORDS[task]
    assert "not your model" in model.words


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_it_takes_what_it_never_saw(task):
    table = rows()
    model = pipeline(FEATURES, task).fit(table.to_pandas(), labels(task, table))
    odd = pa.table(
        {
            "x": pa.array([None, 1e300, -5.0]),
            "c": ["new", None, "c1"],
            "s": [None, "", "never said"],
            "t": pa.array([None, START, START + timedelta(days=4000)]),
        }
    )
    assert len(answer(model, odd).output) == 3
    assert all(v is not None and v == v for v in answer(model, odd).output)  # noqa: PLR0124 - NaN
    assert len(answer(model, odd.select(["c"])).output) == 3
    empty = odd.schema.empty_table()
    assert len(answer(model, empty).output) == 0


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_it_fits_windows_with_hardly_anything_in_them(task):
    table = rows()
    frame, truth = table.to_pandas(), labels(task, table)
    for n in (1, 2, 5):
        model = pipeline(FEATURES, task).fit(frame[:n], truth[:n])
        assert len(model.predict(frame)) == len(frame)
    hollow = frame.assign(x=np.nan, c=None, s=None, t=pd.NaT)
    model = pipeline(FEATURES, task).fit(hollow, truth)
    assert len(set(model.predict(frame).tolist())) == 1
    part = pipeline(FEATURES, task).fit(frame.assign(x=np.nan, s=""), truth)
    assert len(part.predict(frame)) == len(frame)


def test_a_window_with_one_class_gives_a_constant():
    frame = rows().to_pandas()
    model = pipeline(FEATURES, "binary").fit(frame, np.ones(len(frame)))
    assert model.classes_.tolist() == [1.0]
    assert set(answer(model, rows()).score) == {1.0}
    model = pipeline(FEATURES, "binary").fit(frame, np.zeros(len(frame)))
    assert set(answer(model, rows()).score) == {0.0}
    model = pipeline(FEATURES, "multiclass").fit(frame, np.array(["a"] * len(frame)))
    assert set(answer(model, rows()).output) == {"a"}
    flat = pipeline(FEATURES, "regression").fit(frame, np.full(len(frame), 7.0))
    assert flat.predict(frame) == pytest.approx(7.0)


def test_weights_count():
    frame = pd.DataFrame({"x": [0.0, 0.0]})
    model = pipeline([("x", "number")], "binary")
    model.fit(frame, np.array([0.0, 1.0]), sample_weight=np.array([1.0, 3.0]))
    assert model.predict_proba(frame)[0, 1] == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_two_fits_are_the_same_and_survive_a_copy(task):
    table = rows()
    frame, truth = table.to_pandas(), labels(task, table)
    made = pipeline(FEATURES, task)
    first, again = copy.deepcopy(made).fit(frame, truth), copy.deepcopy(made).fit(frame, truth)
    assert (first.predict(frame) == again.predict(frame)).all()
    kept = pickle.loads(pickle.dumps(first))
    assert (first.predict(frame) == kept.predict(frame)).all()
    assert fingerprint(made) == fingerprint(pipeline(FEATURES, task))
    assert fingerprint(made) != fingerprint(pipeline(FEATURES[:2], task))


def test_columns_come_in_any_order_and_extra_ones_are_left():
    table = rows()
    frame, truth = table.to_pandas(), labels("binary", table)
    model = pipeline(FEATURES, "binary").fit(frame, truth)
    turned = frame[["t", "s", "c", "x"]].assign(more=1)
    assert (model.predict(turned) == model.predict(frame)).all()


def test_a_fit_is_fast():
    rng = np.random.default_rng(0)
    n = 25_000
    columns = {f"x{k}": rng.normal(size=n) for k in range(10)}
    columns |= {f"c{k}": rng.integers(0, 20 * (k + 1), n).astype(str) for k in range(4)}
    features = [(name, "number" if name[0] == "x" else "category") for name in columns]
    frame, truth = pd.DataFrame(columns), (columns["x0"] + rng.normal(size=n) > 0).astype(float)
    pipeline(features, "binary").fit(frame[:100], truth[:100])
    start = time.process_time()
    pipeline(features, "binary").fit(frame, truth)
    assert time.process_time() - start < 2  # seconds; about a quarter on an idle machine


def test_bad_ways_to_make_one(monkeypatch):
    with pytest.raises(BadValue, match="no task"):
        pipeline(FEATURES, "ranking")
    with pytest.raises(BadValue, match="no feature to learn from"):
        pipeline([], "binary")
    with pytest.raises(BadValue, match="has the kind 'image'"):
        pipeline([("x", "image")], "binary")
    monkeypatch.setitem(__import__("sys").modules, "sklearn", None)
    with pytest.raises(MissingExtra, match=r"pip install 'tidemill\[sklearn\]'"):
        pipeline(FEATURES, "binary")

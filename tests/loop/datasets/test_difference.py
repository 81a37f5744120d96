"""How datasets are compared."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from tidemill.core.records import MOMENT
from tidemill.loop.datasets import Manifest, difference

START = datetime(2024, 1, 1, tzinfo=UTC)


def manifest(names, label, *, weight=None, text=None, split=None, features=("f_a",), version=1):
    n = len(names)
    rows = pa.table(
        {
            "record_id": pa.array(names, pa.string()),
            "predicted_at": pa.array([START + k * timedelta(days=1) for k in range(n)], MOMENT),
            "label_id": pa.array([f"{i}-{version}" for i in names], pa.string()),
            "label": pa.array(label, pa.float64()),
            "label_text": pa.array([None] * n if text is None else text, pa.string()),
            "row_hash": pa.array(["h"] * n, pa.string()),
            "weight": pa.array(np.ones(n) if weight is None else weight, pa.float64()),
            "source_kind": pa.array(["human"] * n, pa.string()),
            "split": pa.array(["train"] * n if split is None else split, pa.string()),
        }
    )
    return Manifest(rows=rows.replace_schema_metadata({"tidemill.features": json.dumps(features)}))


def test_rows_kept_added_dropped_and_relabelled_are_counted_by_id():
    old = manifest(["a", "b", "c"], [0, 1, 1])
    new = manifest(["d", "c", "b", "e"], [0, 0, 1, 1], version=2)
    found = difference(old, new)
    assert found["rows"] == {"before": 3, "after": 4}
    assert [found[k] for k in ("kept", "added", "dropped", "relabelled")] == [2, 2, 1, 2]
    same = difference(old, old)
    assert [same[k] for k in ("kept", "added", "dropped", "relabelled")] == [3, 0, 0, 0]
    assert json.loads(json.dumps(found)) == found


def test_only_rows_to_train_on_are_compared():
    old = manifest(["a", "b"], [0, 1], split=["train", "test"])
    new = manifest(["a", "b"], [0, 1])
    found = difference(old, new)
    assert (found["rows"], found["added"]) == ({"before": 1, "after": 2}, 1)


def test_classes_are_compared_by_their_weighted_shares():
    old = manifest(["a", "b"], [0, 2], weight=[1.0, 3.0])
    new = manifest(["a", "b"], [0, 1])
    assert difference(old, new)["label"] == {
        "before": {"shares": {"0": 0.25, "1": 0.0, "2": 0.75}, "others": 0.0},
        "after": {"shares": {"0": 0.5, "1": 0.5, "2": 0.0}, "others": 0.0},
    }


def test_texts_are_classes_and_the_rarest_of_very_many_are_summed_up():
    names = [f"r{k}" for k in range(300)]
    text = ["often"] * 100 + [f"once {k}" for k in range(200)]
    told = difference(None, manifest(names, [None] * 300, text=text))["label"]
    assert told["before"] is None
    assert len(told["after"]["shares"]) == 100
    assert told["after"]["shares"]["often"] == pytest.approx(1 / 3, abs=1e-6)
    assert told["after"]["others"] == pytest.approx(101 / 300, abs=1e-6)


def test_many_numbers_are_compared_by_mean_and_sd():
    rng = np.random.default_rng(1)
    names, label, weight = [f"r{k}" for k in range(50)], rng.normal(size=50), rng.uniform(1, 2, 50)
    few = manifest(["a", "b"], [1, 2])
    told = difference(few, manifest(names, label, weight=weight))["label"]
    mean = np.average(label, weights=weight)
    assert told["before"] == {"mean": 1.5, "sd": 0.5}
    assert told["after"]["mean"] == float(f"{mean:.9g}")
    assert told["after"]["sd"] == pytest.approx(np.sqrt(np.average((label - mean) ** 2, weights=weight)))  # fmt: skip


def test_span_effective_number_and_features_are_told():
    old = manifest(["a", "b"], [0, 1], features=("f_a", "f_b"))
    new = manifest(["a", "b", "c"], [0, 1, 1], weight=[10, 1, 1], features=("f_b", "f_c"))
    found = difference(old, new)
    assert found["span"]["after"] == ["2024-01-01T00:00:00+00:00", "2024-01-03T00:00:00+00:00"]
    assert found["effective"] == {"before": 2.0, "after": 1.4}
    assert found["features"] == {"gained": ["c"], "lost": ["a"]}


def test_nothing_before_and_nothing_now_is_none_and_not_a_number():
    empty = manifest([], [])
    found = difference(None, empty)
    assert found["rows"] == {"before": None, "after": 0}
    assert found["span"] == {"before": None, "after": None}
    assert found["effective"] == {"before": None, "after": 0.0}
    assert found["features"] == {"gained": [], "lost": []}
    zero = difference(empty, manifest(["a"], [1], weight=[0.0]))
    assert (zero["added"], zero["label"]["after"]) == (1, {"shares": {}, "others": 0.0})


def test_a_manifest_that_was_stored_compares_like_the_one_that_was_formed():
    old, new = manifest(["a", "b"], [0, 1]), manifest(["b", "c"], [1, 1], features=("f_a", "f_z"))
    again = Manifest.from_bytes(new.to_bytes())
    assert difference(old, again) == difference(old, new)
    assert difference(old, again)["features"]["gained"] == ["z"]

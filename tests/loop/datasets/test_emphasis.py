"""What is emphasised counts in training only; a test is of the population as it is."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.stores.memory import MemoryEvents
from tidemill.core.as_of import AsOf
from tidemill.core.ports import Snapshot
from tidemill.core.rules import Past
from tidemill.loop.datasets import All, Balanced, Fading, Newest, Nothing, Replayed, form
from tidemill.loop.offline.at_least import AtLeast
from tidemill.loop.offline.comparison import compare_on
from tidemill.measures import Accuracy
from tidemill.testing import data

ENGINE = DuckDBEngine()
HOLDOUT = Newest(share=0.3, at_least=10, days=6)


@pytest.fixture(scope="module")
def reservoir():
    """120 rows over 40 days, of unequal weights."""
    rows = data.reservoir(data.records())
    label = pa.array([float(k % 4 != 0) for k in range(rows.num_rows)])
    weight = pa.array(np.random.default_rng(3).uniform(1, 5, rows.num_rows))
    rows = rows.set_column(rows.column_names.index("label"), "label", label)
    return rows.set_column(rows.column_names.index("weight"), "weight", weight)


def manifest(rule, rows, holdout=HOLDOUT):
    table = ENGINE.table(Snapshot(schema=rows.schema, arrow=rows))
    view = AsOf(MemoryEvents(), ENGINE, data.NOW)
    return form(view, rule(table, Past(now=data.NOW)), holdout).rows


def parts(rows):
    """Weights by record, of what is learnt from and of what is tested on."""
    found = {"train": {}, "test": {}}
    for row in rows.to_pylist():
        found[row["split"]][row["record_id"]] = row["weight"]
    return found["train"], found["test"]


def test_under_fading_rows_to_test_on_keep_their_weights_and_those_to_train_on_fade(reservoir):
    plain, fading = manifest(All(), reservoir), manifest(Fading("5d"), reservoir)
    assert fading.column_names == plain.column_names
    (whole, tested), (faded, kept) = parts(plain), parts(fading)
    assert kept == tested
    assert len(kept) >= 10
    at = dict(zip(plain["record_id"].to_pylist(), plain["predicted_at"].to_pylist(), strict=True))
    lives = {k: (data.NOW - at[k]) / timedelta(days=5) for k in whole}
    assert faded == pytest.approx({k: w * 0.5 ** lives[k] for k, w in whole.items()}, rel=1e-5)


def test_a_gate_under_fading_measures_the_population_as_it_is(reservoir):
    """A model that is right on the older half of its test: fading would make it look bad."""
    rows = manifest(Fading("2d"), reservoir)
    test = rows.filter(pa.array([s == "test" for s in rows["split"].to_pylist()]))
    right = np.arange(test.num_rows) < test.num_rows // 2
    label = test["label"].to_numpy()
    said = {"output": np.where(right, label, 1 - label), "score": np.zeros(test.num_rows)}
    finding = AtLeast(Accuracy(), 0.1)(compare_on(test, {"candidate": said}, look=1))
    measured = dict(finding.estimates)["candidate"].value
    place = {k: i for i, k in enumerate(reservoir["record_id"].to_pylist())}
    weight = reservoir["weight"].to_numpy()[[place[k] for k in test["record_id"].to_pylist()]]
    assert measured == pytest.approx(np.average(right, weights=weight))
    assert 0.3 < measured < 0.7


@pytest.mark.parametrize(
    ("rule", "same"),
    [
        (Balanced("label", 20, reweight=False), Balanced("label", 20)),
        (Replayed("12d", 30, reweight=False), Replayed("12d", 30)),
    ],
)
def test_a_sample_that_leans_is_tested_as_one_that_does_not(reservoir, rule, same):
    (leaning, tested), (level, kept) = (parts(manifest(r, reservoir)) for r in (rule, same))
    assert tested == kept
    assert len(kept) >= 10
    given = dict(zip(reservoir["record_id"].to_pylist(), reservoir["weight"].to_pylist(), strict=True))  # fmt: skip
    assert leaning == pytest.approx({k: given[k] for k in leaning})
    assert leaning.keys() == level.keys()
    assert leaning != pytest.approx(level)


def test_a_test_under_balance_sees_classes_as_often_as_they_are(reservoir):
    rows = manifest(Balanced("label", 25, reweight=False), reservoir)
    learnt, tested = (rows.filter(pa.array([s == k for s in rows["split"].to_pylist()]))
                      for k in ("train", "test"))  # fmt: skip
    share = {}
    for name, part in (("learnt", learnt), ("tested", tested)):
        share[name] = np.average(part["label"].to_numpy(), weights=part["weight"].to_numpy())
    assert share["tested"] == pytest.approx(0.75, abs=0.12)
    assert share["learnt"] == pytest.approx(0.5, abs=0.12)


def test_an_emphasis_of_whole_numbers_counts_too_and_without_one_nothing_changes(reservoir):
    def twice(rows, past):
        return rows.mutate(emphasis=2)

    plain, doubled = (parts(manifest(r, reservoir, Nothing()))[0] for r in (All(), twice))
    assert doubled == {k: 2 * w for k, w in plain.items()}
    given = zip(reservoir["record_id"].to_pylist(), reservoir["weight"].to_pylist(), strict=True)
    assert plain == dict(given)

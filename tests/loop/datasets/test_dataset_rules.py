"""What each dataset rule selects, with which weights; evaluated on the embedded engine."""

from __future__ import annotations

from datetime import timedelta

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.core.draws import draws
from tidemill.core.errors import BadInput, BadValue
from tidemill.core.ports import Snapshot
from tidemill.core.records import MOMENT
from tidemill.core.rules import Past
from tidemill.loop.datasets import (
    All,
    Balanced,
    Fading,
    Latest,
    New,
    Nothing,
    Recent,
    Replayed,
    SinceChange,
)
from tidemill.measures import Cohort, Projection
from tidemill.testing import data

ENGINE = DuckDBEngine()
DAY = timedelta(days=1)
NEEDED = ["record_id", "predicted_at", "u_split", "label_id", "label", "label_text", "weight", "f_number"]  # fmt: skip


def put(rows, **columns):
    for name, values in columns.items():
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(values))
    return rows


@pytest.fixture(scope="module")
def reservoir():
    """120 rows, three a day over 40 days, each with weight 2; labels 0 and 1, the first rarer."""
    rows = data.reservoir(data.records())
    return put(rows, label=[float(k % 4 != 0) for k in range(rows.num_rows)])


def formed(rule, rows, **past):
    expression = rule(
        ENGINE.table(Snapshot(schema=rows.schema, arrow=rows)), Past(now=data.NOW, **past)
    )
    found = ENGINE.arrow(expression)
    assert set(found.column_names) - {"emphasis"} == set(rows.column_names) - {"day"}
    return found.sort_by("record_id")


def learnt(found):
    """The weights in training."""
    return found["weight"].to_numpy() * found["emphasis"].to_numpy()


def ids(rows):
    return sorted(rows["record_id"].to_pylist())


def since(rows, at):
    return ids(rows.filter(pc.greater_equal(rows["predicted_at"], pa.scalar(at, MOMENT))))


def first_by_draw(rows, n):
    order = rows.sort_by([("u_split", "ascending"), ("record_id", "ascending")])
    return ids(order.slice(0, n))


def test_latest_takes_the_newest_and_among_equals_the_highest_id(reservoir):
    assert ids(formed(Latest(5), reservoir)) == [f"r{k:04d}" for k in range(115, 120)]
    assert len(formed(Latest(500), reservoir)) == 120
    tied = put(reservoir, predicted_at=pa.array([data.NOW - DAY] * 120, MOMENT))
    assert ids(formed(Latest(5), tied)) == [f"r{k:04d}" for k in range(115, 120)]


def test_replayed_takes_all_recent_rows_and_the_smallest_draws_of_the_older(reservoir):
    found = formed(Replayed("7d", 20), reservoir)
    recent = since(reservoir, data.NOW - 7 * DAY)
    older = reservoir.filter(pc.invert(pc.is_in(reservoir["record_id"], pa.array(recent))))
    assert (len(recent), len(older)) == (21, 99)
    assert ids(found) == sorted(recent + first_by_draw(older, 20))
    weight = dict(zip(found["record_id"].to_pylist(), found["weight"].to_pylist(), strict=True))
    assert {weight[i] for i in recent} == {2.0}
    assert {weight[i] for i in set(weight) - set(recent)} == {2.0 * 99 / 20}
    plain = formed(Replayed("7d", 20, reweight=False), reservoir)
    assert plain.drop_columns(["emphasis"]).equals(found)
    np.testing.assert_allclose(learnt(plain), 2.0, rtol=1e-15)


def test_replayed_with_fewer_old_rows_than_it_may_keep_is_everything_as_it_was(reservoir):
    assert formed(Replayed("7d", 99), reservoir).equals(formed(All(), reservoir))


def test_a_sample_stays_as_it_was_but_for_what_is_new(reservoir):
    old, new = reservoir.slice(0, 80), reservoir.slice(0, 84)
    rule = Balanced(Projection("all", lambda rows: rows.f_text.isnull()), 30)
    first, second = set(ids(formed(rule, old))), set(ids(formed(rule, new)))
    assert len(first & second) >= 26


def test_fading_halves_the_weight_with_each_half_life(reservoir):
    found = formed(Fading("5d", past="20d"), reservoir)
    assert ids(found) == since(reservoir, data.NOW - 20 * DAY)
    at = found["predicted_at"].to_numpy().astype("datetime64[us]")
    now = np.datetime64(data.NOW.replace(tzinfo=None), "us")
    age = (now - at) / np.timedelta64(1, "D")
    np.testing.assert_allclose(found["emphasis"].to_numpy(), 0.5 ** (age / 5), rtol=1e-5)
    assert set(found["weight"].to_pylist()) == {2.0}


def test_fading_never_takes_a_row_for_nothing_nor_adds_to_one(reservoir):
    at = [data.NOW + DAY] * 60 + [data.NOW - 39 * DAY] * 60
    found = formed(Fading("1s"), put(reservoir, predicted_at=pa.array(at, MOMENT)))
    assert set(found["emphasis"].to_pylist()) == {1.0, 2.0**-1000}


def test_balanced_takes_at_most_n_of_each_class_by_its_draw_and_makes_up_for_it(reservoir):
    found = formed(Balanced("label", 25), reservoir)
    for label, total in ((0.0, 30), (1.0, 90)):
        kept = found.filter(pc.equal(found["label"], label))
        of_it = reservoir.filter(pc.equal(reservoir["label"], label))
        assert len(of_it) == total
        assert ids(kept) == first_by_draw(of_it, 25)
        assert set(kept["weight"].to_pylist()) == {2.0 * (total / 25)}
    assert pc.sum(found["weight"]).as_py() == pytest.approx(240)
    plain = formed(Balanced("label", 25, reweight=False), reservoir)
    assert plain.drop_columns(["emphasis"]).equals(found)
    np.testing.assert_allclose(learnt(plain), 2.0, rtol=1e-15)


def test_balanced_takes_texts_for_classes_too(reservoir):
    texts = put(reservoir, label=pa.nulls(120, pa.float64()), label_text=["ja", "nein", "ja"] * 40)
    found = formed(Balanced("label", 10), texts)
    assert sorted(found["label_text"].to_pylist()) == ["ja"] * 10 + ["nein"] * 10


def test_balanced_by_cohorts_takes_each_combination_and_null_for_outside(reservoir):
    high = Cohort("high", lambda rows: rows.f_number > 0)
    is_a = Cohort("a", lambda rows: rows.f_text == "a")
    number = reservoir["f_number"].to_numpy().copy()
    number[:30] = np.nan
    rows = put(reservoir, f_number=pa.array(number, from_pandas=True))
    found = formed(Balanced([high, is_a], 6), rows)
    kinds = list(zip(found["f_number"].to_pylist(), found["f_text"].to_pylist(), strict=True))
    counts = {}
    for value, text in kinds:
        kind = (value is not None and value > 0, text == "a")
        counts[kind] = counts.get(kind, 0) + 1
    assert counts == dict.fromkeys([(False, False), (False, True), (True, False), (True, True)], 6)


def test_balanced_by_a_projection_within_a_past(reservoir):
    text = Projection("text", lambda rows: rows.f_text)
    found = formed(Balanced(text, 4, past="10d"), reservoir)
    assert set(ids(found)) <= set(since(reservoir, data.NOW - 10 * DAY))
    assert sorted(found["f_text"].to_pylist()) == ["a"] * 4 + ["b"] * 4 + ["c"] * 4
    assert set(found["weight"].to_pylist()) == {2.0 * 10 / 4}


def test_a_cohort_over_a_feature_that_is_not_there_is_a_clear_error(reservoir):
    with pytest.raises(BadInput, match=r"cohort 'old'.*f_age"):
        formed(Balanced(Cohort("old", lambda rows: rows.f_age > 60), 5), reservoir)


@pytest.mark.parametrize(
    ("rule", "change", "start"),
    [
        (SinceChange(), None, 99),
        (SinceChange(at_most="30d"), None, 30),
        (SinceChange(), 20, 20),
        (SinceChange(), 3, 14),
        (SinceChange(at_least="2d"), 3, 3),
        (SinceChange(at_most="30d"), 35, 30),
    ],
)
def test_since_change_reaches_back_to_the_change_within_its_bounds(reservoir, rule, change, start):
    past = {} if change is None else {"last_change": data.NOW - change * DAY}
    assert ids(formed(rule, reservoir, **past)) == since(reservoir, data.NOW - start * DAY)


def test_since_change_refuses_bounds_in_the_wrong_order():
    with pytest.raises(BadValue, match="at_least is longer than at_most"):
        SinceChange(at_least="30d", at_most="7d")


def test_new_takes_each_row_once_when_labels_are_final_after_the_delay(reservoir):
    """What two retrains learn from, a week apart, is what there is, and nothing twice."""
    rule, delay = New(delay="3d"), 3 * DAY
    then = data.NOW - 7 * DAY

    def final(now):
        return reservoir.filter(
            pc.less_equal(reservoir["predicted_at"], pa.scalar(now - delay, MOMENT))
        )

    first, second = (
        formed(All(), final(then)),
        formed(rule, final(data.NOW), champion_triggered=then),
    )
    assert sorted(ids(first) + ids(second)) == ids(final(data.NOW))
    assert len(second) == 21


def test_what_a_refused_candidate_learnt_is_new_again(reservoir):
    past = {"last_triggered": data.NOW - DAY, "champion_triggered": data.NOW - 9 * DAY}
    found = ids(formed(New(), reservoir, **past))
    assert set(since(reservoir, data.NOW - 9 * DAY)) >= set(found)
    assert len(found) == 27
    assert ids(formed(New(), reservoir, last_triggered=data.NOW - DAY)) == ids(reservoir)


def test_new_takes_what_arrived_late_and_at_least_so_much(reservoir):
    last = data.NOW - 2 * DAY
    arrived = [data.NOW - DAY, *reservoir["available_at"].to_pylist()[1:]]
    late = put(reservoir, available_at=pa.array(arrived, MOMENT))
    found = ids(formed(New(), late, champion_triggered=last))
    assert "r0000" in found
    # A row predicted at that very moment was there already; it arrived a minute later.
    assert len(found) == 1 + len(since(reservoir, last))
    wide = ids(formed(New(at_least="10d"), reservoir, champion_triggered=last))
    assert wide == since(reservoir, data.NOW - 10 * DAY)
    assert ids(formed(New(), reservoir)) == ids(reservoir)


@pytest.mark.parametrize("dialect", ["postgres", "snowflake", "bigquery", "trino", "clickhouse"])
def test_other_engines_understand_every_rule(reservoir, dialect):
    rows = ibis.table(ibis.Schema.from_pyarrow(reservoir.schema), name="reservoir")
    past = Past(now=data.NOW, champion_triggered=data.NOW - DAY, last_change=data.NOW - DAY)
    for kind in (All, Balanced, Fading, Latest, New, Recent, Replayed, SinceChange):
        for rule in kind.examples():
            assert "SELECT" in str(ibis.to_sql(rule(rows, past), dialect=dialect))


def test_nothing_holds_nothing_out():
    at = np.arange("2024-01-01", "2024-02-01", dtype="datetime64[h]").astype("datetime64[us]")
    assert not Nothing()(at).any()
    assert Nothing()(at).shape == at.shape


def test_rules_say_whether_they_look_at_more_than_the_rows():
    told = [rule for rule in (All(), Recent("7d"), Latest(3), Fading("7d"), Replayed("7d", 3),
                              Balanced("label", 3)) if not rule.remembers]  # fmt: skip
    assert len(told) == 6
    assert all(rule.remembers for rule in (New(), SinceChange()))


@pytest.mark.parametrize("by", ["labels", None, (), Cohort, ["label"]])
def test_balanced_refuses_what_makes_no_kinds(by):
    with pytest.raises(BadValue, match="'label', or one or more cohorts or projections"):
        Balanced(by, 3)


def again_and_again(rule, rows, runs):
    """Form a dataset over other draws each time; the expression is compiled only once."""
    connection = ibis.duckdb.connect()
    connection.raw_sql("SET TimeZone = 'UTC'")
    connection.create_table("t", rows.select(NEEDED))
    query = connection.compile(rule(connection.table("t"), Past(now=data.NOW)))
    for run in range(runs):
        drawn = put(rows, u_split=draws(f"salt {run}", rows["record_id"].to_pylist())["u_split"])
        connection.con.register("drawn", drawn.select(NEEDED))
        connection.con.execute("CREATE OR REPLACE TABLE t AS SELECT * FROM drawn")
        yield connection.con.execute(query).to_arrow_table()


@pytest.mark.parametrize(
    "rule", [Replayed("7d", 15), Balanced("label", 12), Balanced("label", 12, reweight=False)]
)
def test_the_weights_of_samples_are_unbiased(reservoir, rule):
    """Horvitz-Thompson over 150 draws, base weights unequal: totals within 4 standard errors."""
    rng = np.random.default_rng(20)
    weight = rng.uniform(1, 5, 120)
    value = reservoir["f_number"].to_numpy() + reservoir["label"].to_numpy()
    reservoir = put(reservoir, weight=weight, f_number=value)
    means, sizes = [], []
    for found in again_and_again(rule, reservoir, 150):
        means.append(found["weight"].to_numpy() @ found["f_number"].to_numpy() / weight.sum())
        sizes.append(len(found))
    truth = weight @ value / weight.sum()
    error = np.std(means, ddof=1) / np.sqrt(len(means))
    assert len(set(sizes)) == 1
    assert error > 0.001
    assert abs(np.mean(means) - truth) < 4 * error

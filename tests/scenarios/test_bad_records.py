"""Records as they should not be: each has its answer, and it is counted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tidemill.core.errors import TidemillError
from tidemill.core.ports import Parcel

AT = datetime(2024, 1, 1, tzinfo=UTC)


def rows(n=3, **columns):
    base = {"record_id": [f"r{k}" for k in range(n)], "at": [AT] * n, "x": [1.0] * n}
    return {**base, **columns}


def stored(mill, feature):
    table = mill.table("records")
    return dict(zip(table["record_id"].to_pylist(), table[f"f_{feature}"].to_pylist(), strict=True))


def test_a_missing_column_reads_as_null_and_an_extra_one_is_a_new_feature_and_both_are_told(small):
    mill = small()
    mill.records(rows(y=["a"] * 3))
    counts = mill.records(rows(record_id=["a", "b", "c"], z=[1, 2, 3]))
    assert counts.accepted == 3
    assert set(counts.notes) == {"new feature 'z' (number)", "no column for y: null there"}
    assert stored(mill, "y")["a"] is None


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ({"x": ["1", "two", None]}, "x: expected a finite number, got 'two'"),
        ({"x": [1.0, float("inf"), 2.0]}, "x: expected a finite number, got inf"),
        ({"x": ["1", "-inf", "2"]}, "x: expected a finite number, got '-inf'"),
        ({"x": [1, 2**53 + 2, 2]}, "x: expected a finite number, got 9007199254740994"),
        ({"x": ["1", "9007199254740993", "2"]}, "x: expected a finite number, got '9007199"),
        ({"x": [1, [2], 3]}, None),
        ({"x": [None, {"a": 1}, None]}, "x: expected a finite number, got {'a': 1}"),
        ({"x": [None, [2.0], None]}, "x: expected a finite number, got [2.0]"),
        ({"x": [None, b"\xff", None]}, "x: expected a finite number, got b'\\xff'"),
        ({"x": [None, AT, None]}, "x: expected a finite number, got datetime"),
        ({"new": [None, {"a": 1}, None]}, "feature 'new' holds struct<a: int64>: make it numb"),
        ({"new": [None, ["a"], None]}, "feature 'new' holds list<item: string>: make it numb"),
        ({"new": [None, b"a", None]}, "feature 'new' holds binary: make it numbers, text"),
        ({"X": [None, 1.0, None]}, "feature 'X' differs from the feature 'x' only in case"),
        ({"()": [None, 1.0, None]}, "feature '()' has no letter or digit in its name: rename"),
        ({"a b": [1.0] * 3, "a_b": [None, 1.0, None]}, "feature 'a_b' is kept as 'a_b', as is an"),
        ({"record_id": ["a", None, "b"]}, "record_id: the id is missing"),
        ({"record_id": ["a", "  ", "b"]}, "record_id: the id is empty"),
        ({"record_id": [1.0, float("nan"), 2.0]}, "record_id: the id is missing"),
        ({"at": [AT, AT + timedelta(days=1), AT]}, "at: predicted in the future"),
        ({"at": [AT, None, AT]}, "at: the time is missing"),
        ({"at": [f"{AT}", "2024-01-01 00:00", f"{AT}"]}, "at: expected a time with a zone (or s"),
        ({"at": [f"{AT}", "soon", f"{AT}"]}, "at: expected a time with a zone (or say --timezone)"),
        ({"when": [AT, AT + timedelta(days=1), AT]}, "when: arrives in the future"),
        ({"when": [AT, None, AT]}, "when: the arrival is missing"),
    ],
)  # fmt: skip
def test_a_row_that_does_not_fit_is_set_aside_with_the_reason_and_the_others_stay(
    small, column, reason
):
    mill = small()
    mill.records({"record_id": ["first"], "at": [AT], "x": [0.5]})
    how = {"available_at": "when"} if "when" in column else {}
    if reason is None:
        with pytest.raises(TidemillError, match=r"Fix: give every column values of one type"):
            mill.records(rows(**column))
        return
    counts = mill.records(rows(**column), **how)
    assert (counts.accepted, counts.quarantined) == (2, 1)
    (said,) = counts.reasons
    assert said.startswith(reason)
    aside = mill.table("quarantine").to_pylist()
    assert [r["reason"] for r in aside] == [said]
    assert set(json.loads(aside[0]["row"])) >= {"record_id", "at", "x"}
    assert mill.problems() == []


def test_a_number_in_a_column_of_texts_is_read_as_text(small):
    mill = small()
    mill.records(rows(c=["a", "b", "c"]))
    assert mill.records(rows(record_id=["a", "b", "c"], c=[1, 2.5, None])).accepted == 3
    found = stored(mill, "c")
    assert (found["a"], found["b"], found["c"]) == ("1", "2.5", None)


def test_nan_is_missing_and_stays_so(small):
    mill = small()
    counts = mill.records(rows(x=[float("nan"), 2.0, 3.0]))
    assert counts.accepted == 3
    assert stored(mill, "x")["r0"] is None


def test_times_without_a_zone_are_taken_when_the_zone_is_said(small):
    mill = small(start=AT + timedelta(days=1))
    table = rows(at=[datetime(2024, 1, 1, 3)] * 3)  # noqa: DTZ001 - the point
    refused = mill.records(table)
    assert (refused.accepted, refused.quarantined) == (0, 3)
    assert mill.records(table, timezone="America/New_York").accepted == 3
    assert mill.table("records")["predicted_at"][0].as_py() == datetime(2024, 1, 1, 8, tzinfo=UTC)
    with pytest.raises(TidemillError, match=r"Fix: use a name like UTC or America/New_York"):
        mill.records(rows(), timezone="Mars/Olympus")


@pytest.mark.parametrize(
    "odd",
    [
        pa.array([10**15, 0, 10**12], pa.timestamp("s", "UTC")),
        pa.array([2**62, 0, -(2**62)], pa.timestamp("us", "UTC")),
        pa.array([2**30, 0, -(2**30)], pa.date32()),
        pa.array([2**60, 0, -(2**60)], pa.timestamp("ms")),
    ],
)
def test_a_time_that_no_calendar_has_is_set_aside_even_if_it_cannot_be_printed(small, odd):
    mill = small()
    counts = mill.records(pa.table(rows()).set_column(1, "at", odd), timezone="UTC")
    assert (counts.accepted, counts.quarantined) == (1, 2)


def test_the_same_id_with_the_same_content_is_there_already(small):
    mill = small()
    first = mill.records(rows(record_id=["a", "a", "b"]))
    assert (first.accepted, first.already) == (2, 1)
    again = mill.records(rows(record_id=["a", "b", "c"]))
    assert (again.accepted, again.already) == (1, 2)


def test_the_same_id_with_other_content_is_set_aside_whether_in_one_file_or_across(small):
    mill = small()
    one = mill.records(rows(record_id=["a", "a", "b"], x=[1.0, 2.0, 1.0]))
    assert one.reasons == {"the same id stands earlier in the file with other content": 1}
    two = mill.records({"record_id": ["b"], "at": [AT], "x": [9.0]})
    assert two.reasons == {"the id is already logged with other content": 1}
    assert mill.table("quarantine")["source"].to_pylist() == ["file", "file"]


def test_the_same_id_a_year_later_is_set_aside_too(small):
    mill = small(start=AT + timedelta(days=400))
    mill.records(rows())
    later = mill.records(rows(at=[AT + timedelta(days=365)] * 3))
    assert later.reasons == {"the id is already logged with other content": 3}
    assert mill.problems() == []


def test_an_id_that_came_by_the_spool_is_known_to_an_import_and_the_reverse(small):
    mill = small()
    columns = {"prefix": "feature:"}
    table = pa.table({"record_id": ["r0"], "predicted_at": [AT], "feature:x": [1.0]})
    mill.world.inbox.put(
        Parcel(table="records", rows=table, columns=columns, writer="w", sequence=1, source="log")
    )
    mill.run()
    counts = mill.records(rows())
    assert (counts.accepted, counts.already) == (2, 1)


def test_importing_the_same_file_again_changes_nothing_not_even_the_quarantine(small):
    mill = small()
    table = rows(x=["1", "two", "3"])
    once = mill.records(rows(x=[0.0] * 3, record_id=["a", "b", "c"]))
    once = mill.records(table)
    versions = {t: mill.world.events.version(t) for t in ("records", "quarantine")}
    twice = mill.records(table)
    assert (once.accepted, once.quarantined) == (2, 1)
    assert (twice.accepted, twice.already, twice.quarantined) == (0, 2, 1)
    assert versions == {t: mill.world.events.version(t) for t in versions}
    ledger = [r for r in mill.world.state.rows("intake") if r["quarantined"]]
    assert len(ledger) == 1


def test_features_with_names_of_our_own_columns_are_features_like_others(small, week):
    names = ("model", "day", "score", "record_id", "label", "weight", "label_text", "u_label",
             "predicted_at", "available_at", "pi", "select", "f_x", 'quo"te', "dot.ted", "ünï")  # fmt: skip
    mill = small()
    seen = []
    mill.with_strategy(training=lambda data, _: seen.append(data.features) or Answer())
    records, labels = (pa.concat_tables(t) for t in zip(week(0), week(1), strict=True))
    features = pa.table({f"feature:{n}": records["x"] for n in names})
    rows = features.append_column("record_id", records["record_id"])
    rows = rows.append_column("predicted_at", records["at"])
    mill.clock.move_to(AT + timedelta(days=15))
    mill.world.inbox.put(Parcel(table="records", rows=rows, columns={"prefix": "feature:"},
                                writer="w", sequence=1, source="log"))  # fmt: skip
    mill.labels(labels, happened_at="done", available_at="done")
    mill.run()
    mill.run(days=8)
    assert mill.counts[0].waiting == 600
    assert sorted(seen[-1].column_names) == sorted(names)
    assert mill.world.state.front().version == "v1"
    assert mill.problems() == []


class Answer:
    classes_ = (0.0, 1.0)

    def predict_proba(self, frame):
        p = 1 / (1 + np.exp(-2 * frame["label"].to_numpy()))
        return np.column_stack([1 - p, p])

    def predict(self, frame):
        return (frame["label"] > 0).astype(float)


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"record_id": pa.array([], pa.string()), "at": pa.array([], pa.string())}),
        pa.table({"record_id": pa.array([], pa.null()), "at": pa.array([], pa.null()),
                  "x": pa.array([], pa.null())}),
        pd.DataFrame({"record_id": [], "at": [], "x": []}),
    ],
)  # fmt: skip
def test_a_table_without_rows_is_taken_in_and_changes_nothing(small, table):
    counts = small().records(table)
    assert (counts.seen, counts.quarantined) == (0, 0)


def test_a_table_without_the_columns_it_needs_is_refused_with_the_nearest_name(small):
    with pytest.raises(TidemillError, match=r"unknown column 'at'.*Fix: Known: none yet"):
        small().records(pa.table({}))
    with pytest.raises(TidemillError, match=r"did you mean 'recordid'"):
        small().records({"recordid": ["a"], "at": [AT]})
    with pytest.raises(TidemillError, match=r"the column 'x' is there more than once. Fix: rename"):
        small().records(pa.Table.from_arrays([pa.array([1])] * 2, names=["x", "x"]))
    with pytest.raises(TidemillError, match=r"'y', which is no feature"):
        small().records(rows(), known={"y": "at"})
    with pytest.raises(TidemillError, match=r"int is no table"):
        small().records(3)


def test_a_record_without_any_feature_is_a_record(small):
    counts = small().records({"record_id": ["a"], "at": [AT]})
    assert counts.accepted == 1


@pytest.mark.parametrize("make", [pa.table, pd.DataFrame, pl.DataFrame, dict,
                                  lambda t: pd.DataFrame(t).to_dict("records")])  # fmt: skip
def test_every_kind_of_table_gives_the_same_rows(small, make):
    given = {"record_id": ["a", "b"], "at": [AT, AT], "x": [1.5, 2.5], "c": ["u", "v"],
             "k": [1, 2]}  # fmt: skip
    one, two = small(), small()
    one.records(pa.table(given))
    counts = two.records(make(given))
    assert counts.accepted == 2
    hashes = [m.table("records")["row_hash"].to_pylist() for m in (one, two)]
    assert hashes[0] == hashes[1]


def test_a_batch_that_cannot_be_read_at_all_is_set_aside_whole_and_the_mill_turns_on(small):
    mill = small()
    rows = pa.Table.from_arrays([pa.array(["a"])] * 2, names=["record_id", "record_id"])
    mill.world.inbox.put(Parcel(table="labels", rows=rows.rename_columns(["record_id", "v"]),
                                columns={"value": "nowhere"}, writer="w", sequence=1, source="log"))  # fmt: skip
    mill.run()
    (aside,) = mill.table("quarantine").to_pylist()
    assert aside["reason"].startswith("unknown column 'nowhere'.")
    assert mill.world.state.rows("intake")[0]["quarantined"] == 1
    assert not mill.run()[0].steps


def test_a_thousand_different_reasons_are_counted_without_being_listed(small):
    mill = small()
    mill.records(rows())
    n = 1000
    counts = mill.records(rows(n=n, record_id=[f"n{k}" for k in range(n)],
                               x=[f"t{k}" for k in range(n)]))  # fmt: skip
    assert counts.quarantined == n
    assert len(counts.reasons) == 21
    assert counts.reasons["other reasons, see the quarantine"] == n - 20

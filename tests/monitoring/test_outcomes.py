"""What users did with the answers: one row a record, whatever came back and how often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import ibis
import pyarrow as pa
import pytest

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.core.errors import BadInput
from tidemill.core.ports import Snapshot
from tidemill.core.records import FEEDBACK, LABELS, RECORDS, conform
from tidemill.monitoring.outcomes import Coverage, FeedbackMean, FeedbackRate, Lag, joined

ENGINE = DuckDBEngine()
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KIND = 'it\'s "thumbs" 👍'


def table(schema, rows):
    made = conform(pa.Table.from_pylist(rows), schema) if rows else schema.empty_table()
    return ENGINE.table(Snapshot(schema=schema, arrow=made))


RECORD_ROWS = table(RECORDS, [{"record_id": i, "predicted_at": NOON} for i in "abcde"])


def said(i, kind, value, hours, key="1"):
    at = NOON + hours * HOUR
    return {"record_id": i, "kind": kind, "value": value, "available_at": at, "feedback_id": key}


GIVEN = [
    said("a", KIND, 0.0, 1),
    said("a", KIND, 1.0, 50),  # changed their mind
    said("b", KIND, 0.0, 2),
    said("b", KIND, 1.0, 2, "2"),  # at the same moment: the later id
    said("c", KIND, None, 3),  # said something, without a number
    said("d", "click", 1.0, 100),
    said("elsewhere", KIND, 1.0, 1),
]
LABEL_ROWS = [
    {"record_id": "a", "available_at": NOON + 10 * HOUR, "label": 1.0},
    {"record_id": "a", "available_at": NOON + 20 * HOUR, "label": 0.0},
    {"record_id": "e", "available_at": NOON + 40 * HOUR, "label": 1.0},
]


@pytest.fixture(scope="module")
def rows():
    facts = table(FEEDBACK, GIVEN), table(LABELS, LABEL_ROWS)
    return joined(RECORD_ROWS, *facts, kinds=[KIND, "click", "never"])


def test_there_is_one_row_a_record_with_the_last_value_and_the_first_moment(rows):
    found = {r["record_id"]: r for r in ENGINE.arrow(rows).to_pylist()}
    assert sorted(found) == list("abcde")
    assert [found[i][f"feedback_{KIND}"] for i in "abcde"] == [1.0, 1.0, None, None, None]
    assert found["a"][f"feedback_{KIND}_at"] == NOON + HOUR
    assert found["c"][f"feedback_{KIND}_at"] == NOON + 3 * HOUR
    assert found["d"]["any_feedback_at"] == NOON + 100 * HOUR
    assert found["a"]["any_label_at"] == NOON + 10 * HOUR
    assert found["a"]["predicted_at"] == NOON
    assert set(RECORD_ROWS.columns) < set(rows.columns)


@pytest.mark.parametrize(
    ("outcome", "value", "n"),
    [
        (FeedbackRate(KIND), 0.6, 5),
        (FeedbackRate(KIND, within="2h"), 0.4, 5),
        (FeedbackRate("never"), 0.0, 5),
        (FeedbackMean(KIND), 1.0, 2),
        (FeedbackMean(KIND, within="1h"), 1.0, 1),
        (FeedbackMean("never"), None, 0),
        (Coverage(), 1.0, 5),
        (Coverage("feedback"), 0.8, 5),
        (Coverage("labels"), 0.4, 5),
        (Coverage("labels", within="1d"), 0.2, 5),
        (Lag(), 25.0, 2),
        (Lag("feedback"), 2.5, 4),
        (Lag("either"), 3.0, 5),
    ],
)
def test_rates_means_coverage_and_lag(rows, outcome, value, n):
    one = ENGINE.arrow(rows.aggregate(**outcome.measured(rows))).to_pylist()[0]
    assert (one["value"], one["n"]) == (value, n)


def test_where_nothing_came_back_there_is_a_rate_of_0_and_no_mean_and_no_lag():
    rows = joined(RECORD_ROWS, table(FEEDBACK, []), table(LABELS, []), kinds=["click"])
    asked = [FeedbackRate("click"), Coverage(), FeedbackMean("click"), Lag()]
    numbers = {f"v{k}": o.measured(rows)["value"] for k, o in enumerate(asked)}
    assert ENGINE.arrow(rows.aggregate(**numbers)).to_pylist() == [
        {"v0": 0.0, "v1": 0.0, "v2": None, "v3": None}
    ]
    none = rows.filter(ibis.literal(False))
    numbers = {f"v{k}": o.measured(none)["value"] for k, o in enumerate(asked)}
    assert set(ENGINE.arrow(none.aggregate(**numbers)).to_pylist()[0].values()) == {None}


def test_records_that_were_not_joined_are_told_how(rows):
    with pytest.raises(BadInput, match="naming each kind"):
        FeedbackRate("clicks").measured(rows)
    with pytest.raises(BadInput, match="join them first"):
        Lag().measured(RECORD_ROWS)

"""The door to a history in columns answers everything as the door over plain tables does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from tidemill import Newest, Outcome, Recent
from tidemill.adapters.engines.arrow import ArrowEngine
from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.stores.columns import ColumnsAsOf, ReplayEvents
from tidemill.adapters.stores.history import History
from tidemill.core.as_of import AsOf
from tidemill.core.errors import Damaged
from tidemill.core.records import LABELS
from tidemill.core.rules import Past
from tidemill.loop.datasets import form
from tidemill.loop.datasets.nothing import Nothing
from tidemill.testing.doors import START, Final, Told, check_door, world

DUCKDB = DuckDBEngine()
END = START + timedelta(days=100)


def opened(told: Told, *, own: pa.Table | None = None) -> Callable[[datetime], ColumnsAsOf]:
    events = ReplayEvents(History(told.records, told.labels))
    for k, rows in enumerate(told.chosen):
        events.append("chosen", rows, writer="curation", sequence=k)
    if own is not None:
        events.append("labels", own, writer="labeller", sequence=1)
    engine = ArrowEngine(DUCKDB)
    return lambda now: ColumnsAsOf(events, engine, now)


def one_by_one(told: Told) -> Callable[[datetime], ColumnsAsOf]:
    """Half of the labels belong to the history, the others come from this replay."""
    half = len(told.labels) // 2
    first = Told(records=told.records, labels=told.labels.slice(0, half), chosen=told.chosen)
    return opened(first, own=told.labels.slice(half))


def digest(view: AsOf) -> str:
    labels = Outcome(final_after="1d", absent=0)
    rows = labels(view.reservoir(since=view.now - timedelta(days=9)), view.now)
    return form(view, Recent("8d")(rows, Past(now=view.now)), Newest(at_least=3, days=1)).digest


def digest_of_all(view: AsOf) -> str:
    labels = Outcome(final_after="6h")
    return form(view, labels(view.reservoir(), view.now), Nothing()).digest


FORMED = {"form": digest, "form of all": digest_of_all}


def test_a_history_in_columns_answers_as_plain_tables_do():
    check_door(opened, ArrowEngine(DUCKDB), also=FORMED)


def test_it_does_with_labels_of_its_own():
    check_door(one_by_one, ArrowEngine(DUCKDB), worlds=1, also=FORMED)


def test_features_come_in_the_order_in_which_they_are_wanted():
    told = world(2)
    view = opened(told)(END)
    rows = view.arrow(view.records()).sort_by(
        [("predicted_at", "ascending"), ("record_id", "ascending")]
    )
    # As many as there are places between the first and the last, but not one after the other.
    wanted = rows.take(pa.array([3, 5, 4, 6]))
    assert view.features(wanted)["f_b"].to_pylist() == wanted["f_b"].to_pylist()
    assert view.features(wanted)["f_a"].to_pylist() == wanted["f_a"].to_pylist()


def test_a_record_that_is_not_there_is_damage():
    told = world(2)
    view = opened(told)(END)
    wanted = told.records.slice(0, 3)
    lost = wanted.set_column(0, "record_id", pa.array(["r1", "nobody", "r2"]))
    with pytest.raises(Damaged, match="'nobody'"):
        view.features(lost)


def test_a_record_that_is_not_what_it_was_is_damage():
    told = world(2)
    wanted = told.records.slice(0, 3)
    at = wanted.column_names.index("row_hash")
    with pytest.raises(Damaged, match="changed"):
        opened(told)(END).features(wanted.set_column(at, "row_hash", pa.array(["a", "b", "c"])))


def test_what_models_answered_stands_beside_labels_of_its_own():
    told = world(0)
    half = Told(records=told.records, labels=LABELS.empty_table(), chosen=told.chosen)
    logged, ours = (opened(t, own=o) for t, o in ((told, None), (half, told.labels)))
    n = len(ours(END).events.history)
    answers = pa.table({k: pa.nulls(n, pa.string()) for k in ("model", "output_text")})
    at = ours(END).events.history.records["predicted_at"]
    answers = answers.add_column(0, "predicted_at", at)
    answers = answers.append_column("output", pa.array(np.arange(n, dtype=float)))
    answers = answers.append_column("score", pa.array(np.zeros(n)))
    view = ours(END)
    asked = ColumnsAsOf(
        view.events, view.engine, END, lambda low, high: answers.slice(low, high - low)
    )
    found = asked.judged(Final(0.5), since=START)
    assert found["output"].to_pylist() == list(range(n))
    assert found["label"].equals(logged(END).judged(Final(0.5), since=START)["label"])


def test_a_history_without_labels_has_none_of_its_own():
    told = world(0)
    bald = Told(records=told.records, labels=LABELS.empty_table(), chosen=told.chosen)
    view = opened(bald)(END)
    assert not view.events.own_labels
    assert view.arrow(view.reservoir())["label_id"].null_count > 0

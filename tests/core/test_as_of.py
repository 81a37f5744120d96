"""Through the one door nobody sees what was not there yet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.stores.delta import DeltaEvents
from tidemill.adapters.stores.memory import MemoryEvents
from tidemill.core.as_of import AsOf
from tidemill.core.clock import instant
from tidemill.core.records import LABELS, MOMENT, conform
from tidemill.testing.data import with_draws

T0 = instant("2024-03-01T12:00:00Z")
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    return DuckDBEngine()


@pytest.fixture(params=["delta", "memory"])
def events(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    return DeltaEvents(tmp_path) if request.param == "delta" else MemoryEvents()


def records(*rows: tuple[str, datetime, datetime], **more: Any) -> pa.Table:
    ids, at, seen = zip(*rows, strict=True)
    table = pa.table(
        {
            "record_id": pa.array(ids),
            "predicted_at": pa.array(at, MOMENT),
            "available_at": pa.array(seen, MOMENT),
            "day": pa.array([t.date() for t in at]),
            "p_log": pa.array([0.5] * len(ids)),
            "f_x": pa.array([float(k) for k in range(len(ids))]),
            **more,
        }
    )
    return with_draws(table)


def labels(*rows: tuple[str, float, str, datetime, str]) -> pa.Table:
    ids, values, kinds, seen, names = zip(*rows, strict=True)
    n = len(ids)
    table = {
        "record_id": pa.array(ids),
        "predicted_at": pa.array([T0] * n, MOMENT),
        "available_at": pa.array(seen, MOMENT),
        "day": pa.array([T0.date()] * n),
        "label_id": pa.array(names),
        "label": pa.array(values),
        "source_kind": pa.array(kinds),
    }
    return conform(pa.table(table), LABELS)


def ids(view: AsOf, **bounds: Any) -> list[str]:
    return sorted(view.arrow(view.records(**bounds))["record_id"].to_pylist())


def test_a_row_is_there_from_the_moment_it_was_available(events: Any, engine: Any) -> None:
    micro = timedelta(microseconds=1)
    events.append(
        "records", records(("a", T0, T0 + HOUR), ("b", T0, T0 + 48 * HOUR)), writer="w", sequence=1
    )
    assert ids(AsOf(events, engine, T0 + HOUR - micro)) == []
    assert ids(AsOf(events, engine, T0 + HOUR)) == ["a"]
    assert ids(AsOf(events, engine, T0 + 48 * HOUR)) == ["a", "b"]


def test_bounds_are_exact_to_the_microsecond(events: Any, engine: Any) -> None:
    micro = timedelta(microseconds=1)
    rows = records(*((f"r{k}", T0 + k * micro, T0 + HOUR + k * micro) for k in range(3)))
    events.append("records", rows, writer="w", sequence=1)
    view = AsOf(events, engine, T0 + 2 * HOUR)
    assert ids(view, since=T0 + micro) == ["r1", "r2"]
    assert ids(view, until=T0 + micro) == ["r0"]
    assert ids(view, since=T0, until=T0 + 2 * micro) == ["r0", "r1"]
    assert ids(view, arrived=T0 + HOUR + micro) == ["r1", "r2"]


def test_reading_an_empty_store_gives_no_rows(events: Any, engine: Any) -> None:
    view = AsOf(events, engine, T0)
    for table in (view.records(), view.labels(), view.reservoir()):
        assert view.arrow(table).num_rows == 0


def test_a_feature_not_known_yet_reads_as_null(events: Any, engine: Any) -> None:
    rows = records(
        ("early", T0, T0),
        ("same", T0, T0),
        ("late", T0, T0),
        ("unsaid", T0, T0),
        k_x=pa.array([T0 - HOUR, T0, T0 + HOUR, None], MOMENT),
    )
    events.append("records", rows, writer="w", sequence=1)
    view = AsOf(events, engine, T0 + 99 * HOUR)
    found = view.arrow(view.records())
    assert "k_x" not in found.column_names
    got = {r["record_id"]: r["f_x"] for r in found.to_pylist()}
    assert got == {"early": 0.0, "same": 1.0, "late": None, "unsaid": 3.0}


def test_the_label_that_counts(events: Any, engine: Any) -> None:
    rows = labels(
        ("a", 1.0, "model", T0 + 1 * HOUR, "l1"),
        ("a", 2.0, "outcome", T0 + 2 * HOUR, "l2"),
        ("a", 3.0, "outcome", T0 + 3 * HOUR, "l3"),
        ("a", 4.0, "human", T0 + 4 * HOUR, "l4"),
        ("a", 5.0, "outcome", T0 + 5 * HOUR, "l5"),
        ("a", 6.0, "human", T0 + 6 * HOUR, "l6"),
        ("b", 7.0, "outcome", T0 + 1 * HOUR, "l7"),
        ("b", 8.0, "outcome", T0 + 1 * HOUR, "l8"),
        ("c", 9.0, "rumour", T0 + 1 * HOUR, "l9"),
    )
    for k, part in enumerate((rows.slice(0, 4), rows.slice(4))):
        events.append("labels", part, writer="w", sequence=k)
    wanted = {0: None, 1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0, 5: 4.0, 6: 6.0}
    for hours, value in wanted.items():
        view = AsOf(events, engine, T0 + hours * HOUR)
        got = {r["record_id"]: r["label"] for r in view.arrow(view.labels()).to_pylist()}
        assert got.get("a") == value, hours
        assert len(got) == (3 if hours else 0)
    assert (got["b"], got["c"]) == (8.0, 9.0)  # of equals the last name, an unknown kind at last


def test_the_reservoir_weighs_with_both_probabilities(events: Any, engine: Any) -> None:
    events.append("records", records(*((i, T0, T0) for i in "abc")), writer="w", sequence=1)
    chosen = pa.table(
        {
            "record_id": ["a", "b"],
            "predicted_at": pa.array([T0] * 2, MOMENT),
            "available_at": pa.array([T0 + HOUR] * 2, MOMENT),
            "day": [T0.date()] * 2,
            "pi": [0.1, 1.0],
        }
    )
    events.append("chosen", chosen, writer="w", sequence=1)
    label = labels(("b", 1.0, "human", T0 + 2 * HOUR, "l1"), ("c", 1.0, "human", T0, "l2"))
    events.append("labels", label, writer="w", sequence=1)
    assert _reservoir(AsOf(events, engine, T0)) == []
    early = [("a", 20.0, None), ("b", 2.0, None)]
    assert _reservoir(AsOf(events, engine, T0 + HOUR)) == early
    assert _reservoir(AsOf(events, engine, T0 + 2 * HOUR)) == [early[0], ("b", 2.0, 1.0)]


def _reservoir(view: AsOf) -> list[tuple[Any, ...]]:
    rows = view.arrow(view.reservoir().order_by("record_id")).to_pylist()
    return [(r["record_id"], r["weight"], r["label"]) for r in rows]


def test_what_comes_later_changes_nothing_that_was_seen(events: Any, engine: Any) -> None:
    events.append("records", records(("a", T0, T0), ("b", T0, T0)), writer="w", sequence=1)
    events.append("labels", labels(("a", 1.0, "outcome", T0, "l1")), writer="w", sequence=1)
    view = AsOf(events, engine, T0 + HOUR)
    before = view.arrow(view.records().order_by("record_id"))
    label = view.arrow(view.labels())
    late = T0 + HOUR + timedelta(microseconds=1)
    extra = pa.array([1.0])
    events.append("records", records(("c", T0, late), f_new=extra), writer="w", sequence=2)
    events.append("labels", labels(("a", 0.0, "human", late, "l2")), writer="w", sequence=2)
    events.compact("records")
    after = view.arrow(view.records().order_by("record_id"))
    assert after.select(before.column_names).equals(before)
    assert view.arrow(view.labels()).equals(label)

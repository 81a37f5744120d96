"""Many rules over many windows at once."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import ibis

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.monitoring.proxies import Proxy
from tidemill.monitoring.quality import Duplicates, Holds, InRange, NullRate, RowCount, measure

DAY = timedelta(days=1)
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
STARTS = [FIRST + k * DAY for k in range(3)]


def test_one_broken_rule_costs_nobody_else_their_number():
    records = ibis.memtable(
        {
            "record_id": ["a", "a", "b"],
            "predicted_at": [FIRST, FIRST + DAY, FIRST + 1.5 * DAY],
            "f_age": [1.0, None, 5.0],
            "f_text": ["1", "x", "2"],
        }
    )
    rules = [
        NullRate("age", at_most=0.1),
        NullRate("gone", at_most=0.1),
        Holds("reads as a number", lambda r: r.f_text.cast("float64") > 0),
        InRange("age", low=2),
        RowCount(at_least=1),
        Duplicates(),
        Proxy("age", lambda r: r.f_age),
    ]
    window = records.predicted_at.truncate("D")
    found = measure(rules, records, DuckDBEngine(), window=window, starts=STARTS, every=DAY)
    values = [[p.value for p in points] for points in found]
    assert values[0][:2] == [0.0, 0.5]
    assert values[3][:2] == [1.0, 0.0]
    assert values[4][:2] == [1.0, 2.0]
    assert values[5][:2] == [0.0, 0.0]
    assert values[6][:2] == [1.0, 5.0]
    assert [p.n for p in found[0]] == [1, 2, 0]
    assert math.isnan(values[0][2])
    assert {p.why for p in found[1]} == {"the records have no column 'gone'."}
    # What only fails when it is evaluated is found out, and told.
    assert "Could not convert" in found[2][0].why
    assert all(math.isnan(p.value) for p in found[2])
    assert [p.start for p in found[0]] == STARTS
    assert found[0][0].end == STARTS[1]

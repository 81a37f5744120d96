"""Signals of records that say they are mergeable come to what their windows come to by weight."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.measures.metric import summary_of
from tidemill.monitoring import outcomes, proxies, quality, system
from tidemill.monitoring.quality import measure

START, HOURS, ROWS = datetime(2024, 1, 1, tzinfo=UTC), 4, 90
RULES = [
    next(iter(thing.examples()))
    for module in (proxies, outcomes, quality, system)
    for thing in vars(module).values()
    if isinstance(thing, type) and hasattr(thing, "measured") and hasattr(thing, "examples")
]


@pytest.fixture(scope="module")
def records() -> pa.Table:
    """Four hours of records, the fewer the later, unlike one another."""
    rng = np.random.default_rng(0)
    hour = np.repeat(np.arange(HOURS), [40, 25, 15, 10])
    x = rng.normal(size=ROWS) + hour
    at = [
        START + timedelta(hours=int(h), seconds=int(s))
        for h, s in zip(hour, rng.permutation(ROWS), strict=True)
    ]
    back = [
        t + timedelta(hours=float(d)) if d < 30 else None
        for t, d in zip(at, rng.exponential(20, ROWS), strict=True)
    ]
    words = np.array(["a b a", "I'm sorry, no", "c"], dtype=object)
    return pa.table(
        {
            "predicted_at": at,
            "available_at": [
                t + timedelta(hours=float(d))
                for t, d in zip(at, rng.exponential(1.5, ROWS), strict=True)
            ],
            "record_id": [f"r{k}" for k in range(ROWS)],
            "p_log": rng.uniform(0.2, 1.0, ROWS),
            "latency_ms": rng.exponential(50, ROWS),
            "output": (x > 1).astype(float),
            "output_text": words[rng.integers(0, 3, ROWS)],
            "score": rng.random(ROWS),
            "f_number": pa.array(x, mask=rng.random(ROWS) < 0.2),
            "f_text": words[rng.integers(0, 3, ROWS)],
            "any_feedback_at": pa.array(back, pa.timestamp("us", "UTC")),
            "any_label_at": pa.array(back, pa.timestamp("us", "UTC")),
            **{
                f"feedback_{kind}": pa.array(x, mask=np.array([b is None for b in back]))
                for kind in ("thumbs", "stars", "complaint")
            },
            **{
                f"feedback_{kind}_at": pa.array(back, pa.timestamp("us", "UTC"))
                for kind in ("thumbs", "stars", "complaint")
            },
        }
    )


def points(records: pa.Table, rules: list[Any], every: timedelta) -> list[list[Any]]:
    rows = ibis.memtable(records)
    at: Any = rows.predicted_at
    starts = [START + k * every for k in range(timedelta(hours=HOURS) // every)]
    window = at.truncate("h") if len(starts) > 1 else at.truncate("D")
    return measure(rules, rows, DuckDBEngine(), window=window, starts=starts, every=every)


def test_windows_merge_to_what_all_rows_give(records: pa.Table) -> None:
    parts = points(records, RULES, timedelta(hours=1))
    wholes = points(records, RULES, timedelta(hours=HOURS))
    held = set()
    for rule, each, (whole,) in zip(RULES, parts, wholes, strict=True):
        assert not whole.why, (rule, whole.why)
        if summary_of(rule) == "rows":
            assert all(math.isnan(p.weight) for p in (whole, *each)), rule
            continue
        known = [p for p in each if p.weight]
        merged = sum(p.value * p.weight for p in known) / sum(p.weight for p in known)
        assert merged == pytest.approx(whole.value, rel=1e-12), rule
        assert sum(p.weight for p in each) == whole.weight == whole.n
        held.add(type(rule).__name__)
    assert {"Proxy", "OutputShare", "FeedbackMean", "Coverage", "NullRate", "InRange"} <= held
    assert not {"RowCount", "Latency", "Lag", "Duplicates", "Vanished"} & held

"""Proxy signals: means of what a model puts out, on awkward outputs."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.core.errors import BadInput, BadValue
from tidemill.core.ports import Snapshot
from tidemill.measures import Cohort
from tidemill.monitoring.proxies import (
    EdgeCase,
    OutputLength,
    OutputShare,
    Proxy,
    Refusal,
    Repetition,
)

ENGINE = DuckDBEngine()
TEXTS = ["I\u2019m sorry, Dave", "no no  NO\nno", "", " \t", None, "it's 東京 it's", "Yes", "x"]
ROWS = pa.table(
    {
        "predicted_at": [datetime(2024, 1, 1 + k // 4, tzinfo=UTC) for k in range(8)],
        "output_text": TEXTS,
        "output": [1.0, 0.0, None, math.nan, math.inf, 1.0, 1.0, 0.0],
        "f_none": pa.nulls(8, pa.float64()),
    }
)


@pytest.fixture(scope="module", params=["memory", "parquet"])
def records(request, tmp_path_factory):
    if request.param == "memory":
        return ENGINE.table(Snapshot(schema=ROWS.schema, arrow=ROWS))
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    pq.write_table(ROWS, path)
    return ENGINE.table(Snapshot(schema=ROWS.schema, files=(str(path),)))


@pytest.mark.parametrize(
    ("proxy", "value", "n"),
    [
        (OutputLength(), sum(len(t) for t in TEXTS if t is not None) / 7, 7),
        (Repetition(), (0 + 3 / 4 + 1 / 3 + 0 + 0) / 5, 5),
        (Refusal(), 1 / 7, 7),
        (Refusal(("yes", "東")), 2 / 7, 7),
        (OutputShare("Yes"), 1 / 7, 7),
        (OutputShare("it's 東京 it's"), 1 / 7, 7),
        (OutputShare(1.0), 3 / 7, 7),
        (EdgeCase(Cohort("one", lambda r: r.output == 1)), 3 / 8, 8),
        (Proxy("the output", lambda r: r.output), 3 / 5, 5),
        (Proxy("has text", lambda r: r.output_text.notnull()), 7 / 8, 8),
        (Proxy("nothing", lambda r: r.f_none), None, 0),
    ],
)
def test_the_mean_is_of_what_is_there_and_finite(records, proxy, value, n):
    one = ENGINE.arrow(records.aggregate(**proxy.measured(records))).to_pylist()[0]
    assert one["n"] == n
    assert one["value"] == (None if value is None else pytest.approx(value))
    none = records.filter(ibis.literal(False))
    empty = ENGINE.arrow(none.aggregate(**proxy.measured(none))).to_pylist()[0]
    assert empty == {"value": None, "n": 0, "sd": None}


def test_windows_are_measured_apart_with_the_spread_of_their_rows(records):
    asked = Proxy("o", lambda r: r.output).measured(records)
    rows = records.group_by(w=records.predicted_at.truncate("D")).aggregate(**asked)
    found = ENGINE.arrow(rows.order_by("w")).to_pylist()
    assert [(r["value"], r["n"]) for r in found] == [(0.5, 2), (pytest.approx(2 / 3), 3)]
    assert found[0]["sd"] == pytest.approx(math.sqrt(0.5))


def test_what_cannot_be_asked_is_told(records):
    for proxy, match in [
        (Proxy("p", lambda r: r.f_gone), "'p' cannot be asked.*f_gone"),
        (Proxy("p", lambda r: r.output_text), "no number and no boolean"),
        (Proxy("p", lambda r: r.output.mean() > "x"), "cannot be asked"),
    ]:
        with pytest.raises(BadInput, match=match):
            proxy.measured(records)
    with pytest.raises(BadInput, match="output_text"):
        OutputLength().measured(records.drop("output_text"))
    with pytest.raises(BadValue, match="mend the pattern"):
        Refusal(("(",))
    with pytest.raises(BadValue, match="a text or a finite number"):
        OutputShare(math.nan)
    assert OutputShare("Yes, sir").metric == "output_share_of_yes_sir"

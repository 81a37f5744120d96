"""The embedded engine holds nothing of what it has answered."""

from __future__ import annotations

import gc
import weakref

import ibis
import pyarrow as pa

from tidemill.adapters.engines.duckdb import DuckDBEngine


def test_rows_in_memory_are_let_go_when_they_were_asked():
    engine = DuckDBEngine()
    held = pa.table({"x": pa.array(range(100_000))})
    seen = weakref.ref(held)
    rows = ibis.memtable(held)
    for _ in range(2):  # asked again, they are there again
        assert engine.arrow(rows.count().as_table()).column(0)[0].as_py() == 100_000
    assert engine.sql("select max(x) as x from v", {"v": rows})["x"][0].as_py() == 99_999
    del rows, held
    gc.collect()
    assert seen() is None

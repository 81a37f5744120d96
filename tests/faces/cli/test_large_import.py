"""A large Parquet file is read batch by batch, and comes to what it comes to as a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from tidemill.faces.cli import reading
from tidemill.loop.log.columns import Columns
from tidemill.project import create_project, open_project
from tidemill.strategy import importing

STRATEGY = """
from tidemill import Manual, Outcome, Recent, Strategy, Uniform
strategy = Strategy(curation=Uniform(10, per="1d"), labels=Outcome(final_after="1d"), trigger=Manual(),
                    dataset=Recent("20d"), training=lambda dataset, previous: None)
"""


def test_a_file_in_batches_is_taken_in_once_and_needs_no_more_than_a_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_AT_ONCE", 300)
    monkeypatch.setattr(importing, "BATCH", 700)
    n = 2000
    at = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=k) for k in range(n)]
    features = pa.StructArray.from_arrays(
        [pa.array(range(n)), pa.array(["a", "b"] * (n // 2))], ["x", "c"]
    )
    rows = pa.table({"id": [f"r{k}" for k in range(n)], "at": at, "features": features})
    file = tmp_path / "rows.parquet"
    pq.write_table(rows, file, row_group_size=900)
    with open_project(create_project(tmp_path / "mill", strategy=STRATEGY, salt="s")) as mill:
        for seen in (n, 0):
            loaded = reading.load(file, streamed=True)
            assert loaded.rows.num_rows == 0
            assert loaded.features == ("x", "c")
            columns = Columns(id="id", time="at", features=["x", "c"])
            counts = mill.import_records(loaded.stream, columns, source="file")
            assert (counts.accepted, counts.already) == (seen, n - seen)
        assert mill.sql("select count(*) as n, sum(x) as x from records").to_pylist() == [
            {"n": n, "x": sum(range(n))}
        ]
        found = list(importing._batches(reading.load(file, streamed=True).stream))
        assert [b.num_rows for b in found] == [700, 700, 600]

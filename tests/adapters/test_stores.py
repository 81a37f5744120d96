"""What the files of the stores hold, beyond the promises of their ports."""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.stores import delta
from tidemill.adapters.stores.delta import DeltaEvents
from tidemill.adapters.stores.files import FileBlobs, write_whole
from tidemill.adapters.stores.memory import MemoryEvents
from tidemill.core.errors import Damaged
from tidemill.core.ports import Snapshot
from tidemill.testing import data


def test_a_delta_table_is_partitioned_by_day_and_readable_by_others(tmp_path: Path) -> None:
    rows = data.records(20)
    DeltaEvents(tmp_path).append("records", rows, writer="w", sequence=1)
    table = DeltaTable(str(tmp_path / "records"))
    assert table.metadata().partition_columns == ["day"]
    found = pa.table(table.to_pyarrow_table() if hasattr(table, "to_pyarrow_table") else rows)
    assert sorted(found["record_id"].to_pylist()) == sorted(rows["record_id"].to_pylist())


def test_bounds_skip_files(tmp_path: Path) -> None:
    events = DeltaEvents(tmp_path)
    events.append("records", data.records(40), writer="w", sequence=1)
    day = data.NOW.date() - timedelta(days=5)
    some, every = (events.snapshot("records", since=s).files for s in (day, None))
    assert 0 < len(some) <= 7 < len(every)


def test_a_commit_after_many_takes_no_longer_than_twice_the_first_ones(tmp_path: Path) -> None:
    """The large version, with 10,000 commits and the cost of rows, is benchmarks/events.py."""
    events, rows, took = DeltaEvents(tmp_path), data.records(3), []
    for k in range(150):
        begin = time.process_time()
        events.append("records", rows, writer="w", sequence=k)
        took.append(time.process_time() - begin)
    assert statistics.median(took[-40:]) < 2 * statistics.median(took[5:45])
    files = events.snapshot("records").files
    assert len(files) < 60 * len({Path(f).parent for f in files})
    assert list((tmp_path / "records" / "_delta_log").glob("*.checkpoint.parquet"))


def test_only_days_in_many_files_are_merged_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta, "TIDY", 8)
    events, rows = DeltaEvents(tmp_path), data.records(40)
    few, often = (rows.filter(pc.equal(rows["day"], d)) for d in rows["day"].unique()[:2])
    for k in range(8):
        events.append("records", often if k < 6 else few, writer="w", sequence=k)
    counts = Counter(Path(f).parent for f in events.snapshot("records").files)
    assert sorted(counts.values()) == [1, 2]
    engine = DuckDBEngine()
    stored = engine.arrow(engine.table(events.snapshot("records")))
    assert len(stored) == 6 * len(often) + 2 * len(few)
    events.compact("records")
    assert len(events.snapshot("records").files) == 2


def test_a_damaged_table_is_refused_in_one_line(tmp_path: Path) -> None:
    DeltaEvents(tmp_path).append("records", data.records(3), writer="w", sequence=1)
    for log in (tmp_path / "records" / "_delta_log").glob("*.json"):
        log.write_text("no json")
    with pytest.raises(Damaged, match="Fix: restore") as caught:
        DeltaEvents(tmp_path).snapshot("records")
    assert "\n" not in str(caught.value)


def test_both_stores_of_events_give_the_engine_the_same_rows(tmp_path: Path) -> None:
    engine, found = DuckDBEngine(), []
    for store in (DeltaEvents(tmp_path), MemoryEvents()):
        store.append("records", data.records(9), writer="w", sequence=1)
        rows = engine.table(store.snapshot("records"))
        found.append(engine.arrow(rows.order_by("record_id")))
    assert found[0].equals(found[1])


def test_the_engine_fetches_nothing_and_thinks_in_utc() -> None:
    engine = DuckDBEngine()
    for name, wanted in (
        ("autoinstall_known_extensions", "false"),
        ("autoload_known_extensions", "false"),
        ("TimeZone", "UTC"),
    ):
        found = engine._connection.raw_sql(f"SELECT current_setting('{name}')").fetchone()
        assert str(found[0]).lower() == wanted.lower()


def test_the_engine_gives_columns_that_rows_lack() -> None:
    rows = data.records(2)
    schema = rows.schema.append(pa.field("f_late", pa.list_(pa.float64())))
    engine = DuckDBEngine()
    found = engine.arrow(engine.table(Snapshot(schema=schema, arrow=rows)))
    assert found["f_late"].null_count == 2


def test_a_blob_appears_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "model" / "x", b"data")
    assert list((tmp_path / "model").iterdir()) == []


def test_a_part_of_a_blob_is_no_blob(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    digest = blobs.put("model", b"data")
    (tmp_path / "model" / ".part-x").write_bytes(b"da")
    assert blobs.digests("model") == [digest]

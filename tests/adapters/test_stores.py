"""What the files of the stores hold, beyond the promises of their ports."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.stores.delta import DeltaEvents
from tidemill.adapters.stores.files import FileBlobs, write_whole
from tidemill.adapters.stores.memory import MemoryEvents
from tidemill.adapters.stores.spool import Spool
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


def test_a_spool_keeps_each_value(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    row = {"record_id": "ü", "output": 1, "features": {"x": 0.1, "t": "東京"}, "tags": {"a": 1}}
    spool.write("records", row)
    spool.write("feedback", {"record_id": "ü", "value": 1.0})
    records, feedback = spool.pending({})
    assert records.rows["feature:x"].to_pylist() == [0.1]
    assert records.rows["feature:t"].to_pylist() == ["東京"]
    assert json.loads(records.rows["tags"][0].as_py()) == {"a": 1}
    assert (feedback.table, feedback.rows["value"].to_pylist()) == ("feedback", [1.0])
    done = {p.writer: p.sequence for p in (records, feedback)}
    spool.close()
    assert spool.discard(done) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_torn_line_is_handed_on_and_no_row_behind_it_is_lost(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.write("records", {"record_id": "a"})
    spool.close()
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes() + b'{"table": "records", "row": {"rec')
    spool.write("records", {"record_id": "b"})
    ids = [i for p in spool.pending({}) for i in p.rows["record_id"].to_pylist()]
    assert sorted(ids, key=str) == [None, "a", "b"] or set(ids) == {None, "a", "b"}
    spool.close()


def test_values_of_several_kinds_in_a_column_become_texts(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for value in (1, "one", [1]):
        spool.write("records", {"record_id": "a", "features": {"x": value}})
    (parcel,) = spool.pending({})
    assert parcel.rows["feature:x"].to_pylist() == ["1", "one", "[1]"]
    spool.close()

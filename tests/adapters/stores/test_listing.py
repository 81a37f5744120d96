"""The files of a table are listed once a version, and are those that Delta itself would read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from tidemill.adapters.stores.delta import SMALL, DeltaEvents
from tidemill.core.records import SIGNALS, conform
from tidemill.testing import data

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def _signal(day: int, *, at: datetime | None = None) -> pa.Table:
    start = START + day * DAY
    row = {"kind": "drift", "metric": "drift", "predicted_at": start, "ends_at": start + DAY}
    row |= {"available_at": at or start + DAY, "day": start.date(), "n": 3}
    return conform(pa.Table.from_pylist([row]), SIGNALS)


def test_bounds_find_the_files_that_delta_finds(tmp_path: Path) -> None:
    events = DeltaEvents(tmp_path)
    for k in range(3):
        events.append("records", data.records(40), writer="w", sequence=k)
    table = DeltaTable(str(tmp_path / "records"))
    day, at = data.NOW.date() - timedelta(days=4), data.NOW - timedelta(days=3)
    asked: dict[str, Any]
    for asked, bound in (
        ({}, None),
        ({"since": day}, f"day >= '{day}'"),
        ({"until": day}, f"day <= '{day}'"),
        ({"since": day, "until": day}, f"day = '{day}'"),
        ({"arrived": at}, f"available_at >= '{at.isoformat()}'"),
    ):
        found = events.snapshot("records", **asked).files
        assert sorted(found) == sorted(table.file_uris(file_pruning_predicate=bound))


def test_a_row_is_found_to_the_microsecond_though_the_log_knows_milliseconds(
    tmp_path: Path,
) -> None:
    at = START + 9 * DAY + timedelta(microseconds=1_001_999)
    events = DeltaEvents(tmp_path)
    events.append("signals", _signal(0, at=at), writer="w", sequence=1)
    assert len(events.snapshot("signals", arrived=at).files) == 1
    assert not events.snapshot("signals", arrived=at + timedelta(milliseconds=2)).files


def test_what_every_look_reads_is_in_few_files_however_many_looks_there_were(
    tmp_path: Path,
) -> None:
    """And the bounds hold in files of many days; another process sees each commit at once."""
    events, other = DeltaEvents(tmp_path), DeltaEvents(tmp_path)
    n = 2 * SMALL["signals"]
    for k in range(n):
        events.append("signals", _signal(k), writer="w", sequence=k)
        files = other.snapshot("signals").files
        assert sum(pq.read_metadata(f).num_rows for f in files) == k + 1
    assert len(other.snapshot("signals").files) <= 2
    assert not other.snapshot("signals", since=(START + n * DAY).date()).files
    assert other.snapshot("signals", since=(START + (n - 1) * DAY).date()).files
    assert other.snapshot("signals", until=START.date()).files
    assert not other.snapshot("signals", until=(START - DAY).date()).files

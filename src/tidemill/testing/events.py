"""The promises of a store of events; run them on your own."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.errors import BadValue, NotFound
from tidemill.core.ports import Engine, EventStore
from tidemill.core.records import RECORDS, TABLES
from tidemill.testing import data
from tidemill.testing.bench import Bench, hold, refused


def check_event_store(
    make: Callable[[Path], EventStore], engine: Engine, *, lasting: bool = True
) -> None:
    """Hold a store of events against every promise of its port."""
    hold(EVENTS, lambda at: Bench(make=make, folder=at, engine=engine, lasting=lasting))


def an_unknown_table_is_refused(bench: Bench[EventStore]) -> None:
    """A table that does not exist is an error that names the nearest one."""
    store = bench.open()
    rows = data.records(3)
    refused(NotFound, lambda: store.append("record", rows, writer="w", sequence=1))
    refused(NotFound, lambda: store.snapshot("record"))


def a_new_store_is_empty(bench: Bench[EventStore]) -> None:
    """Every table can be read before anything was written to it."""
    store = bench.open()
    for table, schema in TABLES.items():
        assert store.version(table) == -1
        found = _read(bench, store, table)
        assert found.num_rows == 0
        assert set(schema.names) - {"day"} <= set(found.column_names)
        store.compact(table)


def values_come_back_as_they_were(bench: Bench[EventStore]) -> None:
    """Bits of floats, letters of all alphabets, microseconds, vectors and nulls are kept."""
    store = bench.open()
    for name, rows in data.awkward_records().items():
        if not rows.num_rows:
            continue
        fresh = bench.make(bench.folder / name)
        fresh.append("records", rows, writer="w", sequence=1)
        _same_rows(_read(bench, fresh, "records"), rows.drop_columns(["day"]))
    odd = [0.1, -0.0, 5e-324, 1.7976931348623157e308, None]
    rows = data.records(5)
    place = rows.column_names.index("f_number")
    rows = rows.set_column(place, "f_number", pa.array(odd, pa.float64()))
    store.append("records", rows, writer="w", sequence=1)
    found = _read(bench, store, "records").sort_by("record_id")["f_number"].to_pylist()
    assert [repr(v) for v in found] == [repr(v) for v in odd]


def a_batch_is_appended_once(bench: Bench[EventStore]) -> None:
    """The same (writer, sequence) again does nothing, also after opening again."""
    store = bench.open()
    assert store.append("records", data.records(4), writer="a", sequence=5)
    assert not store.append("records", data.records(4), writer="a", sequence=5)
    assert not store.append("records", data.records(4, start=90), writer="a", sequence=4)
    assert store.append("records", data.records(3, start=10), writer="b", sequence=5)
    assert store.append("chosen", _chosen(2), writer="a", sequence=5)
    store.compact("records")
    assert not store.append("records", data.records(4), writer="a", sequence=5)
    if bench.lasting:
        store = bench.open()
        assert not store.append("records", data.records(4), writer="a", sequence=5)
    assert store.append("records", data.records(2, start=20), writer="a", sequence=6)
    assert _read(bench, store, "records").num_rows == 9
    assert _read(bench, store, "chosen").num_rows == 2


def a_batch_is_appended_whole_or_not_at_all(bench: Bench[EventStore]) -> None:
    """Rows that do not fit leave nothing behind, and their number can be used again."""
    store = bench.open()
    store.append("records", data.records(4), writer="a", sequence=1)
    rows = data.records(3, start=10)
    words = pa.array(["no"] * 3)
    for name in ("output", "f_number"):
        wrong = rows.set_column(rows.column_names.index(name), name, words)
        try:
            store.append("records", wrong, writer="a", sequence=2)
        except Exception:  # noqa: BLE001, S110 - each store refuses in the words of its vendor
            pass
        else:
            raise AssertionError(f"texts are taken as {name}")
        assert _read(bench, store, "records").num_rows == 4
    assert store.append("records", rows, writer="a", sequence=2)
    assert _read(bench, store, "records").num_rows == 7


def nothing_can_be_appended(bench: Bench[EventStore]) -> None:
    """An empty batch is fine and changes nothing."""
    store = bench.open()
    assert store.append("records", data.records(0), writer="a", sequence=1)
    assert _read(bench, store, "records").num_rows == 0


def a_table_grows_new_features(bench: Bench[EventStore]) -> None:
    """A feature that appears later is null in older rows, and one that goes in newer ones."""
    store = bench.open()
    old = data.records(4).drop_columns(["f_vector"])
    new = data.records(4, start=50).drop_columns(["f_text"])
    new = new.append_column("f_extra", pa.array([1.5] * 4))
    last = _last_day(old)
    store.append("records", old, writer="a", sequence=1)
    store.append("records", new, writer="a", sequence=2)
    found = _read(bench, store, "records").sort_by("record_id")
    assert found["f_extra"].to_pylist() == [None] * 4 + [1.5] * 4
    assert found["f_vector"].to_pylist()[:4] == [None] * 4
    assert found["f_text"].null_count == 4
    # Also where no file that is read has the column.
    early = _read(bench, store, "records", until=last - timedelta(days=20))
    assert {"f_vector", "f_extra"} <= set(early.column_names)
    assert found.schema.field("f_vector").type.equals(early.schema.field("f_vector").type)


def bounds_never_lose_a_row(bench: Bench[EventStore]) -> None:
    """Bounds skip what lies outside, never a row inside, whatever the time zone."""
    store = bench.open()
    for k, name in enumerate(("plain", "late")):
        rows = data.awkward_records()[name]
        fresh = [f"{name}{k}" for k in range(rows.num_rows)]
        rows = rows.set_column(0, "record_id", pa.array(fresh))
        store.append("records", rows, writer="a", sequence=k)
    whole = _read(bench, store, "records")
    at = sorted(whole["available_at"].to_pylist())
    days = [None, data.NOW.date() - timedelta(days=20), data.NOW.date() - timedelta(days=3)]
    east = timezone(timedelta(hours=9))
    moments = [None, at[40], at[-1], at[80].astimezone(east), at[-1] + timedelta(microseconds=1)]
    for since, until, arrived in itertools.product(days, days, moments):
        found = _read(bench, store, "records", since=since, until=until, arrived=arrived)
        inside = _inside(whole, since, until, arrived)
        lost = set(inside["record_id"].to_pylist()) - set(found["record_id"].to_pylist())
        assert not lost, f"{len(lost)} rows are lost within {since}, {until}, {arrived}"


def the_version_grows_with_every_change(bench: Bench[EventStore]) -> None:
    """The version tells that a table has changed, and that it has not."""
    store = bench.open()
    versions = [store.version("records")]
    for k in range(3):
        store.append("records", data.records(3, start=10 * k), writer="a", sequence=k)
        versions.append(store.version("records"))
    assert versions == sorted(set(versions)), f"versions do not grow: {versions}"
    store.append("records", data.records(3), writer="a", sequence=1)
    assert store.version("records") == versions[-1]
    assert store.version("labels") == -1
    if bench.lasting:
        assert bench.open().version("records") == versions[-1]


def compaction_changes_no_row(bench: Bench[EventStore]) -> None:
    """After compaction the rows are the same, and an older snapshot can still be read."""
    store = bench.open()
    for k in range(4):
        store.append("records", data.records(6, start=10 * k), writer="a", sequence=k)
    before = store.snapshot("records")
    rows = _read(bench, store, "records")
    store.compact("records")
    _same_rows(_read(bench, store, "records"), rows)
    store.append("records", data.records(2, start=80), writer="a", sequence=9)
    assert bench.engine is not None
    _same_rows(bench.engine.arrow(bench.engine.table(before)), rows)


def what_is_erased_is_gone(bench: Bench[EventStore]) -> None:
    """Erased rows are gone, others and what was appended stay; only tables of records are erased."""
    store = bench.open()
    odd = ["it's", "a", "\\'; --", "é\n"]
    rows = data.records(6)
    names = [*odd, "kept", "also kept"]
    rows = rows.set_column(rows.column_names.index("record_id"), "record_id", pa.array(names))
    assert store.erase("records", odd) == 0, "a table that is not there holds nothing"
    store.append("records", rows.slice(0, 3), writer="w", sequence=1)
    store.append("records", rows.slice(3), writer="w", sequence=2)
    before = store.version("records")
    assert store.erase("records", [*odd, "never there"]) == 4
    assert store.version("records") > before
    for one in (store, bench.open()) if bench.lasting else (store,):
        left = _read(bench, one, "records")
        assert sorted(left["record_id"].to_pylist()) == ["also kept", "kept"]
        assert one.erase("records", odd) == 0
        assert one.erase("records", []) == 0
        assert not one.append("records", rows, writer="w", sequence=2)
    assert store.append("records", rows.slice(0, 1), writer="w", sequence=3)
    assert _read(bench, store, "records").num_rows == 3
    refused(BadValue, lambda: store.erase("signals", ["a"]))
    refused(NotFound, lambda: store.erase("record", ["a"]))


def another_process_sees_what_was_appended(bench: Bench[EventStore]) -> None:
    """Two stores on one folder see each other's rows."""
    if not bench.lasting:
        return
    one, other = bench.open(), bench.open()
    for k in range(3):
        one.append("records", data.records(2, start=10 * k), writer="a", sequence=k)
        other.append("records", data.records(2, start=10 * k + 5), writer="b", sequence=k)
        assert _read(bench, one, "records").num_rows == 4 * (k + 1)
        assert one.version("records") == other.version("records")


def _read(bench: Bench[EventStore], store: EventStore, table: str, **bounds: Any) -> pa.Table:
    assert bench.engine is not None, "hand in an engine to read snapshots with"
    return bench.engine.arrow(bench.engine.table(store.snapshot(table, **bounds)))


def _same_rows(one: pa.Table, other: pa.Table) -> None:
    names = sorted(other.column_names)
    assert sorted(one.column_names) == names, f"columns {one.column_names} are not {names}"
    order = [("record_id", "ascending"), ("row_hash", "ascending")]
    kind = pa.schema([other.schema.field(n) for n in names])
    left, right = (t.select(names).cast(kind).sort_by(order) for t in (one, other))
    for name in names:
        assert left[name].equals(right[name]), f"column {name} is not what it was"


def _inside(rows: pa.Table, since: Any, until: Any, arrived: Any) -> pa.Table:
    day = pc.cast(pc.cast(rows["predicted_at"], pa.timestamp("us")), pa.date32(), safe=False)
    keep = pc.is_valid(day)
    if since is not None:
        keep = pc.and_(keep, pc.greater_equal(day, pa.scalar(since, pa.date32())))
    if until is not None:
        keep = pc.and_(keep, pc.less_equal(day, pa.scalar(until, pa.date32())))
    if arrived is not None:
        bound = pa.scalar(arrived, RECORDS.field("available_at").type)
        keep = pc.and_(keep, pc.greater_equal(rows["available_at"], bound))
    return rows.filter(keep)


def _last_day(rows: pa.Table) -> Any:
    return pc.max(rows["day"]).as_py()


def _chosen(n: int) -> pa.Table:
    rows = data.records(n).select(["record_id", "predicted_at", "available_at", "day"])
    return rows.append_column("pi", pa.array([0.5] * n))


EVENTS: tuple[Callable[[Bench[EventStore]], None], ...] = (
    an_unknown_table_is_refused,
    a_new_store_is_empty,
    values_come_back_as_they_were,
    a_batch_is_appended_once,
    a_batch_is_appended_whole_or_not_at_all,
    nothing_can_be_appended,
    a_table_grows_new_features,
    bounds_never_lose_a_row,
    the_version_grows_with_every_change,
    compaction_changes_no_row,
    another_process_sees_what_was_appended,
    what_is_erased_is_gone,
)
"""The promises of a store of events."""

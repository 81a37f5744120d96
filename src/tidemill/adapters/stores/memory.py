"""Events and blobs in memory: for replays and tests, with the promises of the real ones."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from tidemill.adapters.stores.erasing import key_of
from tidemill.adapters.stores.files import check_name
from tidemill.core.errors import Damaged, NotFound, unknown
from tidemill.core.ports import Parcel, Snapshot
from tidemill.core.records import MOMENT, TABLES, conform


class MemoryEvents:
    """Event tables as Arrow, in this process."""

    def __init__(self) -> None:
        self._rows: dict[str, pa.Table] = {}
        self._done: dict[tuple[str, str], int] = {}
        self._versions: dict[str, int] = {}

    def append(self, table: str, rows: pa.Table, *, writer: str, sequence: int) -> bool:
        if table not in TABLES:
            raise unknown("table", table, TABLES)
        if self._done.get((table, writer), -1) >= sequence:
            return False
        if rows.num_rows == 0:
            return True
        parts = [t for t in (self._rows.get(table), conform(rows, TABLES[table])) if t is not None]
        self._rows[table] = pa.concat_tables(parts, promote_options="default")
        self._done[table, writer] = sequence
        self._versions[table] = self.version(table) + 1
        return True

    def snapshot(
        self,
        table: str,
        *,
        since: date | None = None,
        until: date | None = None,
        arrived: datetime | None = None,
    ) -> Snapshot:
        if table not in TABLES:
            raise unknown("table", table, TABLES)
        rows = self._rows.get(table, TABLES[table].empty_table())
        if since is not None:
            rows = rows.filter(pc.field("day") >= since)
        if until is not None:
            rows = rows.filter(pc.field("day") <= until)
        if arrived is not None:
            rows = rows.filter(pc.field("available_at") >= pa.scalar(arrived, MOMENT))
        return Snapshot(schema=rows.schema, arrow=rows)

    def version(self, table: str) -> int:
        return self._versions.get(table, -1)

    def compact(self, table: str) -> None:
        if table in self._rows:
            self._rows[table] = self._rows[table].combine_chunks()
            self._versions[table] += 1

    def erase(self, table: str, ids: Collection[str]) -> int:
        if table not in TABLES:
            raise unknown("table", table, TABLES)
        key, rows = key_of(table), self._rows.get(table)
        if rows is None:
            return 0
        names = pa.array(sorted(ids), pa.string())
        left = rows.filter(pc.invert(pc.is_in(rows[key], names)))
        self._rows[table] = left
        self._versions[table] += 1
        return rows.num_rows - left.num_rows


class MemoryBlobs:
    """Content-addressed bytes, in this process."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, bytes]] = {}

    def put(self, kind: str, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        check_name(kind, digest)
        self._kept.setdefault(kind, {})[digest] = data
        return digest

    def get(self, kind: str, digest: str) -> bytes:
        check_name(kind, digest)
        data = self._kept.get(kind, {}).get(digest)
        if data is None:
            raise NotFound(f"no {kind} with digest {digest[:12]}.", fix="run 'tidemill check'.")
        if hashlib.sha256(data).hexdigest() != digest:
            raise Damaged(f"the {kind} {digest[:12]} does not match its digest.", fix="restore it.")
        return data

    def digests(self, kind: str) -> list[str]:
        check_name(kind)
        return sorted(self._kept.get(kind, {}))

    def drop(self, kind: str, digest: str) -> None:
        check_name(kind, digest)
        self._kept.get(kind, {}).pop(digest, None)


class MemoryInbox:
    """Parcels in this process."""

    def __init__(self, parcels: list[Parcel] | None = None) -> None:
        self._parcels = parcels or []

    def put(self, parcel: Parcel) -> None:
        self._parcels.append(parcel)

    def pending(self, done: Mapping[str, int]) -> Iterator[Parcel]:
        return iter([p for p in self._parcels if p.sequence > done.get(p.writer, -1)])

    def discard(self, done: Mapping[str, int]) -> dict[str, int]:
        self._parcels = list(self.pending(done))
        return dict(done)

    def erase(self, table: str, ids: Collection[str], *, unit: str | None = None) -> int:
        before, left = 0, list[Parcel]()
        for parcel in self._parcels:
            rows, column = parcel.rows, parcel.columns.get("unit")
            if parcel.table == table:
                goes = [str(i) in ids for i in rows["record_id"].to_pylist()]
                if table == "records" and unit is not None and column in rows.column_names:
                    whose = rows[column].to_pylist()
                    goes = [g or str(u) == unit for g, u in zip(goes, whose, strict=True)]
                before += sum(goes)
                rows = rows.filter(pa.array([not g for g in goes], pa.bool_()))
            left.append(replace(parcel, rows=rows))
        self._parcels = left
        return before

    def close(self) -> None:
        return

"""Events in Delta tables, partitioned by day, append-only."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import TableNotFoundError

from tidemill.core.errors import Damaged, unknown
from tidemill.core.failpoints import failpoint
from tidemill.core.ports import Snapshot
from tidemill.core.records import TABLES, conform

_PROPERTIES = WriterProperties(compression="ZSTD", compression_level=1)


class DeltaEvents:
    """Event tables below one folder, each a Delta table.

    A commit carries its (writer, sequence), so an append that is repeated after a crash is
    recognised and skipped. Tables are read by the file list of one snapshot.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, DeltaTable] = {}

    def append(self, table: str, rows: pa.Table, *, writer: str, sequence: int) -> bool:
        schema = _schema(table)
        delta = self._table(table)
        if delta is not None:
            done = delta.transaction_version(writer)
            if done is not None and done >= sequence:
                return False
        if rows.num_rows == 0:
            return True
        failpoint(f"events.{table}.before")
        stamp = CommitProperties(app_transactions=[Transaction(writer, sequence)])
        write_deltalake(
            delta if delta is not None else str(self._folder / table),
            conform(rows, schema),
            partition_by=["day"],
            mode="append",
            schema_mode="merge",
            commit_properties=stamp,
            writer_properties=_PROPERTIES,
        )
        failpoint(f"events.{table}.after")
        return True

    def snapshot(
        self,
        table: str,
        *,
        since: date | None = None,
        until: date | None = None,
        arrived: datetime | None = None,
    ) -> Snapshot:
        declared = _schema(table)
        delta = self._table(table)
        if delta is None:
            return Snapshot(schema=declared)
        bounds = [f"day >= '{since}'"] if since else []
        bounds += [f"day <= '{until}'"] if until else []
        bounds += [f"available_at >= '{arrived.isoformat()}'"] if arrived else []
        files = delta.file_uris(file_pruning_predicate=" AND ".join(bounds) or None)
        present = pa.schema(delta.schema().to_arrow())
        extra = [f for f in present if f.name not in declared.names]
        return Snapshot(schema=pa.schema([*declared, *extra]), files=tuple(sorted(files)))

    def version(self, table: str) -> int:
        delta = self._table(table)
        return -1 if delta is None else delta.version()

    def compact(self, table: str) -> None:
        delta = self._table(table)
        if delta is not None:
            failpoint(f"events.{table}.compact.before")
            delta.optimize.compact()
            delta.create_checkpoint()
            failpoint(f"events.{table}.compact.after")

    def _table(self, name: str) -> DeltaTable | None:
        delta = self._open.get(name)
        try:
            if delta is None:
                if not (self._folder / name / "_delta_log").exists():
                    return None
                delta = self._open[name] = DeltaTable(str(self._folder / name))
            else:
                delta.update_incremental()
        except TableNotFoundError:
            return None
        except Exception as error:
            self._open.pop(name, None)
            why = " ".join(str(error).split())[:300]
            raise Damaged(
                f"the table {name!r} in {self._folder} cannot be read: {why}.",
                fix="restore the folder from a backup.",
            ) from error
        return delta


def _schema(table: str) -> pa.Schema:
    if table not in TABLES:
        raise unknown("table", table, TABLES)
    return TABLES[table]

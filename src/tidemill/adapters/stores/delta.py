"""Events in Delta tables, partitioned by day, append-only: in a folder or in a bucket."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import date, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import (
    ColumnProperties,
    CommitProperties,
    DeltaTable,
    Transaction,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError, TableNotFoundError

from tidemill.adapters.stores.erasing import erase_log, erase_rows, key_of
from tidemill.adapters.stores.fetched import Fetched
from tidemill.adapters.stores.listing import Listing
from tidemill.adapters.stores.places import Bucket
from tidemill.adapters.stores.sound import unsound
from tidemill.core.errors import Damaged, TidemillError, Unreachable, unknown
from tidemill.core.failpoints import failpoint
from tidemill.core.ports import Flaw, Snapshot
from tidemill.core.records import TABLES, conform

_LOOKED_AT = 1024
"""Rows of a batch that say whether a column's values repeat."""
TIDY = 100
"""Commits after which small files are merged, so that a commit does not get slower with them."""
CROWDED = 4
"""Files of a day from which on they are merged then: to merge two or three takes as long as to write
them anew, and an import in order of time leaves no more."""
SMALL = {"profiles": 32, "signals": 32, "edge_profiles": 32}
"""Tables of a few rows a look, which every look reads: they are not cut by day, but merged after so
many commits, so that a look reads few files however many days there are."""
FULL = 4 << 20
"""Bytes from which on a file of them is merged no more, so that old windows are not read."""
ANEW = 16
"""Commits after which the log is summed up, and a table opened anew: until then all are gone through
at each question."""
KEPT = 7 * 24
"""Hours that files stay which no version needs: somebody may still be reading or writing them."""


class DeltaEvents:
    """Event tables below one place, each a Delta table.

    A commit carries its (writer, sequence), so an append that is repeated after a crash is
    recognised and skipped. Tables are read by the file list of one snapshot.

    Parameters
    ----------
    where
        A folder, or a prefix in a bucket.
    copies
        Where copies of the files of a bucket are kept for an engine that reads local files.
    """

    def __init__(self, where: Path | Bucket, *, copies: Path | None = None) -> None:
        self._where = where
        self._open: dict[str, DeltaTable] = {}
        self._since: dict[str, int] = {}
        self._listed: dict[str, Listing] = {}
        self._options = where.delta if isinstance(where, Bucket) else None
        self._fetch: Fetched | None = None
        if isinstance(where, Bucket) and copies is not None:
            self._fetch = Fetched(where, copies)

    def append(self, table: str, rows: pa.Table, *, writer: str, sequence: int) -> bool:
        schema = _schema(table)
        delta = self._table(table)
        if delta is not None and _done(delta, writer, sequence):
            return False
        if rows.num_rows == 0:
            return True
        failpoint(f"events.{table}.before")
        try:
            self._write(table, delta, conform(rows, schema), Transaction(writer, sequence))
        except CommitFailedError as error:
            # A store that answered too late was asked again, and found its own commit there.
            self._open.pop(table, None)
            delta = self._table(table)
            if delta is None or not _done(delta, writer, sequence):
                raise self._failed(table, error) from error
        except Exception as error:
            raise self._failed(table, error) from error
        self._note(table)
        failpoint(f"events.{table}.after")
        delta = self._open.get(table)
        tidy = SMALL.get(table, TIDY)
        if delta is not None and delta.version() % tidy == tidy - 1:
            self._merge(table, delta, _crowded(delta))
        return True

    def _write(
        self, name: str, delta: DeltaTable | None, rows: pa.Table, mark: Transaction
    ) -> None:
        stamp = CommitProperties(app_transactions=[mark])
        by = [] if name in SMALL else ["day"]
        if delta is not None:
            by = delta.metadata().partition_columns
        if not by:
            rows = rows.drop_columns(["day"])
        write_deltalake(
            delta if delta is not None else self._uri(name),
            rows,
            partition_by=by or None,
            mode="append",
            schema_mode="merge",
            configuration=None if delta is not None else {"delta.checkpointInterval": str(ANEW)},
            commit_properties=stamp,
            writer_properties=_properties(rows),
            storage_options=None if delta is not None else self._options,
        )

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
        listed = self._listed.get(table)
        if listed is None or listed.version != delta.version():
            root = delta.table_uri.rstrip("/")
            if isinstance(self._where, Path):
                root = str(self._where / table)
            listed = self._listed[table] = Listing(root, delta)
        files = listed.files(since=since, until=until, arrived=arrived)
        present = pa.schema(delta.schema().to_arrow())
        extra = [f for f in present if f.name not in declared.names]
        schema = pa.schema([*declared, *extra])
        return Snapshot(schema=schema, files=files, fetch=self._fetch)

    def version(self, table: str) -> int:
        delta = self._table(table)
        return -1 if delta is None else delta.version()

    def compact(self, table: str) -> None:
        delta = self._table(table)
        if delta is not None:
            self._merge(table, delta, None)

    def _merge(self, table: str, delta: DeltaTable, days: list[str] | None) -> None:
        """Merge small files of some days, or of all."""
        only = None if days is None else [("day", "in", days)]
        failpoint(f"events.{table}.compact.before")
        try:
            if days != []:
                size = FULL if table in SMALL else None
                delta.optimize.compact(partition_filters=only, target_size=size)
            delta.create_checkpoint()
            delta.vacuum(retention_hours=KEPT, dry_run=False)
        except CommitFailedError:
            # Another machine appends or merges at this moment: the next one does it.
            self._open.pop(table, None)
        except Exception as error:
            raise self._failed(table, error) from error
        failpoint(f"events.{table}.compact.after")

    def erase(self, table: str, ids: Collection[str]) -> int:
        delta = self._table(_known(table))
        key_of(table)
        if delta is None:
            return 0
        failpoint("events.erase.before")
        try:
            n = erase_rows(delta, table, ids)
            erase_log(delta, self._where / table)
        except Exception as error:
            raise self._failed(table, error) from error
        finally:
            for kept in (self._open, self._listed, self._since):
                kept.pop(table, None)
        if self._fetch is not None:
            self._fetch.clear()
        failpoint("events.erase.after")
        return n

    def flaws(self) -> Iterator[Flaw]:
        """Tell of files that are not as they were, and of those that no version needs."""
        for name in TABLES:
            try:
                delta = self._table(name)
            except TidemillError as error:
                yield Flaw(what=error.what, fix=error.fix)
                continue
            if isinstance(self._where, Path):
                yield from unsound(self._where / name, delta)
            spare = [] if delta is None else delta.vacuum(KEPT, dry_run=True, full=True)
            if delta is not None and spare:
                yield Flaw(
                    what=f"{len(spare):,} files of {name} belong to no row since a week or longer.",
                    fix="tidemill check --repair removes them.",
                    mend=partial(delta.vacuum, KEPT, dry_run=False, full=True),
                )

    def _uri(self, name: str) -> str:
        return (
            (self._where / name).url if isinstance(self._where, Bucket) else str(self._where / name)
        )

    def _table(self, name: str) -> DeltaTable | None:
        delta = self._open.get(name)
        try:
            if delta is None:
                if (
                    isinstance(self._where, Path)
                    and not (self._where / name / "_delta_log").exists()
                ):
                    self._never(name)
                    return None
                delta = self._open[name] = DeltaTable(
                    self._uri(name), storage_options=self._options
                )
            elif self._moved(name, delta):
                delta.update_incremental()
            if delta.version() // ANEW != self._since.setdefault(name, delta.version()) // ANEW:
                self._since[name] = delta.version()
                delta = self._open[name] = DeltaTable(
                    self._uri(name), storage_options=self._options
                )
        except TableNotFoundError:
            self._never(name)
            return None
        except Exception as error:
            self._open.pop(name, None)
            raise self._failed(name, error) from error
        return delta

    def _note(self, name: str) -> None:
        """Write down that a table was begun: without its log it would look as if it never was."""
        if isinstance(self._where, Path) and not (noted := self._where / f".{name}").exists():
            noted.touch()

    def _never(self, name: str) -> None:
        """Raise ``Damaged`` where a table that was begun is not there."""
        if isinstance(self._where, Path) and (self._where / f".{name}").exists():
            raise Damaged(
                f"the log of the table {name!r} in {self._where} is gone.",
                fix="restore the folder from a backup.",
            )

    def _moved(self, name: str, delta: DeltaTable) -> bool:
        """Tell whether a table may have a newer version, without listing its whole log.

        Versions have no gap, so the next one is looked for. A log is cut at its start only, and
        not before a week: this process then stood still for so long that it reads anew.
        """
        if not isinstance(self._where, Path):
            return True
        log = self._where / name / "_delta_log"
        here, following = (log / f"{delta.version() + k:020}.json" for k in (0, 1))
        return following.exists() or not here.exists()

    def _failed(self, name: str, error: Exception) -> TidemillError:
        """Return what an error of Delta means to a person."""
        if isinstance(error, TidemillError):
            return error
        if isinstance(self._where, Bucket) and (isinstance(error, OSError) or "S3" in str(error)):
            return self._where.failed(error)
        why = " ".join(str(error).split())[:300]
        if re.search(r"No space left|[Pp]ermission denied|quota|Read-only", why):
            return Unreachable(
                f"the table {name!r} in {self._where} cannot be written: {why}.",
                fix="free some space or mend the permissions, and run it again; nothing is lost.",
            )
        return Damaged(
            f"the table {name!r} in {self._where} cannot be read: {why}.",
            fix="restore the folder from a backup.",
        )


def _properties(rows: pa.Table) -> WriterProperties:
    """Say how files are written: values that hardly repeat are not looked for in a dictionary.

    To look costs a third of the writing where there are many columns of numbers.
    """
    plain = ColumnProperties(dictionary_enabled=False, statistics_enabled="CHUNK")
    head = rows.slice(0, _LOOKED_AT)
    many = {
        name: plain
        for name in head.column_names
        if _countable(head[name].type) and 2 * pc.count_distinct(head[name]).as_py() > len(head)
    }
    return WriterProperties(
        compression="ZSTD",
        compression_level=1,
        default_column_properties=ColumnProperties(statistics_enabled="CHUNK"),
        column_properties=many if len(head) == _LOOKED_AT else None,
    )


def _countable(kind: pa.DataType) -> bool:
    """Tell whether Arrow counts the different values of a kind."""
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return text or pa.types.is_primitive(kind)


def _done(delta: DeltaTable, writer: str, sequence: int) -> bool:
    done = delta.transaction_version(writer)
    return done is not None and done >= sequence


def _crowded(delta: DeltaTable) -> list[str] | None:
    """Return the days that lie in many files; None where a table is not cut by day."""
    files = pa.table(delta.get_add_actions(flatten=True))
    if "partition.day" not in files.column_names:
        return None
    counts = files["partition.day"].cast(pa.string()).value_counts()
    return (
        counts.filter(pc.greater_equal(counts.field("counts"), CROWDED)).field("values").to_pylist()
    )


def _schema(table: str) -> pa.Schema:
    return TABLES[_known(table)]


def _known(table: str) -> str:
    if table not in TABLES:
        raise unknown("table", table, TABLES)
    return table

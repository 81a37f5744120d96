"""Tables of events: where what happened is kept, and what reads it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The rows of a table at one version: Parquet files, or Arrow in memory."""

    schema: pa.Schema
    files: tuple[str, ...] = ()
    arrow: pa.Table | None = None
    fetch: Callable[[Sequence[str]], tuple[str, ...]] | None = field(default=None, compare=False)
    """Copies the files to this machine, for an engine that does not read them where they are."""


class EventStore(Protocol):
    """Append-only tables of events (:data:`tidemill.core.records.TABLES`)."""

    def append(self, table: str, rows: pa.Table, *, writer: str, sequence: int) -> bool:
        """Append all rows or none; False when this (writer, sequence) was appended before."""
        ...

    def snapshot(
        self,
        table: str,
        *,
        since: date | None = None,
        until: date | None = None,
        arrived: datetime | None = None,
    ) -> Snapshot:
        """Return the rows with ``day`` in [since, until], available at ``arrived`` or later.

        The bounds are for skipping files: the answer may hold more rows, never fewer.
        """
        ...

    def version(self, table: str) -> int:
        """Return a number that grows with every change of the table; -1 when there is none."""
        ...

    def compact(self, table: str) -> None:
        """Merge small files; no row changes."""
        ...

    def erase(self, table: str, ids: Collection[str]) -> int:
        """Remove the rows of these records for ever, and the bytes of every row ever removed.

        Rows of the quarantine are named by ``quarantine_id``. Returns how many went; without ids
        only the bytes go, so a call that was cut short can be repeated. ``BadValue`` for a table
        that holds no rows of single records.
        """
        ...

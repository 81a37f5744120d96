"""Inboxes: where what a service handed over waits to be taken in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from tidemill.core.ports.state import Json


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """Rows that a service handed over and that wait to be taken in."""

    table: str
    """``records``, ``labels`` or ``feedback``."""
    rows: pa.Table
    columns: Json
    """Which column means what, as keywords of the stage's own column map."""
    writer: str
    sequence: int
    source: str


class Inbox(Protocol):
    """What was acknowledged to a service but is not in the tables yet."""

    def pending(self, done: Mapping[str, int]) -> Iterator[Parcel]:
        """Yield what waits, beyond the sequence that each writer is done with.

        Parcels are read one by one: what waits need not fit into memory.
        """
        ...

    def discard(self, done: Mapping[str, int]) -> dict[str, int]:
        """Remove what is done with and whose writer is gone; return what to go on knowing."""
        ...

    def erase(self, table: str, ids: Collection[str], *, unit: str | None = None) -> int:
        """Remove the rows of these records from a table's parcels, taken in or not; their bytes too.

        Rows of ``records`` also go by their unit, and what cannot be read by naming it.
        """
        ...

    def close(self) -> None: ...

"""What is asked of a table that stays where it is: some columns of a bounded window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pyarrow as pa

TIME = "_tidemill_time"
"""The column in which a label's rows carry the time of their record."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """Rows whose moment in a column lies in [low, high); None leaves an end open.

    ``zone`` is that of times that carry none.
    """

    column: str
    low: datetime | None = None
    high: datetime | None = None
    zone: str | None = None


@dataclass(frozen=True, kw_only=True)
class Beside:
    """Another table whose rows, found by their id, say when it was: the records of labels."""

    key: str
    """The column of the asked table that holds the id."""
    other: Source
    other_key: str
    time: str
    """The column of the other table that says when; it comes as :data:`TIME`."""
    spans: Sequence[Span] = ()
    """Which rows of the other table are wanted."""


class Source(Protocol):
    """A user's table where it lies; it is only read."""

    @property
    def name(self) -> str:
        """Where it is, as a message may show it."""
        ...

    def rows(
        self,
        columns: Sequence[str] | None,
        spans: Sequence[Span] = (),
        *,
        filled: str | None = None,
        beside: Beside | None = None,
    ) -> pa.Table:
        """Return columns, or all of them, of the rows within spans; maybe more rows, never fewer.

        ``filled`` is a column that must not be null; ``beside`` leaves out rows without a partner
        and adds :data:`TIME`.
        """
        ...

    def extent(self, newest: str | None, *, filled: str | None = None) -> tuple[int, int]:
        """Count the rows, and tell the newest moment in a column, in microseconds; 0 for none."""
        ...

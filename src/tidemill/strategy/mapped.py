"""What a user's tables hold, as records and labels: the same rows that an import would make."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.records import LABELS, RECORDS, conform
from tidemill.core.sources import TIME, Beside, Source, Span
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.loop.log.facts import take_facts
from tidemill.loop.log.records import take_records
from tidemill.loop.log.taken import Taken, with_day
from tidemill.loop.log.values import DATE, TEXT, read

_END = datetime(9999, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class RecordsIn:
    """A table of predictions, and what its columns mean."""

    source: Source
    columns: Columns
    since: datetime | None = None
    """Older rows are left alone."""
    leave: tuple[str, ...] = ()
    """Columns that are no features where none are named: those of labels in the same table."""
    called: str = "table"

    @property
    def arrival(self) -> str:
        """The column that says when a row could first be seen, as far as any does."""
        return self.columns.available_at or self.columns.time


@dataclass(frozen=True, kw_only=True)
class LabelsIn:
    """A table of labels, and what its columns mean."""

    source: Source
    columns: FactColumns
    kind: str = "outcome"
    called: str = "table"

    @property
    def arrival(self) -> str | None:
        """The column that says when a label could first be seen, as far as any does."""
        return self.columns.available_at or self.columns.happened_at


@dataclass(frozen=True, kw_only=True)
class Window:
    """Which rows a question is about, by the days of records and by arrival."""

    table: str
    since: date | None = None
    until: date | None = None
    arrived: datetime | None = None

    def holds(self, other: Window) -> bool:
        """Tell whether the answer to this holds all rows of the answer to another."""
        return (
            self.table == other.table
            and (self.since is None or (other.since is not None and self.since <= other.since))
            and (self.until is None or (other.until is not None and self.until >= other.until))
            and (
                self.arrived is None
                or (other.arrived is not None and self.arrived <= other.arrived)
            )
        )


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """The tables of a user, and the salt of the draws of their rows."""

    records: RecordsIn
    labels: LabelsIn | None
    salt: str
    naive: set[str] = field(default_factory=set)
    """Columns of times without a zone of which nobody said any."""

    def take(self, window: Window) -> Taken:
        """Return what becomes of the rows of a window: those that count, those that cannot."""
        if window.table == "labels" and self.labels is not None:
            return self._labels(window, self.labels)
        return self._records(window)

    def _records(self, window: Window) -> Taken:
        mine, said = self.records, self.records.columns
        wanted = None
        if said.features is not None:
            wanted = list(dict.fromkeys([*said.named(), *said.features]))
        raw = mine.source.rows(wanted, self._spans(window))
        raw = raw.drop_columns([n for n in mine.leave if n in raw.column_names])
        raw = _ordered(raw, mine.arrival, said.time, said.id)
        zone = self._zone(raw, said, said.time, said.available_at)
        columns = replace(said, available_at=mine.arrival, timezone=zone)
        how: dict[str, Any] = {"kinds": {}, "salt": self.salt, "source": mine.called}
        taken = take_records(raw, columns, now=_END, floor=None, **how)
        # All that is in the table was kept: the log rule had no part in it.
        p_log = pa.array(np.ones(taken.rows.num_rows))
        return replace(taken, rows=conform(taken.rows.append_column("p_log", p_log), RECORDS))

    def _spans(self, window: Window) -> list[Span]:
        """Say which of the user's records a question is about."""
        mine, said = self.records, self.records.columns
        low = [m for m in (_midnight(window.since), mine.since) if m is not None]
        high = None if window.until is None else _midnight(window.until + _DAY)
        spans = [_span(said.time, max(low, default=None), high, said.timezone)]
        if window.arrived is not None and window.table == "records":
            spans.append(_span(mine.arrival, window.arrived, None, said.timezone))
        return [s for s in spans if s.low is not None or s.high is not None]

    def _labels(self, window: Window, theirs: LabelsIn) -> Taken:
        mine, said = self.records, theirs.columns
        beside = Beside(
            key=said.id,
            other=mine.source,
            other_key=str(mine.columns.id),
            time=mine.columns.time,
            spans=self._spans(window),
        )
        spans = []
        if window.arrived is not None and theirs.arrival is not None:
            spans = [_span(theirs.arrival, window.arrived, None, said.timezone)]
        names = (said.id, said.value, said.happened_at, said.available_at, said.cost)
        wanted = list(dict.fromkeys(n for n in names if n is not None))
        raw = theirs.source.rows(wanted, spans, filled=said.value, beside=beside)
        return self._facts(_ordered(raw, theirs.arrival, said.id), theirs)

    def _facts(self, raw: pa.Table, theirs: LabelsIn) -> Taken:
        said = theirs.columns
        at, _ = read(raw[TIME], DATE, timezone=self.records.columns.timezone or "UTC")
        raw = raw.set_column(raw.column_names.index(TIME), TIME, at)
        zone = self._zone(raw, said, said.happened_at, said.available_at)
        taken = take_facts(
            raw,
            replace(said, available_at=theirs.arrival or TIME, timezone=zone),
            name="labels",
            now=_END,
            floor=None,
            source=theirs.called,
            source_kind=theirs.kind,
            versions=theirs.arrival is not None,
        )
        ids, _ = read(raw[said.id], TEXT)
        place = pc.index_in(taken.rows["record_id"].combine_chunks(), ids)
        rows = taken.rows.append_column("predicted_at", at.take(place))
        rows = with_day(rows.filter(pc.is_valid(rows["predicted_at"])), "predicted_at")
        return replace(taken, rows=conform(rows, LABELS))

    def _zone(self, raw: pa.Table, said: Columns | FactColumns, *names: str | None) -> str:
        """Return how times without a zone are read, and remember where nobody said it."""
        if said.timezone is None:
            self.naive.update(repr(n) for n in names if n is not None and _is_bare(raw[n].type))
        return said.timezone or "UTC"

    def assumed(self) -> list[str]:
        """Return what nobody said and is taken as usual; complete once rows were read."""
        mine, theirs = self.records, self.labels
        said = [f"times in {n} have no zone and are taken as UTC." for n in sorted(self.naive)]
        if mine.columns.available_at is None:
            said.append(
                f"records are known from their time ({mine.columns.time}): one that comes into "
                f"{mine.called} later than that is chosen for no label any more."
            )
        if theirs is None:
            return said
        if theirs.arrival is None:
            said.append(AT_ONCE)
        elif theirs.columns.available_at is None:
            said.append(f"labels are known from when they happened ({theirs.arrival}).")
        if theirs.arrival is None or theirs.source == mine.source:
            said.append(
                f"labels in {theirs.called} are those of now: a label that is overwritten there "
                f"is so in the past, too."
            )
        return said


AT_ONCE = (
    "nothing says when labels came: they are taken as known at once, which flatters every model."
)


def _span(column: str, low: datetime | None, high: datetime | None, zone: str | None) -> Span:
    return Span(column=column, low=low, high=high, zone=zone or "UTC")


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)


def _is_bare(kind: pa.DataType) -> bool:
    return pa.types.is_date(kind) or (pa.types.is_timestamp(kind) and kind.tz is None)


def _ordered(raw: pa.Table, *names: str | None) -> pa.Table:
    """Put rows in the order of their arrival: a database gives them in any."""
    by = [(n, "ascending") for n in dict.fromkeys(names) if n is not None]
    return raw.sort_by(by) if raw.num_rows else raw

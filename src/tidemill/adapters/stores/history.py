"""A history in columns: records in order of time, so that what could be seen is a slice of them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.errors import Damaged
from tidemill.core.records import FEATURE, KNOWN, LABELS, RECORDS, SOURCE_KINDS, bare, conform

Places = npt.NDArray[np.int64]
PLACE = "place"
"""Where a row of the reservoir stands among the records of the history."""
_HELD = 256


def microseconds(at: datetime) -> int:
    """Return a moment as whole microseconds since 1970 in UTC."""
    return int(np.datetime64(at.astimezone(UTC).replace(tzinfo=None), "us").astype(np.int64))


def times(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return a column of moments as microseconds since 1970 in UTC."""
    return column.cast(pa.int64()).to_numpy()


class History:
    """What the world said: records and labels, shared by every replay of them.

    Parameters
    ----------
    records, labels
        As stored (:data:`tidemill.core.records.TABLES`), in any order.
    more
        Other tables of the world, such as ``feedback``, by name.
    kinds
        What kind each feature is, as the state of the world keeps it.
    """

    def __init__(
        self,
        records: pa.Table,
        labels: pa.Table,
        *,
        more: dict[str, pa.Table] | None = None,
        kinds: dict[str, str] | None = None,
    ) -> None:
        order = [("predicted_at", "ascending"), ("record_id", "ascending")]
        rows = _as_then_known(conform(records, RECORDS)).sort_by(order).combine_chunks()
        self.records = rows
        self.tables = {"records": rows, "labels": conform(labels, LABELS), **(more or {})}
        self.at = times(rows["predicted_at"])
        self.available = times(rows["available_at"])
        self.in_order = bool(np.all(np.diff(self.available) >= 0))
        self.features = bare(rows)
        self.kinds = kinds or {}
        self._found: dict[int, tuple[pa.Table, Places]] = {}
        self._order_labels()

    def __len__(self) -> int:
        return len(self.at)

    def _order_labels(self) -> None:
        """Put the best label of each record first, to take the first that is known."""
        rows = self.tables["labels"]
        place = pc.index_in(rows["record_id"], self.records["record_id"])
        rank = pc.index_in(rows["source_kind"], pa.array(SOURCE_KINDS))
        rank = pc.fill_null(rank, len(SOURCE_KINDS))
        keyed = rows.append_column("rank", rank).append_column(PLACE, place.cast(pa.int64()))
        keyed = keyed.filter(pc.is_valid(keyed[PLACE]))
        order = [(PLACE, "ascending"), ("rank", "ascending")]
        order += [("available_at", "descending"), ("label_id", "descending")]
        self.labels = keyed.sort_by(order).combine_chunks()
        self.label_place: Places = self.labels[PLACE].to_numpy()
        self.label_available = times(self.labels["available_at"])
        self.label_order: Places = np.argsort(self.label_available, kind="stable")
        self.label_times = self.label_available[self.label_order]
        self._one_each = bool(np.all(np.diff(self.label_place) > 0))

    def first(self, since: datetime | None) -> int:
        """Return the place of the first record predicted at a moment or later."""
        return 0 if since is None else int(np.searchsorted(self.at, microseconds(since)))

    def counted(self, since: datetime | None, until: datetime | None, now: datetime) -> Places:
        """Return the places of the records that became available in [since, until), by ``now``."""
        low = np.iinfo(np.int64).min if since is None else microseconds(since)
        high = microseconds(now) + 1
        high = high if until is None else min(high, microseconds(until))
        if self.in_order:
            ends = np.searchsorted(self.available, [low, high])
            return np.arange(ends[0], max(ends[0], ends[1]))
        return np.flatnonzero((self.available >= low) & (self.available < high))

    def resolved(self, now: datetime, first: int = 0) -> tuple[Places, Places]:
        """Return the places that have a label now, and which row of ``labels`` counts."""
        start = int(np.searchsorted(self.label_place, first))
        known = start + np.flatnonzero(self.label_available[start:] <= microseconds(now))
        place = self.label_place[known]
        if not self._one_each and len(place):
            best = np.concatenate([[True], place[1:] != place[:-1]])
            known, place = known[best], place[best]
        return place, known

    def places(self, rows: pa.Table) -> Places:
        """Return where the records of a table stand; asked again for the same table, at once.

        Raises
        ------
        Damaged
            If a record is not there.
        """
        held = self._found.get(id(rows))
        if held is not None and held[0] is rows:
            return held[1]
        found = self._look_up(rows)
        if len(self._found) > _HELD:
            self._found.clear()
        self._found[id(rows)] = (rows, found)
        return found

    def _look_up(self, rows: pa.Table) -> Places:
        """Find records among those predicted in the same span of time, which are few."""
        at = times(rows["predicted_at"])
        low = int(np.searchsorted(self.at, at.min(initial=np.iinfo(np.int64).max)))
        high = int(np.searchsorted(self.at, at.max(initial=0), side="right"))
        near = self.records["record_id"].slice(low, max(0, high - low))
        place = pc.index_in(rows["record_id"], near)
        if place.null_count:
            lost = rows.filter(pc.is_null(place))["record_id"]
            raise Damaged(
                f"record {lost[0].as_py()!r} is not in the history.",
                fix="the records were erased or lost; form a new dataset.",
            )
        return low + place.cast(pa.int64()).to_numpy()


def _as_then_known(rows: pa.Table) -> pa.Table:
    """Hide what was not known yet at the prediction, as the door does; times go."""
    for known in [c for c in rows.column_names if c.startswith(KNOWN)]:
        name = FEATURE + known.removeprefix(KNOWN)
        late = pc.fill_null(pc.greater(rows[known], rows["predicted_at"]), False)
        nothing = pa.scalar(None, rows.schema.field(name).type)
        hidden = pc.if_else(late, nothing, rows[name])
        rows = rows.set_column(rows.column_names.index(name), name, hidden).drop_columns([known])
    return rows

"""History in columns: the questions of a turn answered from sorted arrays, for replays.

A replay asks the same few questions thousands of times. Compiling SQL for each would take
longer than training; here records lie in order of time, and what could be seen at a moment
is a slice of them. Rules are still evaluated by the engine, on the rows found. The suite in
``tidemill.testing.doors`` holds every answer against the one from SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr import types as ir

from tidemill.adapters.stores.memory import MemoryEvents
from tidemill.core.as_of import ANSWERED, AsOf
from tidemill.core.draws import row_hash
from tidemill.core.errors import Damaged
from tidemill.core.ports import Snapshot
from tidemill.core.records import (
    FEATURE,
    KNOWN,
    LABELS,
    RECORDS,
    SOURCE_KINDS,
    bare,
    conform,
    features_of,
)
from tidemill.core.rules import LabelRule

Places = npt.NDArray[np.int64]
PLACE = "place"
"""Where a row of the reservoir stands among the records of the history."""
_LABEL = ("label_id", "label", "label_text", "source_kind")


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


_HELD = 256


def _as_then_known(rows: pa.Table) -> pa.Table:
    """Hide what was not known yet at the prediction, as the door does; times go."""
    for known in [c for c in rows.column_names if c.startswith(KNOWN)]:
        name = FEATURE + known.removeprefix(KNOWN)
        late = pc.fill_null(pc.greater(rows[known], rows["predicted_at"]), False)
        nothing = pa.scalar(None, rows.schema.field(name).type)
        hidden = pc.if_else(late, nothing, rows[name])
        rows = rows.set_column(rows.column_names.index(name), name, hidden).drop_columns([known])
    return rows


class ReplayEvents(MemoryEvents):
    """The event tables of one replay: the shared history, and what this one decides itself."""

    def __init__(self, history: History) -> None:
        super().__init__()
        self.history = history
        self.content = ""
        """Names all that was decided so far; two replays that decided alike share it."""
        self._held: list[pa.Table] = []
        self._parts: list[tuple[int, Places, npt.NDArray[np.float64]]] = []
        self._chosen: tuple[int, Places, npt.NDArray[np.float64]] | None = None
        for name, rows in history.tables.items():
            if rows.num_rows:
                self._rows[name] = rows
                self._versions[name] = 0

    @property
    def own_labels(self) -> bool:
        """Whether a labeller of this replay has added labels to those of the history."""
        told = self.history.tables["labels"]
        return self._rows.get("labels", told) is not told

    def append(self, table: str, rows: pa.Table, *, writer: str, sequence: int) -> bool:
        if not super().append(table, rows, writer=writer, sequence=sequence):
            return False
        self.content = f"{hash((self.content, table, writer, sequence, id(rows))):x}"
        self._held.append(rows)  # so that no other takes its id
        if table == "chosen" and rows.num_rows:
            pi = rows["pi"].to_numpy(zero_copy_only=False)
            seen = int(times(rows["available_at"])[0])
            self._parts.append((seen, self.history.places(rows), pi))
        return True

    def chosen_between(self, low: int, high: int) -> Places:
        """Return the places chosen in (low, high], in microseconds since 1970."""
        parts = [p[1] for p in self._parts if low < p[0] <= high]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    def chosen_places(self) -> Places:
        """Return the places of all that was ever chosen."""
        return np.concatenate([np.zeros(0, np.int64), *(p[1] for p in self._parts)])

    def chosen(self, now: datetime) -> tuple[Places, npt.NDArray[np.float64]]:
        """Return the places chosen so far, in order, with their inclusion probability."""
        parts = [p for p in self._parts if p[0] <= microseconds(now)]
        if self._chosen is None or self._chosen[0] != len(parts):
            places = np.concatenate([np.zeros(0, np.int64), *(p[1] for p in parts)])
            pi = np.concatenate([np.zeros(0), *(p[2] for p in parts)])
            order = np.argsort(places, kind="stable")
            self._chosen = (len(parts), places[order], pi[order])
        return self._chosen[1], self._chosen[2]


Answering = Callable[[int, int], pa.Table]
"""What a strategy's models answered on a slice of the records; columns of ``ANSWERED``."""
Recall = Callable[[tuple[Any, ...], Callable[[], Any]], Any]


def ask_anew(key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
    """Answer a question without remembering it."""
    return make()


@dataclass(frozen=True)
class ColumnsAsOf(AsOf):
    """The door to a history in columns, at ``now``."""

    events: ReplayEvents
    answers: Answering | None = None
    recall: Recall = ask_anew

    @property
    def _history(self) -> History:
        return self.events.history

    def _rows(self, places: Places) -> pa.Table:
        """Return records by place; a slice where they are neighbours."""
        n = len(places)
        if n and places[-1] - places[0] == n - 1 and np.all(np.diff(places) == 1):
            return self._history.records.slice(int(places[0]), n)
        return self._history.records.take(pa.array(places))

    def arrivals(self, since: datetime | None) -> dict[datetime, int]:
        places = self._history.counted(since, None, self.now)
        seconds = self._history.available[places] // 1_000_000
        at, n = np.unique(seconds, return_counts=True)
        pairs = zip(at.tolist(), n.tolist(), strict=True)
        return {datetime.fromtimestamp(s, UTC): count for s, count in pairs}

    def arrived(self, start: datetime, end: datetime) -> ir.Table:
        return self._table(self._rows(self._history.counted(start, end, self.now)))

    def newest(self, n: int, *, since: datetime) -> pa.Table:
        first = self._history.first(since)
        seen = self._history.available[first:] <= microseconds(self.now)
        places = first + np.flatnonzero(seen)
        at = self._history.at[places]
        # Of records of one moment the smaller ids count as newer, as in SQL.
        order = np.lexsort((np.arange(len(places)), -at))[:n]
        return self._history.features.take(pa.array(places[order]))

    def features(self, wanted: pa.Table) -> pa.Table:
        places = self._history.places(wanted)
        rows = self._rows(places)
        same = pc.equal(rows["row_hash"], wanted["row_hash"])
        if not pc.all(same).as_py():
            found = rows.select(["record_id", *features_of(rows.column_names)])
            wrong = pc.sum(pc.not_equal(row_hash(found), wanted["row_hash"])).as_py()
            raise Damaged(
                f"{wrong} records changed since the dataset was formed.",
                fix="form a new dataset.",
            )
        return rows.select(features_of(rows.column_names))

    def reservoir(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> ir.Table:
        if self.events.own_labels:
            return super().reservoir(since=since, until=until)
        places, pi = self.events.chosen(self.now)
        ends = np.searchsorted(places, [self._history.first(since), self._last(until)])
        places, pi = places[ends[0] : ends[1]], pi[ends[0] : ends[1]]
        rows = self._rows(places)
        labelled, which = self._history.resolved(self.now, self._history.first(since))
        spot = np.searchsorted(labelled, places)
        has = spot < len(labelled)
        has[has] = labelled[spot[has]] == places[has]
        which = pa.array(np.where(has, which[np.where(has, spot, 0)] if len(which) else 0, 0))
        which = pc.if_else(pa.array(has), which, pa.scalar(None, pa.int64()))
        for name in _LABEL:
            rows = rows.append_column(name, self._history.labels[name].take(which))
        p_log = rows["p_log"].to_numpy(zero_copy_only=False)
        rows = rows.append_column("pi", pa.array(pi))
        rows = rows.append_column("weight", pa.array(1.0 / (p_log * pi)))
        return self._table(rows.append_column(PLACE, pa.array(places)))

    def _last(self, until: datetime | None) -> int:
        return len(self._history) if until is None else self._history.first(until)

    def judged(self, labels: LabelRule, *, since: datetime, also: Sequence[str] = ()) -> pa.Table:
        first = self._history.first(since)
        # Not only up to now: a clock that is ahead predicts after its record has arrived.
        seen = first + np.flatnonzero(self._history.available[first:] <= microseconds(self.now))
        last = int(seen[-1]) + 1 if len(seen) else first
        if self.answers is None:
            rows = self._rows(seen).select(ANSWERED)
        else:
            rows = self.answers(first, last).take(pa.array(seen - first))
        if also:
            known = self._rows(seen)
            for name in also:
                rows = rows.append_column(name, known[name])
        place, label, text, weight = self.final(labels, since=since)
        spot = np.searchsorted(place, seen)
        spot = np.where(spot < len(place), spot, 0)
        has = place[spot] == seen if len(place) else np.zeros(len(seen), bool)
        which = pc.if_else(pa.array(has), pa.array(spot), pa.scalar(None, pa.int64()))
        for name, column in (("label", label), ("label_text", text), ("weight", weight)):
            rows = rows.append_column(name, column.take(which))
        return rows

    def reopened(self, since: datetime) -> datetime | None:
        if self.events.own_labels:
            return super().reopened(since)
        history, low, high = self._history, microseconds(since), microseconds(self.now)
        new = history.counted(since, None, self.now)
        start, end = np.searchsorted(history.label_times, [low, high], side="right")
        changed = (
            new[history.available[new] > low],
            history.label_place[history.label_order[start:end]],
            self.events.chosen_between(low, high),
        )
        oldest = min((int(places.min()) for places in changed if len(places)), default=None)
        if oldest is None:
            return None
        return history.records["predicted_at"][oldest].as_py().astimezone(UTC)

    def counted(self, labels: LabelRule, since: datetime) -> tuple[int, int]:
        after = self._history.available > microseconds(since)
        new = int((after & (self._history.available <= microseconds(self.now))).sum())
        then = ColumnsAsOf(self.events, self.engine, since, self.answers, self.recall)
        late = np.setdiff1d(self.final(labels)[0], then.final(labels)[0], assume_unique=True)
        return new, len(late)

    def final(
        self, labels: LabelRule, *, since: datetime | None = None
    ) -> tuple[Places, pa.Array, pa.Array, pa.Array]:
        """Return the place, label, text and weight of rows whose label is final, in order."""

        def find() -> tuple[Places, pa.Array, pa.Array, pa.Array]:
            rows = labels(self.reservoir(since=since), self.now)
            own = self.events.own_labels
            keys = ["record_id", "predicted_at"] if own else [PLACE]
            found = self.arrow(rows.select(*keys, "label", "label_text", "weight"))
            places = self._history.places(found) if own else found[PLACE].to_numpy()
            order = pa.array(np.argsort(places))
            found = found.take(order).combine_chunks()
            columns = [found[c].combine_chunks() for c in ("label", "label_text", "weight")]
            return places[order.to_numpy()], columns[0], columns[1], columns[2]

        return self.recall(("final", self.now, since, repr(labels)), find)

    def _table(self, rows: pa.Table) -> ir.Table:
        return self.engine.table(Snapshot(schema=rows.schema, arrow=rows))

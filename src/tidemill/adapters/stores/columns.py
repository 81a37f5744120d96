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

from tidemill.adapters.stores.history import PLACE, History, Places, microseconds, times
from tidemill.adapters.stores.memory import MemoryEvents
from tidemill.core.as_of import ANSWERED, AsOf
from tidemill.core.draws import row_hash
from tidemill.core.errors import Damaged
from tidemill.core.ports import Snapshot
from tidemill.core.records import features_of
from tidemill.core.rules import LabelRule

_LABEL = ("label_id", "label", "label_text", "source_kind")


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

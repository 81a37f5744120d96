"""Event tables that are a user's own: read where they lie, never copied, never written.

A question is answered from the user's table by WHERE on its times, and its rows become records
and labels as those of an import do: the same checks, the same draws, since a draw depends on
nothing but the salt and the id. What the mill makes itself lies in its own tables.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.durations import duration
from tidemill.core.errors import NotAllowed
from tidemill.core.ports import EventStore, Flaw, Snapshot, World
from tidemill.loop.log.taken import Taken
from tidemill.strategy.mapped import AT_ONCE, LabelsIn, Mapped, RecordsIn, Window
from tidemill.strategy.strategy import Strategy

_ANSWERS = 8
"""Answers kept until a table changes: a turn asks for few windows, some of them often."""
_STALE = 60.0
"""Seconds after which it is asked again whether a table changed, should no turn have asked."""


@dataclass
class _Known:
    """What is known of the tables as they were when they were last looked at."""

    at: float = float("-inf")
    versions: dict[str, int] = field(default_factory=dict[str, int])
    answers: list[tuple[Window, Taken]] = field(default_factory=list[tuple[Window, Taken]])


class InPlace:
    """Event tables of which records, and maybe labels, are a user's own.

    Parameters
    ----------
    own
        The mill's tables, for everything else; labels too, where the user names no table.
    mapped
        The user's tables.
    """

    mending = (
        "put the rows in the table back as they were, or form a new dataset of those there are."
    )
    """What to do about a dataset whose records are not those it was formed of."""

    def __init__(self, own: EventStore, mapped: Mapped) -> None:
        self._own, self._mapped, self._known = own, mapped, _Known()
        self.tables = ("records",) if mapped.labels is None else ("records", "labels")

    def append(self, table: str, rows: pa.Table, *, writer: str, sequence: int) -> bool:
        self.refuse(table)
        return self._own.append(table, rows, writer=writer, sequence=sequence)

    def refuse(self, table: str, *, instead: str = "") -> None:
        """Refuse to write into a table of the user.

        Raises
        ------
        NotAllowed
            If it is one.
        """
        if table in self.tables:
            raise NotAllowed(
                f"{table} of this project are in {self.name(table)}, which tidemill only reads.",
                fix=f"{instead}write the rows there, as what fills that table does.",
            )

    def name(self, table: str) -> str:
        """Say where a table of the user is."""
        return self._in(table).source.name

    def assumed(self) -> list[str]:
        """Return what nobody said of the tables; complete once they were read."""
        return self._mapped.assumed()

    def snapshot(
        self,
        table: str,
        *,
        since: date | None = None,
        until: date | None = None,
        arrived: datetime | None = None,
    ) -> Snapshot:
        if table not in self.tables:
            return self._own.snapshot(table, since=since, until=until, arrived=arrived)
        window = Window(table=table, since=since, until=until, arrived=arrived)
        rows = self.taken(window).rows
        return Snapshot(schema=rows.schema, arrow=rows)

    def version(self, table: str) -> int:
        if table not in self.tables:
            return self._own.version(table)
        if time.monotonic() - self._known.at > _STALE:
            self.look()
        return self._known.versions[table]

    def look(self) -> None:
        """Ask whether the tables changed; what was answered before holds until they did."""
        found = {name: self._extent(name) for name in self.tables}
        if self._known.versions != found:
            self._known = _Known(versions=found)
        self._known.at = time.monotonic()

    def _extent(self, table: str) -> int:
        """Return a number that grows with the rows of a table and with their newest arrival."""
        inside = self._in(table)
        filled = inside.columns.value if isinstance(inside, LabelsIn) else None
        count, newest = inside.source.extent(inside.arrival, filled=filled)
        return newest + count if count else -1

    def taken(self, window: Window) -> Taken:
        """Return what becomes of the user's rows: those that count, and those that cannot."""
        self.version(window.table)
        answers = self._known.answers
        for k, (other, found) in enumerate(answers):
            if other.holds(window):
                answers.append(answers.pop(k))
                return found
        found = self._mapped.take(window)
        # What a wider answer holds is kept once.
        answers[:] = [a for a in answers if not window.holds(a[0])][1 - _ANSWERS :]
        answers.append((window, found))
        return found

    def compact(self, table: str) -> None:
        if table not in self.tables:
            self._own.compact(table)

    def erase(self, table: str, ids: Collection[str]) -> int:
        if table not in self.tables:
            return self._own.erase(table, ids)
        there = self.taken(Window(table=table)).rows["record_id"]
        if n := pc.sum(pc.is_in(there, pa.array(sorted(ids), pa.string()))).as_py():
            raise NotAllowed(
                f"{n} of these {table} are in {self.name(table)}, which tidemill only reads.",
                fix="delete them there first, then erase again: the rest goes then.",
            )
        return 0

    def flaws(self) -> list[Flaw]:
        """Return what the mill's own tables say of themselves."""
        return list(getattr(self._own, "flaws", list[Flaw])())

    def _in(self, table: str) -> RecordsIn | LabelsIn:
        labels = self._mapped.labels
        return labels if table == "labels" and labels is not None else self._mapped.records


FACT = "in_place"
"""What was read of each table, and what is assumed of them: so that nobody need ask them."""


def assumed(world: World) -> list[str]:
    """Return what nobody said of the tables of a project, as of its last turn."""
    return list((world.state.fact(FACT) or {}).get("assumed", ()))


def doubt(world: World, strategy: Strategy) -> str:
    """Say why figures flatter: neither the table nor the strategy says when labels are known."""
    if AT_ONCE not in assumed(world) or duration(strategy.labels.final_after):
        return ""
    return f"{AT_ONCE} Fix: say final_after in the strategy, or available_at in project.toml"


def refuse(events: EventStore, table: str, *, instead: str = "") -> None:
    """Refuse to store rows of a table that is the user's.

    Parameters
    ----------
    instead
        What may be done beside writing the rows there, for the way out.

    Raises
    ------
    NotAllowed
        If it is one.
    """
    if isinstance(events, InPlace):
        events.refuse(table, instead=instead)


def in_place(events: EventStore) -> tuple[str, ...]:
    """Return the tables that are the user's own and stay where they are."""
    return events.tables if isinstance(events, InPlace) else ()


def refused(events: EventStore, table: str) -> str:
    """Say why rows of a table cannot be stored; nothing where they can."""
    try:
        refuse(events, table)
    except NotAllowed as error:
        return error.what
    return ""

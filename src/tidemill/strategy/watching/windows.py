"""Which base windows must be looked at: those that closed, and those of which more is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from ibis.expr import types as ir

from tidemill.core.as_of import moment
from tidemill.core.durations import duration
from tidemill.core.ports import Json
from tidemill.monitoring.watching import Monitoring
from tidemill.strategy.turn import Turn

_EPOCH = datetime.fromtimestamp(0, UTC)
_TABLES = ("records", "labels", "chosen", "feedback", "edge_profiles")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far monitoring has come: what it saw last, and until when windows were closed."""

    sequence: int = 0
    at: datetime | None = None

    @classmethod
    def of(cls, fact: Json | None) -> Progress:
        if fact is None:
            return cls()
        return cls(sequence=fact["sequence"], at=datetime.fromisoformat(fact["at"]))

    def json(self) -> Json:
        return {"sequence": self.sequence, "at": None if self.at is None else self.at.isoformat()}


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Base windows are cut at multiples of their length since 1970, so a day is a day in UTC."""

    every: timedelta

    @classmethod
    def of(cls, turn: Turn) -> Windows:
        return cls(every=duration(turn.strategy.window))

    @property
    def days(self) -> float:
        return self.every / timedelta(days=1)

    def start(self, at: datetime) -> datetime:
        """Return the start of the window that holds a moment."""
        return _EPOCH + (at - _EPOCH) // self.every * self.every

    def numbered(self, k: int) -> datetime:
        return _EPOCH + k * self.every

    def number(self, rows: ir.Table) -> ir.IntegerColumn:
        """Return the number of each row's window."""
        at: Any = rows.predicted_at
        return (at.truncate("s").epoch_seconds() // int(self.every.total_seconds())).cast("int64")

    def spans(self, turn: Turn, start: datetime) -> list[int]:
        """Return the spans that end with a window: each window counts in each span once."""
        number = (start - _EPOCH) // self.every
        return [span for span in rules(turn).spans if (number + 1) % span == 0]

    def before(self, start: datetime, n: int) -> list[datetime]:
        """Return the n windows before one, the oldest first."""
        return [start - k * self.every for k in range(n, 0, -1)]


def rules(turn: Turn) -> Monitoring:
    """Return the monitoring part of the strategy; the stage is only asked where there is one."""
    return cast("Monitoring", turn.strategy.monitoring)


def first_window(turn: Turn) -> datetime:
    """Return the first window there is a profile of, reading no more than it must."""
    tables = ("profiles", "edge_profiles")
    known = tuple(turn.world.events.version(name) for name in tables)
    kept = turn.world.remembered.get("first window")
    if kept is None or kept[0] != known:
        found = [Windows.of(turn).start(turn.now)]
        for name, version in zip(tables, known, strict=True):
            if version >= 0:
                rows = turn.view.table(name)
                at = turn.view.arrow(rows.aggregate(at=rows.predicted_at.min()))["at"][0].as_py()
                found += [] if at is None else [at.astimezone(UTC)]
        kept = turn.world.remembered["first window"] = (known, min(found))
    return kept[1]


def touched(
    turn: Turn,
    since: datetime | None,
    *,
    tables: Iterable[str] = _TABLES,
    closed: bool = True,
) -> set[datetime]:
    """Return the windows of which anything came to be known after ``since``.

    Where all ``tables`` are looked at, a window whose last labels have become final since then
    counts too: only now can it be told how good the answers in it were; so does one that
    closed since, even without a record. ``closed`` leaves out the one that is still open.
    """
    windows = Windows.of(turn)
    now = windows.start(turn.now)
    found: set[datetime] = set()
    for name in tables:
        found |= _new(turn, windows, name, since).keys()
    if closed and found and since is None:
        found |= _between(windows, min(found), now)
    elif closed and since is not None:
        # Before the first window there was nothing that could be bad.
        late = {s for s in _settled(turn, windows, since) if s >= first_window(turn)}
        found |= _between(windows, windows.start(since), now) | late
    return {start for start in found if start < now or not closed}


def arrived(turn: Turn, since: datetime | None) -> dict[datetime, int]:
    """Return how many records of each window came to be known after ``since``, in order."""
    return dict(sorted(_new(turn, Windows.of(turn), "records", since).items()))


def _new(turn: Turn, windows: Windows, name: str, since: datetime | None) -> dict[datetime, int]:
    """Return the windows of a table's new rows and how many they are; asked once at a moment."""
    version = turn.world.events.version(name)
    if version < 0 or (since is not None and since >= turn.now):
        return {}
    key = (turn.now, version, windows.every, since)
    kept = turn.world.remembered.setdefault("touched", {})
    if kept.get(name, (None,))[0] != key:
        rows = turn.view.table(name, arrived=since)
        if since is not None:
            rows = rows.filter(rows.available_at > moment(since))
        counts = rows.group_by(k=windows.number(rows)).aggregate(n=rows.count())
        found = turn.view.arrow(counts).to_pylist()
        kept[name] = (key, {windows.numbered(r["k"]): r["n"] for r in found if r["k"] is not None})
    return kept[name][1]


def _between(windows: Windows, first: datetime, last: datetime) -> set[datetime]:
    """Return the windows from one to another; one without a record is a finding too."""
    return {first + k * windows.every for k in range((last - first) // windows.every)}


def _settled(turn: Turn, windows: Windows, since: datetime) -> set[datetime]:
    final = duration(turn.strategy.labels.final_after)
    last = windows.start(turn.now - final) - windows.every
    first = windows.start(since - final)
    n = max(0, (last - first) // windows.every + 1)
    # A window is settled when its last record's label is final, and was not at ``since``.
    return {first + k * windows.every for k in range(n)}


def settled(turn: Turn, start: datetime) -> bool:
    """Tell whether every label of a window that will ever count has had its time to come."""
    final = duration(turn.strategy.labels.final_after)
    return start + duration(turn.strategy.window) + final <= turn.now

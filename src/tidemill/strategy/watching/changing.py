"""Which kind of change an incident looks like: sudden, gradual, periodic or away and back."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from tidemill.core.ports import Json
from tidemill.core.signals import KINDS, Key
from tidemill.statistics.changes import Change, kind_of_change
from tidemill.strategy.turn import Turn
from tidemill.strategy.watching.store import latest
from tidemill.strategy.watching.windows import Windows

PAST = 120
"""How many windows back a change may lie."""
SOON = 14
"""Within so many windows a step must have been found bad to be what an incident is of."""
_KEY = ("kind", "metric", "column", "cohort", "model")
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)


def changes(turn: Turn, asked: Sequence[tuple[Json, datetime]]) -> Iterator[Json]:
    """Say which kind of change the first signal of each incident looks like, as far as it is known.

    Parameters
    ----------
    asked
        The payload of each incident, of whose signals that of the most valuable kind is looked
        at, and the start of the last window to look at. What this look judged is in the store
        already.

    Yields
    ------
    dict
        ``kind`` (``sudden``, ``gradual``, ``temporary``, ``periodic`` or ``unknown``), ``onset``
        (None where it cannot be told) and ``why``.
    """
    if not asked:
        return
    firsts = [min(p["signals"], key=lambda s: KINDS.index(s["kind"])) for p, _ in asked]
    keys = [Key(**{n: first[n] for n in _KEY}) for first in firsts]
    every = Windows.of(turn).every
    series = _series(turn, keys, min(until for _, until in asked) - (PAST - 1) * every)
    for key, first, (_, until) in zip(keys, firsts, asked, strict=True):
        oldest = until - (PAST - 1) * every
        known = {at: v for at, v in series[key].items() if oldest <= at <= until}
        yield looks_like(known, every, bad=datetime.fromisoformat(first["start"]))


def looks_like(series: dict[datetime, float], every: timedelta, *, bad: datetime) -> Json:
    """Say which kind of change a series went through, by the start of its windows.

    A change that does not hold the window first found ``bad`` is not what the incident is of:
    its kind is unknown.

    Examples
    --------
    >>> first, day = datetime(2024, 1, 1, tzinfo=UTC), timedelta(days=1)
    >>> series = {first + k * day: float(k >= 20) + 0.1 * (k % 3) for k in range(30)}
    >>> found = looks_like(series, day, bad=first + 22 * day)
    >>> found["kind"], found["onset"][:10]
    ('sudden', '2024-01-21')
    """
    if not series:
        return {"kind": "unknown", "onset": None, "why": "it was not measured"}
    begin = min(series)
    values = np.full((max(series) - begin) // every + 1, math.nan)
    for start, value in series.items():
        values[(start - begin) // every] = value
    found = kind_of_change(values, season=_season(every))
    if found.kind == "none":
        why = "few windows yet, or small beside their noise"
        return {"kind": "unknown", "onset": None, "why": why}
    onset = None if found.onset is None else begin + found.onset * every
    if onset is not None and not _holds(found, onset, bad, every):
        why = f"the clearest change is another one, since {onset:%Y-%m-%d}"
        return {"kind": "unknown", "onset": None, "why": why}
    at = None if onset is None else onset.isoformat()
    return {"kind": found.kind, "onset": at, "why": found.why + _between(found, begin, every)}


def _between(found: Change, begin: datetime, every: timedelta) -> str:
    """Write between which windows a change began, where that is not one window."""
    if found.earliest is None or found.latest is None or found.earliest == found.latest:
        return ""
    first, last = (begin + place * every for place in (found.earliest, found.latest))
    to_minute = "%Y-%m-%d" if every >= _DAY else "%Y-%m-%d %H:%M"
    return f"; it began between {first:{to_minute}} and {last:{to_minute}}, with 90 % confidence"


def _holds(found: Change, onset: datetime, bad: datetime, every: timedelta) -> bool:
    """Tell whether a window is within a change; a step is not what is bad only long after it."""
    if found.kind == "temporary" and found.end is not None:
        return onset <= bad < onset + (found.end - (found.onset or 0)) * every
    return onset <= bad and not (found.kind == "sudden" and bad - onset > SOON * every)


def _series(
    turn: Turn, keys: Sequence[Key], since: datetime
) -> defaultdict[Key, dict[datetime, float]]:
    """Return the values of some signals since a moment, by the start of their window."""
    rows = latest(turn.view, since=since, metrics=sorted({key.metric for key in keys}))
    rows = rows.select(*_KEY, "predicted_at", "value").order_by("predicted_at")
    found: defaultdict[Key, dict[datetime, float]] = defaultdict(dict)
    for row in turn.view.arrow(rows).to_pylist():
        value = math.nan if row["value"] is None else row["value"]
        found[Key(**{n: row[n] for n in _KEY})][row["predicted_at"].astimezone(UTC)] = value
    return found


def _season(every: timedelta) -> int:
    """Return after how many windows things may come again: a week of days, a day of hours."""
    if every >= _WEEK or every.total_seconds() <= 0:
        return 0
    span = _WEEK if every >= _DAY else _DAY
    return span // every if span % every == timedelta(0) else 0

"""Do not retrain at certain times."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from tidemill.core.clock import instant
from tidemill.core.errors import BadValue
from tidemill.core.limits import Has
from tidemill.core.rule import rule
from tidemill.core.rules import Facts, Trigger
from tidemill.core.verdict import Decision
from tidemill.loop.triggers.composition import named
from tidemill.loop.triggers.every import Every

_YEARLY = re.compile(r"(\d\d)-(\d\d)")
_BARE = len("2013-01-07")
_DAY = timedelta(days=1)
_LEAP = 2024


@dataclass(frozen=True)
class Spans:
    """A list of (start, end), both moments or both days of every year such as "12-24"."""

    def broken(self, value: object) -> str | None:
        must = "a list of (start, end) such as ('2024-12-24', '2025-01-02') or ('12-24', '01-02')"
        if not isinstance(value, list | tuple):
            return must
        for span in value:
            if not isinstance(span, list | tuple) or len(span) != 2:  # noqa: PLR2004 - start, end
                return must
            try:
                start, end = _inside(span[0], span[1], _LEAP)
            except (BadValue, TypeError, ValueError, OverflowError):
                return must
            if not _yearly(span[0]) and end <= start:
                return f"{must}, each ending after its start"
        return None

    def bad(self) -> Iterator[object]:
        yield from (None, "12-24", [("12-24",)], [("12-24", "13-02")], [("12-24", "2025-01-02")])
        yield from ([("2024-12-24", "soon")], [("2024-12-24", "2024-12-01")], [(1, 2)], ["ab"])


@rule
class Blackout:
    """Hold a trigger back in spans of time, every year or once.

    The last day of a span belongs to it; an end with a time of day does not. Only a person
    who asks is not held back.

    Parameters
    ----------
    trigger
        What is held back.
    spans
        A list of (start, end), in UTC: days of every year such as ``("11-20", "12-02")``,
        which may pass the new year, or ISO moments such as ``("2024-11-20", "2024-12-02")``.

    Examples
    --------
    >>> facts = Facts(now=instant("2013-12-27"), last_triggered=instant("2013-01-07"), asked=None)
    >>> decision = Blackout(Every("7d"), [("12-20", "01-02")])(facts)
    >>> decision.fire, decision.next_due.isoformat()
    (False, '2014-01-03T00:00:00+00:00')
    """

    trigger: Annotated[Trigger, Has("wants", "a trigger, such as Every('7d')")]
    spans: Annotated[Sequence[tuple[str, str]], Spans()]

    def __post_init__(self) -> None:
        spans = tuple((start, end) for start, end in self.spans)
        object.__setattr__(self, "spans", spans)

    @property
    def wants(self) -> tuple[Any, ...]:
        return self.trigger.wants

    def __call__(self, facts: Facts, /) -> Decision:
        said = self.trigger(facts)
        if facts.asked:
            return said
        if not said.fire:
            return replace(said, next_due=said.next_due and self.over(said.next_due))
        span = self._at(facts.now)
        if span is None:
            return said
        why = f"held back from {span[0]} to {span[1]} ({named(self.trigger, said)})"
        return replace(said, fire=False, why=why, next_due=self.over(facts.now))

    def over(self, at: datetime) -> datetime | None:
        """Return the first moment from ``at`` on that no span covers; None when there is none."""
        for _ in range(2 * len(self.spans) + 1):
            span = self._at(at)
            if span is None:
                return at
            at = span[2]
        return None

    def _at(self, at: datetime) -> tuple[str, str, datetime] | None:
        """Return the span that covers a moment, with the end of it."""
        for start, end in self.spans:
            for year in (at.year, at.year - 1):
                first, after = _inside(start, end, year)
                if first <= at < after:
                    return start, end, after
        return None

    @classmethod
    def examples(cls) -> Iterator[Blackout]:
        yield cls(Every("7d"), [("11-20", "12-02"), ("12-24", "01-02")])
        yield cls(Every("7d"), [("2024-02-20", "2024-03-05T12:00:00Z")])


def _yearly(text: str) -> bool:
    return _YEARLY.fullmatch(text) is not None


def _inside(start: str, end: str, year: int) -> tuple[datetime, datetime]:
    """Return the first moment of a span that starts in a year, and the first one after it."""
    if _yearly(start) != _yearly(end):
        raise BadValue(f"{start!r} and {end!r} are not of one kind.", fix="write both alike.")
    if not _yearly(start):
        return instant(start), instant(end) + (_DAY if len(end) <= _BARE else timedelta(0))
    past = end < start  # as texts of month and day: it passes the new year
    return _day(start, year), _after(end, year + past)


def _day(text: str, year: int) -> datetime:
    """Return the start of a day of a year; 29 February is 1 March where there is none."""
    month, day = int(text[:2]), int(text[3:])
    datetime(_LEAP, month, day, tzinfo=UTC)  # raises where no year has such a day
    return datetime(year, month, 1, tzinfo=UTC) + (day - 1) * _DAY


def _after(text: str, year: int) -> datetime:
    """Return the end of a day of a year; 28 February ends where a 29th that is not would."""
    if text == "02-29":
        return datetime(year, 3, 1, tzinfo=UTC)
    return _day(text, year) + _DAY

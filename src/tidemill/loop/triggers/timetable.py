"""The five fields of cron, read once and asked for the next moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tidemill.core.errors import BadValue

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FIELDS = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: k + 1 for k, name in enumerate(_MONTHS)}),
    ("day of the week", 0, 7, {name: k for k, name in enumerate(_DAYS)}),
)
_FIX = "write it like '0 6 * * 1': minute, hour, day of the month, month, day of the week."
_SEARCHED = timedelta(days=366 * 41)
"""A 29 February on a given day of the week comes again within 40 years."""


@dataclass(frozen=True)
class Timetable:
    """When something is due, in UTC; as in cron, two restricted days mean either of them.

    Examples
    --------
    >>> Timetable.of("0 6 * * mon").after(datetime(2013, 1, 7, 6, tzinfo=UTC)).isoformat()
    '2013-01-14T06:00:00+00:00'
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool
    """Whether a day fits by the month or by the week, not by both."""

    @classmethod
    def of(cls, text: str) -> Timetable:
        """Read five fields: numbers, ``*``, lists, ranges, steps, and names of days and months.

        Raises
        ------
        BadValue
            If the text is none, or if no day ever fits it.
        """
        parts = text.lower().split()
        if len(parts) != len(_FIELDS):
            raise BadValue(f"{text!r} has {len(parts)} fields, not 5.", fix=_FIX)
        found = [_field(p, *f) for p, f in zip(parts, _FIELDS, strict=True)]
        minutes, hours, days, months, weekdays = found
        either = not (parts[2].startswith("*") or parts[4].startswith("*"))
        if not either and min(days) > max(_LONGEST[m - 1] for m in months):
            raise BadValue(f"{text!r}: no month chosen has a day {min(days)}.", fix=_FIX)
        return cls(
            minutes=tuple(sorted(minutes)),
            hours=tuple(sorted(hours)),
            days=frozenset(days),
            months=frozenset(months),
            weekdays=frozenset(d % 7 for d in weekdays),
            either=either,
        )

    def after(self, at: datetime) -> datetime | None:
        """Return the first moment strictly after ``at``; None when time itself ends before."""
        start = at.astimezone(UTC)
        try:
            day = start.replace(hour=0, minute=0, second=0, microsecond=0)
            last = day + min(_SEARCHED, datetime.max.replace(tzinfo=UTC) - day)
            while day <= last:
                for found in self._on(day) if self._fits(day) else ():
                    if found > start:
                        return found
                day += timedelta(days=1)
        except OverflowError:  # the last day that a datetime can hold
            return None
        return None

    def _fits(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (in_month or in_week) if self.either else (in_month and in_week)

    def _on(self, day: datetime) -> Iterator[datetime]:
        for hour in self.hours:
            for minute in self.minutes:
                yield day.replace(hour=hour, minute=minute)


def _field(text: str, name: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    """Read one field: a list of ``*``, numbers or ranges, the last two with a step if wanted."""
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            start, end = low, min(high, 6) if names and high == 7 else high  # noqa: PLR2004 - sunday
        else:
            start = _number(first, name, low, high, names)
            end = _number(last, name, low, high, names) if dash else start
            if dash and last == "sun" and start:
                end = high  # the week may end with sunday as well as begin with it
        every = _number(step, f"step of the {name}", 1, max(high, 1), {}) if slash else 1
        if end < start or (slash and not dash and span != "*"):
            fix = f"write a {name} like {low}, {low}-{high}, */2 or {low}-{high}/2."
            raise BadValue(f"{part!r} is no {name}.", fix=fix)
        found.update(range(start, end + 1, every))
    return found


def _number(text: str, name: str, low: int, high: int, names: dict[str, int]) -> int:
    if text in names:
        return names[text]
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and low <= int(text) <= high):  # noqa: PLR2004 - digits
        known = f" or one of {', '.join(names)}" if names else ""
        raise BadValue(f"{text!r} is no {name}.", fix=f"write {low} to {high}{known}.")
    return int(text)


@dataclass(frozen=True)
class CronText:
    """Five fields that a :class:`Timetable` can be read from."""

    def broken(self, value: object) -> str | None:
        must = "five fields of cron such as '0 6 * * 1', in UTC"
        if not isinstance(value, str):
            return must
        try:
            Timetable.of(value)
        except BadValue as error:
            return f"{must} ({error.what.rstrip('.')})"
        return None

    def bad(self) -> Iterator[object]:
        yield from (None, 1, "", "monday", "0 6 * *", "60 6 * * 1", "0 6 * * 8", "0 6 31 2 *")
        yield from ("*/0 * * * *", "5-1 * * * *", "0 6 * * mo", "1,,2 * * * *", "5/15 * * * *")

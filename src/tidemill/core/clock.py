"""Time: the only module that may ask what time it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from tidemill.core.errors import BadValue, NotAllowed


class Clock(Protocol):
    """Tells the time, always in UTC."""

    def now(self) -> datetime:
        """Return the present moment, time-zone aware, in UTC."""
        ...


@dataclass(frozen=True)
class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class ReplayedClock:
    """A clock that stands still until it is moved, and never runs backwards.

    Examples
    --------
    >>> clock = ReplayedClock(instant("2013-01-07"))
    >>> clock.move_to(instant("2013-01-14T00:00:00Z"))
    >>> clock.now().isoformat()
    '2013-01-14T00:00:00+00:00'
    """

    at: datetime = field()

    def now(self) -> datetime:
        return self.at

    def move_to(self, at: datetime) -> None:
        if at < self.at:
            raise NotAllowed(
                f"the clock stands at {self.at.isoformat()} and cannot go back to {at.isoformat()}.",
                fix=f"give a time at or after {self.at.isoformat()}.",
            )
        self.at = at


def instant(text: str | datetime) -> datetime:
    """Read a moment; a bare date is midnight UTC, a naive date and time is refused.

    Raises
    ------
    BadValue
        If the text is no ISO 8601 moment, or a time of day without a time zone.

    Examples
    --------
    >>> instant("2013-01-07").isoformat()
    '2013-01-07T00:00:00+00:00'
    """
    fix = "write it like 2013-01-07 or 2013-01-07T06:00:00Z."
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else text
    except ValueError:
        raise BadValue(f"{text!r} is not a moment in time.", fix=fix) from None
    if at.tzinfo is None:
        if isinstance(text, str) and len(text) <= len("2013-01-07"):
            return at.replace(tzinfo=UTC)
        raise BadValue(f"{str(text)!r} has no time zone.", fix=fix)
    return at.astimezone(UTC)

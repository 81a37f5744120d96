"""The parts of a value that the calendar explains: weekday, hour, holidays, a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadValue, unknown

Floats = NDArray[np.float64]
SEASONS = ("weekday", "hour", "hour of week")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
EPOCH = date(1970, 1, 1)

_TWO_DAYS, _TWO_WEEKS, _FOUR_WEEKS, _WEEK = 2.0, 14.0, 28.0, 6.5
_BY_HOUR = 0.51
"""Windows longer than half a day cannot tell one hour from another."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """Columns for least squares, the row of the new value, and why that has none, or ""."""

    columns: Floats
    new: Floats
    missing: str = ""


def seasons(spacing: float, span: float) -> tuple[str, ...]:
    """Say which seasons windows of a spacing can have, given how much of them was seen.

    Parameters
    ----------
    spacing
        From the start of one window to the start of the next, in days.
    span
        From the first window to the last, in days.

    Returns
    -------
    tuple of str
        Weekday needs two weeks, the hour two days, each hour of the week its own four weeks.

    Examples
    --------
    >>> seasons(1.0, 60.0), seasons(1 / 24, 3.0), seasons(1 / 24, 60.0), seasons(7.0, 700.0)
    (('weekday',), ('hour',), ('hour of week',), ())
    """
    weekly = span + spacing >= _TWO_WEEKS and spacing < _WEEK
    if spacing > _BY_HOUR:
        return ("weekday",) if weekly else ()
    if span + spacing >= _FOUR_WEEKS:
        return ("hour of week",)
    hourly = ("hour",) if span + spacing >= _TWO_DAYS else ()
    return (*(("weekday",) if weekly else ()), *hourly)


def design(
    days: Floats,
    at: float,
    *,
    season: Sequence[str] = (),
    trend: bool = False,
    holidays: Mapping[date, str] | None = None,
) -> Design:
    """Lay out what the calendar says of past values and of a new one.

    Parameters
    ----------
    days
        When each of T values was, in days since 1970 by the clock on the wall; shape (T,).
    at
        When the new value is, likewise.
    season
        Any of "weekday", "hour", "hour of week".
    trend
        Whether a straight line through time belongs to it.
    holidays
        The name of each holiday by its day. A name adds the same amount every time.

    Raises
    ------
    NotFound
        If a season is unknown.

    Examples
    --------
    >>> made = design(np.arange(4.0, 18.0), 18.0, season=["weekday"])  # 1970-01-05 was a Monday
    >>> made.columns.shape, made.new.tolist(), made.missing
    ((14, 7), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], '')
    """
    both = np.append(days, at)
    blocks, missing = [np.ones((both.size, 1))] if not season else [], ""
    for k, name in enumerate(season):
        block, absent = _levels(name, both, whole=k == 0)
        blocks.append(block)
        missing = missing or absent
    if trend:
        middle, width = float(days.mean()), float(np.ptp(days)) or 1.0
        blocks.append((both[:, None] - middle) / width)
    if holidays:
        block, absent = _holidays(both, holidays)
        blocks.append(block)
        missing = absent or missing
    every = np.concatenate(blocks, axis=1)
    return Design(columns=every[:-1], new=every[-1], missing=missing)


def _levels(name: str, days: Floats, *, whole: bool) -> tuple[Floats, str]:
    """Return a column per level seen in the past; without ``whole`` the first goes without."""
    # A minute of grace, since days as decimal numbers do not hold an hour exactly.
    hours = np.floor(days * 24 + 1 / 60).astype(np.int64)
    weekday = (np.floor_divide(hours, 24) + 3) % 7
    codes = {"weekday": weekday, "hour": hours % 24, "hour of week": weekday * 24 + hours % 24}
    if name not in codes:
        raise unknown("season", name, codes)
    code = codes[name]
    seen = np.unique(code[:-1])
    absent = "" if code[-1] in seen else f"no {_called(name, int(code[-1]))} among the windows"
    return (code[:, None] == seen[0 if whole else 1 :]).astype(np.float64), absent


def _called(name: str, code: int) -> str:
    if name == "weekday":
        return WEEKDAYS[code]
    return f"{code % 24}:00" if name == "hour" else f"{WEEKDAYS[code // 24]} {code % 24}:00"


def _holidays(days: Floats, holidays: Mapping[date, str]) -> tuple[Floats, str]:
    """Return a column per holiday seen, and what is missing if the new day is a rare one."""
    named = {(day - EPOCH).days: name for day, name in holidays.items()}
    names = [named.get(int(d), "") for d in np.floor(days)]
    if names[-1]:
        past = {
            int(np.floor(d)) for d, n in zip(days[:-1], names[:-1], strict=True) if n == names[-1]
        }
        if len(past) < 2:  # noqa: PLR2004 - one day has no spread
            often = "once" if past else "never"
            return np.empty((days.size, 0)), f"{names[-1]} was seen {often} before, two are needed"
    seen = sorted({n for n in names[:-1] if n})
    column = np.array([[float(n == s) for s in seen] for n in names], dtype=np.float64)
    return column.reshape(days.size, len(seen)), ""


def as_days(times: NDArray[np.generic]) -> Floats:
    """Return moments as days since 1970; numbers are taken as such already.

    Examples
    --------
    >>> as_days(np.array(["1970-01-02T12:00"], dtype="datetime64[m]")).tolist()
    [1.5]
    """
    known = np.asarray(times)
    if known.dtype.kind == "M":
        return (known.astype("datetime64[us]").astype(np.int64)) / (86_400 * 1e6)
    if known.dtype.kind not in "iuf":
        raise BadValue(f"times are of type {known.dtype}.", fix="pass datetime64 or day numbers.")
    return known.astype(np.float64)


def day(number: float) -> date:
    """Return the date of a day number.

    Examples
    --------
    >>> day(1.5).isoformat()
    '1970-01-02'
    """
    return EPOCH + timedelta(days=int(np.floor(number)))

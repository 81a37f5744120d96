"""Durations as people write them: ``"7d"``, ``"36h"``, ``"1d12h"``."""

from __future__ import annotations

import re
from datetime import timedelta

from tidemill.core.errors import BadValue

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WHOLE = re.compile(r"(?:\d+[wdhms])+")
_PART = re.compile(r"(\d+)([wdhms])")


def duration(text: object) -> timedelta:
    """Read a duration such as ``"7d"`` or ``"1d12h"``.

    Raises
    ------
    BadValue
        If the text is not one or more whole numbers, each with a unit of w, d, h, m or s.

    Examples
    --------
    >>> duration("1d12h")
    datetime.timedelta(days=1, seconds=43200)
    >>> duration("soon")
    Traceback (most recent call last):
    ...
    tidemill.core.errors.BadValue: 'soon' is not a duration. Fix: write it like '7d', '36h' or '1d12h'.
    """
    if isinstance(text, timedelta):
        return text
    if not isinstance(text, str) or not _WHOLE.fullmatch(text.strip()):
        raise BadValue(f"{text!r} is not a duration.", fix="write it like '7d', '36h' or '1d12h'.")
    try:
        seconds = sum(int(n) * _SECONDS[unit] for n, unit in _PART.findall(text))
        return timedelta(seconds=seconds)
    except (OverflowError, ValueError):  # Python reads no number of thousands of digits
        raise BadValue(f"{text!r} is longer than time allows.", fix="write less.") from None


def words(span: timedelta) -> str:
    """Write a duration the way :func:`duration` reads it.

    Examples
    --------
    >>> words(timedelta(days=1, hours=12))
    '1d12h'
    >>> words(timedelta(0))
    '0s'
    """
    rest = int(span.total_seconds())
    sign = "-" if rest < 0 else ""
    rest, parts = abs(rest), []
    for unit, size in _SECONDS.items():
        if unit != "w" and rest >= size:
            parts.append(f"{rest // size}{unit}")
            rest %= size
    return sign + ("".join(parts) or "0s")

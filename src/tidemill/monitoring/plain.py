"""Text from data, made harmless: what a column or a category holds must not write the message."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, datetime, timedelta

from tidemill.core.durations import words

_LONGEST = 60
_TAG = re.compile(r"<(?=[^\s\d=.-])")
_HOUR = timedelta(hours=1)


def plain(value: object, *, most: int = 300) -> str:
    r"""Return a value as one line of text that starts no link, mention or markup.

    Line breaks and control characters become spaces, backticks apostrophes; ``<`` before a
    letter, ``](`` and ``://`` are pulled apart. A text longer than ``most`` is cut.

    Examples
    --------
    >>> plain("p < 0.01 <script>")
    'p < 0.01 < script>'
    >>> plain("[click](http://x)\nnow")
    '[click] (http: //x) now'
    """
    text = _TAG.sub("< ", line(value, most=most))
    return text.replace("](", "] (").replace("://", ": //")


def line(value: object, *, most: int = 300) -> str:
    """Return a value as one line without control characters and backticks, and no longer."""
    text = "" if value is None else str(value)[: 4 * most]
    text = "".join(" " if unicodedata.category(c) in _UNSEEN else c for c in text)
    text = " ".join(text.replace("`", "'").split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Kinds of characters that a message must not hold: controls, marks of direction, halves of
surrogate pairs, letters nobody has agreed on, separators of lines."""


def quoted(value: object) -> str:
    """Return a name or an id as code, so that it reads as what it is.

    Examples
    --------
    >>> quoted("null`rate")
    "`null'rate`"
    """
    return f"`{line(value, most=_LONGEST) or '?'}`"


def number(value: object) -> str:
    """Return a number with four figures, or an empty text for what is none.

    Examples
    --------
    >>> number(0.123456), number(1234567.0), number(float("nan")), number("x")
    ('0.1235', '1,234,567', '', '')
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"  # noqa: PLR2004


def moment(value: object) -> datetime | None:
    """Read a moment of a document; None when it holds none."""
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def clock(at: datetime) -> str:
    """Return a moment as people read it.

    Examples
    --------
    >>> clock(datetime(2013, 2, 8, 18, 30, tzinfo=UTC))
    'Fri 2013-02-08 18:30 UTC'
    >>> clock(datetime(2013, 2, 8, tzinfo=UTC))
    'Fri 2013-02-08'
    """
    day = f"{_DAYS[at.weekday()]} {at:%Y-%m-%d}"
    return day if (at.hour, at.minute) == (0, 0) else f"{day} {at:%H:%M} UTC"


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")  # strftime's follow the locale


def span(length: timedelta) -> str:
    """Return a length of time in one or two units.

    Examples
    --------
    >>> span(timedelta(days=3, hours=2, minutes=7)), span(timedelta(minutes=5, seconds=3))
    ('3d2h', '5m')
    """
    unit = _HOUR if length >= timedelta(days=1) else timedelta(minutes=1)
    return words(length // unit * unit)

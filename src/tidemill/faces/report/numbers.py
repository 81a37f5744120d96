"""How the numbers of a backtest are written, alike in the terminal and on the page."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # ports loads Ibis
    from tidemill.core.ports import Json


NOTHING = "-"
_DIGITS = ((1000, 0), (100, 1), (10, 2), (0.001, 3), (1e-9, 5))
"""From which size on how many digits follow the point; a value of 0 is given three."""
_SHORT = ((100, ",.0f"), (1, ".1f"), (0, ".2f"))


def known(value: float | None) -> float | None:
    """Return the value if it is a finite number.

    Examples
    --------
    >>> known(0.5), known(float("nan")), known(None)
    (0.5, None, None)
    """
    return value if value is not None and math.isfinite(value) else None


def score(value: float | None) -> str:
    """Write a value of a metric with about three figures that matter.

    Examples
    --------
    >>> score(0.71249), score(12.3456), score(1234.5), score(None)
    ('0.712', '12.35', '1,234', '-')
    """
    value = known(value)
    return NOTHING if value is None else _figures(value, "")


def signed(value: float | None) -> str:
    """Write a difference with its sign.

    Examples
    --------
    >>> signed(0.0093), signed(-1.25), signed(0.0)
    ('+0.009', '-1.250', '0.000')
    """
    value = known(value)
    if value is None:
        return NOTHING
    text = _figures(value, "+")
    return text[1:] if not any(figure in "123456789" for figure in text) else text


def ends(interval: Json) -> str:
    """Write the ends of an interval; nothing when it has none.

    Examples
    --------
    >>> ends({"value": 0.009, "low": 0.0011, "high": 0.017}), ends({"low": None, "high": None})
    ('[0.001, 0.017]', '')
    """
    low, high = known(interval.get("low")), known(interval.get("high"))
    return "" if low is None or high is None else f"[{_figures(low, '')}, {_figures(high, '')}]"


def count(value: float | None) -> str:
    """Write how many.

    Examples
    --------
    >>> count(12000), count(None)
    ('12,000', '-')
    """
    value = known(value)
    return NOTHING if value is None else f"{value:,.0f}"


def seconds(value: float | None) -> str:
    """Write seconds, with a tenth only where it matters.

    Examples
    --------
    >>> seconds(0.04), seconds(3.14), seconds(1234.5)
    ('0.04', '3.1', '1,234')
    """
    value = known(value)
    if value is None:
        return NOTHING
    form = next(form for least, form in _SHORT if abs(value) >= least)
    return f"{value:{form}}"


def noun(n: int, one: str) -> str:
    """Write a number with its noun.

    Examples
    --------
    >>> noun(1, "step"), noun(44, "step")
    ('1 step', '44 steps')
    """
    return f"{n:,} {one}{'' if n == 1 else 's'}"


def moment(text: str) -> datetime:
    """Read a time of the document; one without an offset is UTC."""
    read = datetime.fromisoformat(text)
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def day(text: str | None) -> str:
    """Write the day of a time.

    Examples
    --------
    >>> day("2013-02-10T06:00:00+00:00"), day(None)
    ('2013-02-10', '-')
    """
    return NOTHING if text is None else f"{moment(text):%Y-%m-%d}"


def _figures(value: float, sign: str) -> str:
    size = abs(value)
    digits = next((n for least, n in _DIGITS if size >= least), 3)
    return f"{value:{sign},.{digits}f}"

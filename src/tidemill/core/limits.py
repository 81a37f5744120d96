"""Limits are data on a rule's fields, so bad values and their messages can be generated.

A field says its limit in its annotation, ``floor: Annotated[float, Between(0, 1)]``. The
``@rule`` decorator checks every limit once, at birth; the conformance suite asks each
limit for values it must refuse and checks that the refusal names the fix.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from tidemill.core.durations import duration
from tidemill.core.errors import BadValue


class Limit(Protocol):
    """What a field's value must satisfy."""

    def broken(self, value: object) -> str | None:
        """Say what the value must be, or None when it is fine."""
        ...

    def bad(self) -> Iterator[object]:
        """Yield values that must be refused."""
        ...


@dataclass(frozen=True)
class OrNone:
    """What another limit says, or None for a field that may be left out."""

    limit: Limit

    def broken(self, value: object) -> str | None:
        must = None if value is None else self.limit.broken(value)
        return None if must is None else f"{must}, or None"

    def bad(self) -> Iterator[object]:
        yield from (value for value in self.limit.bad() if value is not None)


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return isinstance(value, int) or math.isfinite(value)


@dataclass(frozen=True)
class Between:
    """A finite number from ``low`` to ``high``, both allowed unless ``open_low``."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False

    def broken(self, value: object) -> str | None:
        below = not _is_number(value) or (
            value <= self.low if self.open_low else value < self.low  # type: ignore[operator]
        )
        if below or value > self.high:  # type: ignore[operator]
            return self.words()
        return None

    def words(self) -> str:
        low = f"{'above' if self.open_low else 'at least'} {self.low:g}"
        high = f"at most {self.high:g}"
        if math.isinf(self.low):
            return "a finite number" if math.isinf(self.high) else f"a number, {high}"
        return f"a number {low}" + ("" if math.isinf(self.high) else f" and {high}")

    def bad(self) -> Iterator[object]:
        yield from ("1", None, math.nan, math.inf, True)
        if not math.isinf(self.low):
            yield self.low if self.open_low else self.low - 1
        if not math.isinf(self.high):
            yield self.high + 1


@dataclass(frozen=True)
class Whole:
    """A whole number, at least ``low``."""

    low: int = 0

    def broken(self, value: object) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool) and value >= self.low:
            return None
        return f"a whole number, at least {self.low}"

    def bad(self) -> Iterator[object]:
        yield from (self.low - 1, self.low + 0.5, "1", None, True)


@dataclass(frozen=True)
class Span:
    """A duration such as ``"7d"``, longer than ``longer_than``, at most a hundred years."""

    longer_than: timedelta = timedelta(0)
    zero: bool = False
    longest: timedelta = timedelta(days=36_500)

    def broken(self, value: object) -> str | None:
        must = "a duration like '7d', '36h' or '1d12h'" + ("" if self.zero else ", longer than 0s")
        must += f" and at most {self.longest.days}d"
        try:
            span = duration(value)  # type: ignore[arg-type]
        except BadValue:
            return must
        fits = span > self.longer_than or (self.zero and not span)
        return None if fits and span <= self.longest else must

    def bad(self) -> Iterator[object]:
        yield from ("soon", "7", "-1d", 7, None, f"{self.longest.days + 1}d", "9" * 5000 + "d")
        if not self.zero:
            yield "0d"


@dataclass(frozen=True)
class OneOf:
    """One of a few words."""

    words: tuple[str, ...]

    def broken(self, value: object) -> str | None:
        return None if value in self.words else "one of " + ", ".join(map(repr, self.words))

    def bad(self) -> Iterator[object]:
        yield from (self.words[0] + "?", "", None, 1)


@dataclass(frozen=True)
class Text:
    """A text that is not empty."""

    def broken(self, value: object) -> str | None:
        return None if isinstance(value, str) and value.strip() else "a text that is not empty"

    def bad(self) -> Iterator[object]:
        yield from ("", "  ", None, 1)


@dataclass(frozen=True)
class Texts:
    """One or more texts, in a list or a tuple."""

    words: str

    def broken(self, value: object) -> str | None:
        fits = isinstance(value, list | tuple) and value and all(isinstance(v, str) for v in value)
        return None if fits else self.words

    def bad(self) -> Iterator[object]:
        yield from ((), [], "a text", ["a text", 1], None, 1)


@dataclass(frozen=True)
class Has:
    """An object with a method or attribute, so that a metric is a metric and not a name."""

    member: str
    words: str

    def broken(self, value: object) -> str | None:
        if isinstance(value, type) or not hasattr(value, self.member):
            return self.words
        return None

    def bad(self) -> Iterator[object]:
        yield from (None, 1, object())


@dataclass(frozen=True)
class Call:
    """A function, or anything that can be called; not a class."""

    def broken(self, value: object) -> str | None:
        return None if callable(value) and not isinstance(value, type) else "a function"

    def bad(self) -> Iterator[object]:
        yield from (None, 1, "module:function", dict)

"""Texts that look as they should, and values of the type they should be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any

import ibis
from ibis.expr import types as ir

from tidemill.core.errors import BadValue
from tidemill.core.limits import Between, OneOf, Text
from tidemill.core.rule import rule
from tidemill.core.signals import Judgement, Point
from tidemill.monitoring.quality.columns import (
    and_not_null,
    is_numeric,
    text,
    there,
    value_of,
)
from tidemill.monitoring.quality.judging import judge_share
from tidemill.monitoring.quality.shares import OfRows

_NOT_EVERYWHERE = re.compile(
    r"\(\?(?:[=!>]|<[=!]|P=|P<)|\\[1-9Zz]|(?<!\\)\[\^?\]?(?:\\.|[^\]\\[&]|&(?!&))*(?:\[|&&)"
)
_MARK = "\x01"
_BREAKS = "\n\r\x85\u2028\u2029"
_NUMBER = r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?"
_DAY = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = "([ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
LOOKS = {
    "number": f"^ *{_NUMBER} *$",
    "whole": "^ *[+-]?[0-9]+ *$",
    "moment": f"^ *{_DAY}{_CLOCK} *$",
    "bool": "^ *([tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|0|1) *$",
}


@rule
class Matches(OfRows):
    """At most a share of texts may not match a pattern, from their first character to the last.

    The share is of the rows that have a text.

    Parameters
    ----------
    column
        The bare name of a feature of texts, or ``"output_text"``, ``"record_id"`` and so on.
    pattern
        A regular expression that every engine reads: without looking ahead or behind, without
        going back to a group, without named groups or brackets within brackets. A dot stands
        for any character, a line break too.
    at_most
        The share that may, from 0 to 1.
    alerting
        Whether it may page anybody.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"f_tail": ["N14228", "14228", None]})
    >>> Matches("tail", "N[0-9A-Z]+").failing(records).to_pyarrow().to_pylist()
    [False, True, False]
    """

    column: Annotated[str, Text()]
    pattern: Annotated[str, Text()]
    _: KW_ONLY
    at_most: Annotated[float, Between(0, 1)] = 0.0
    alerting: bool = True

    def __post_init__(self) -> None:
        if (found := _NOT_EVERYWHERE.search(self.pattern)) is not None:
            raise BadValue(
                f"pattern {self.pattern!r} uses {found[0]!r}, which not every engine reads.",
                fix="write it without, or use Holds with a function of the records.",
            )
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise BadValue(f"pattern {self.pattern!r}: {error}.", fix="mend the pattern.") from None

    @property
    def metric(self) -> str:
        return "not_matching"

    def failing(self, records: ir.Table, /) -> ir.BooleanColumn:
        values = text(records, self.column)
        return values.notnull() & ~and_not_null(wholly(values, self.pattern))

    def applies(self, records: ir.Table, /) -> ir.BooleanColumn:
        return text(records, self.column).notnull()

    def judge(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        of = f"texts of {self.column} do not match {self.pattern!r}"
        return judge_share(self, points, alpha, of)

    @classmethod
    def examples(cls) -> Iterator[Matches]:
        yield cls("text", "[a-z]+")
        yield cls("text", r"\d{4}", at_most=0.01)


@rule
class TypeIs(OfRows):
    """At most a share of values may be of another type than the column should be.

    A column whose type changed is stored as texts: then those count that do not read as the
    type. Numbers count as texts nowhere. The share is of the rows that have a value.

    Parameters
    ----------
    column
        The bare name of a feature, or ``"output"``, ``"score"`` and so on.
    type
        ``"number"``, ``"whole"`` (a number without a fraction), ``"text"``, ``"moment"`` (a day
        or a time as ISO 8601 writes them) or ``"bool"``.
    at_most
        The share that may, from 0 to 1.
    alerting
        Whether it may page anybody.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"f_age": ["30", "thirty", None]})
    >>> TypeIs("age", "number").failing(records).to_pyarrow().to_pylist()
    [False, True, False]
    """

    column: Annotated[str, Text()]
    type: Annotated[str, OneOf(("number", "whole", "text", "moment", "bool"))]
    _: KW_ONLY
    at_most: Annotated[float, Between(0, 1)] = 0.0
    alerting: bool = True

    @property
    def metric(self) -> str:
        return "wrong_type"

    def failing(self, records: ir.Table, /) -> ir.BooleanColumn:
        values = value_of(records, self.column)
        return there(values) & ~and_not_null(_is(values, self.type))

    def applies(self, records: ir.Table, /) -> ir.BooleanColumn:
        return there(value_of(records, self.column))

    def judge(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        return judge_share(self, points, alpha, f"values of {self.column} are no {self.type}")

    @classmethod
    def examples(cls) -> Iterator[TypeIs]:
        yield cls("number", "number")
        yield cls("text", "moment", at_most=0.01)


def wholly(values: Any, pattern: str) -> Any:
    """Return whether each text matches a pattern from its first character to its last.

    Java, and so Spark, lets ``$`` stand before a line break at the end, and ``.`` for fewer
    characters than others do. So a text that ends with a line break is asked with a mark after it.
    """
    plain = values.re_search(f"(?s)^(?:{pattern})$")
    marked = (values + _MARK).re_search(f"(?s)^(?:{pattern}){_MARK}$")
    return ibis.ifelse(values.re_search(f"[{_BREAKS}]$"), marked, plain)


def _is(values: Any, kind: str) -> Any:
    """Return whether each value is of a kind, as every engine would say it."""
    of = values.type()
    if of.is_string():
        # A cast reads other texts on each engine; a pattern reads the same.
        return values.notnull() if kind == "text" else wholly(values, LOOKS[kind])
    numeric = is_numeric(values)
    if kind == "whole" and numeric and not of.is_integer():
        return values % 1 == 0
    if kind == "bool" and numeric:
        return values.isin((0, 1))
    fits = {
        "number": numeric,
        "whole": numeric,
        "bool": of.is_boolean(),
        "moment": of.is_temporal(),
    }
    return values.notnull() & ibis.literal(fits.get(kind, False))

"""Numbers within a range."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any

import ibis
from ibis.expr import types as ir

from tidemill.core.errors import BadValue
from tidemill.core.limits import Between, Text
from tidemill.core.rule import rule
from tidemill.core.signals import Judgement, Point
from tidemill.monitoring.quality.columns import and_not_null, number, there
from tidemill.monitoring.quality.judging import judge_share
from tidemill.monitoring.quality.shares import OfRows


@rule
class InRange(OfRows):
    """At most a share of numbers may be outside a range, whose ends belong to it.

    The share is of the rows that have a number; an infinite one is outside. A change of unit
    puts nearly all outside.

    Parameters
    ----------
    column
        The bare name of a feature of numbers, or ``"output"``, ``"score"`` and so on.
    low, high
        The range; None leaves that end open.
    at_most
        The share that may, from 0 to 1.
    alerting
        Whether it may page anybody.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"f_age": [30.0, -1.0, None]})
    >>> InRange("age", low=0).failing(records).to_pyarrow().to_pylist()
    [False, True, False]
    """

    column: Annotated[str, Text()]
    _: KW_ONLY
    low: Annotated[float, Between()] | None = None
    high: Annotated[float, Between()] | None = None
    at_most: Annotated[float, Between(0, 1)] = 0.0
    alerting: bool = True

    def __post_init__(self) -> None:
        low, high = self.low, self.high
        if low is None and high is None:
            raise BadValue(f"{self!r} has no end.", fix="give low, high or both.")
        if low is not None and high is not None and low > high:
            raise BadValue(f"low {low:g} is above high {high:g}.", fix="swap them.")

    @property
    def metric(self) -> str:
        return "out_of_range"

    def failing(self, records: ir.Table, /) -> ir.BooleanColumn:
        values = number(records, self.column)
        outside: Any = ibis.literal(False)
        if self.low is not None:
            outside |= values < self.low
        if self.high is not None:
            outside |= values > self.high
        return there(values) & and_not_null(outside)  # NaN is above all numbers on some engines

    def applies(self, records: ir.Table, /) -> ir.BooleanColumn:
        return there(number(records, self.column))

    def judge(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        low = "-inf" if self.low is None else f"{self.low:g}"
        high = "inf" if self.high is None else f"{self.high:g}"
        of = f"numbers of {self.column} are outside {low} to {high}"
        return judge_share(self, points, alpha, of)

    @classmethod
    def examples(cls) -> Iterator[InRange]:
        yield cls("number", low=0, high=10)
        yield cls("score", high=1.0, at_most=0.01)

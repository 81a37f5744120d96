"""Values that are not there, and numbers that are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Annotated

from ibis.expr import types as ir

from tidemill.core.limits import Between, Text
from tidemill.core.rule import rule
from tidemill.core.signals import Judgement, Point
from tidemill.monitoring.quality.columns import given, infinite, number, there, value_of
from tidemill.monitoring.quality.judging import judge_share, ones
from tidemill.monitoring.quality.shares import OfRows


@rule
class NullRate(OfRows):
    """At most a share of rows may lack a value.

    A value is lacking where it is null or NaN, as which pandas writes a null; an empty text is
    a value. The share is of all rows.

    Parameters
    ----------
    column
        The bare name of a feature, or ``"output"``, ``"score"`` and so on.
    at_most
        The share that may, from 0 to 1.
    alerting
        Whether it may page anybody.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"f_age": [30.0, None]})
    >>> NullRate("age", at_most=0.1).failing(records).to_pyarrow().to_pylist()
    [False, True]
    """

    column: Annotated[str, Text()]
    _: KW_ONLY
    at_most: Annotated[float, Between(0, 1)]
    alerting: bool = True

    @property
    def metric(self) -> str:
        return "null_rate"

    def failing(self, records: ir.Table, /) -> ir.BooleanColumn:
        return ~there(value_of(records, self.column))

    def applies(self, records: ir.Table, /) -> ir.BooleanColumn:
        return ones(records)

    def judge(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        return judge_share(self, points, alpha, f"rows have no {self.column}")

    @classmethod
    def examples(cls) -> Iterator[NullRate]:
        yield cls("number", at_most=0.5)
        yield cls("output", at_most=0.0, alerting=False)


@rule
class Finite(OfRows):
    """At most a share of numbers may be infinite or NaN.

    The share is of the rows that are not null.

    Parameters
    ----------
    column
        The bare name of a feature of numbers, or ``"output"``, ``"score"`` and so on.
    at_most
        The share that may, from 0 to 1.
    alerting
        Whether it may page anybody.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"f_age": [30.0, float("inf")]})
    >>> Finite("age").failing(records).to_pyarrow().to_pylist()
    [False, True]
    """

    column: Annotated[str, Text()]
    _: KW_ONLY
    at_most: Annotated[float, Between(0, 1)] = 0.0
    alerting: bool = True

    @property
    def metric(self) -> str:
        return "not_finite"

    def failing(self, records: ir.Table, /) -> ir.BooleanColumn:
        values = number(records, self.column)
        return infinite(values) | (given(values) & ~there(values))

    def applies(self, records: ir.Table, /) -> ir.BooleanColumn:
        return given(number(records, self.column))

    def judge(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        return judge_share(self, points, alpha, f"numbers of {self.column} are not finite")

    @classmethod
    def examples(cls) -> Iterator[Finite]:
        yield cls("number")
        yield cls("number", at_most=0.01)

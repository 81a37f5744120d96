"""Any condition that a row must satisfy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any

import ibis.expr.operations as ops
from ibis.expr import types as ir

from tidemill.core.errors import BadInput
from tidemill.core.limits import Between, Call, Text
from tidemill.core.rule import rule
from tidemill.core.signals import Judgement, Point
from tidemill.measures.projection import asked
from tidemill.monitoring.names import snake
from tidemill.monitoring.quality.judging import judge_share
from tidemill.monitoring.quality.shares import OfRows


@rule
class Holds(OfRows):
    """At most a share of rows may break a condition.

    As a CHECK of SQL, a condition that is null is not broken; the share is of the rows where
    it is not null.

    Parameters
    ----------
    name
        What people call it, such as ``"arrives after it departs"``.
    condition
        A function of an Ibis table of records that returns a boolean of each.
    at_most
        The share that may, from 0 to 1.
    alerting
        Whether it may page anybody.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"f_number": [1.0, -1.0, None]})
    >>> next(Holds.examples()).failing(records).to_pyarrow().to_pylist()
    [False, True, False]
    """

    name: Annotated[str, Text()]
    condition: Annotated[Callable[[ir.Table], Any], Call()]
    _: KW_ONLY
    at_most: Annotated[float, Between(0, 1)] = 0.0
    alerting: bool = True

    @property
    def column(self) -> str:
        return ""

    @property
    def metric(self) -> str:
        return snake(self.name)

    def failing(self, records: ir.Table, /) -> ir.BooleanColumn:
        return ~self._condition(records).fill_null(True)

    def applies(self, records: ir.Table, /) -> ir.BooleanColumn:
        return self._condition(records).notnull()

    def shown(self, records: ir.Table, /) -> tuple[str, ...]:
        fields = self._condition(records).op().find(ops.Field)
        names = {f.name for f in fields}
        return tuple(n for n in records.columns if n in names)

    def judge(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        return judge_share(self, points, alpha, f"rows break {self.name!r}")

    def _condition(self, records: ir.Table) -> Any:
        found = asked(f"condition {self.name!r}", self.condition, records)
        if not isinstance(found, ir.BooleanValue):
            raise BadInput(
                f"condition {self.name!r} is {type(found).__name__}, no boolean.",
                fix="compare a column, such as lambda records: records.f_age < 130.",
            )
        return found

    @classmethod
    def examples(cls) -> Iterator[Holds]:
        yield cls("not below zero", not_below_zero)
        yield cls("not below zero", not_below_zero, at_most=0.01)


def not_below_zero(records: ir.Table) -> Any:
    """Hold where the feature ``number`` is not below zero; for tests and examples."""
    number: Any = records.f_number
    return number >= 0

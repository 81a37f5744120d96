"""How long rows take from their prediction until they can be seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any

import ibis
from ibis.expr import types as ir

from tidemill.core.durations import duration
from tidemill.core.limits import Between, Span
from tidemill.core.rule import rule
from tidemill.core.signals import Judgement, Point
from tidemill.monitoring.quality.columns import and_not_null, stored
from tidemill.monitoring.quality.judging import judge_share
from tidemill.monitoring.quality.shares import OfRows


@rule
class Freshness(OfRows):
    """At most a share of rows may arrive later than so long after their prediction.

    With ``late=0.05`` the 95 % quantile of the delay is at most ``after``; said as a share it
    has exact evidence, the same answer on every engine, and rows to look at. A feed that stopped
    altogether has no rows to be late: that is what :class:`RowCount` sees.

    Parameters
    ----------
    after
        The delay that is fine, such as ``"2h"``: from ``predicted_at`` to ``available_at``.
    late
        The share of rows that may arrive later, from 0 to 1.
    alerting
        Whether it may page anybody.

    Examples
    --------
    >>> import ibis
    >>> from datetime import UTC, datetime
    >>> noon, night = datetime(2024, 1, 1, 12, tzinfo=UTC), datetime(2024, 1, 1, 23, tzinfo=UTC)
    >>> records = ibis.memtable({"predicted_at": [noon, noon], "available_at": [noon, night]})
    >>> Freshness("2h").failing(records).to_pyarrow().to_pylist()
    [False, True]
    """

    after: Annotated[str, Span()]
    _: KW_ONLY
    late: Annotated[float, Between(0, 1)] = 0.05
    alerting: bool = True

    @property
    def column(self) -> str:
        return ""

    @property
    def metric(self) -> str:
        return "late_rows"

    @property
    def at_most(self) -> float:
        return self.late

    def failing(self, records: ir.Table, /) -> ir.BooleanColumn:
        predicted, available = self._moments(records)
        seconds = int(duration(self.after).total_seconds())
        due = predicted + ibis.interval(seconds=seconds)
        return and_not_null(available > due)

    def applies(self, records: ir.Table, /) -> ir.BooleanColumn:
        predicted, available = self._moments(records)
        return predicted.notnull() & available.notnull()

    def _moments(self, records: ir.Table) -> tuple[Any, Any]:
        predicted, available = self.shown(records)
        return records[predicted], records[available]

    def shown(self, records: ir.Table, /) -> tuple[str, ...]:
        return stored(records, "predicted_at"), stored(records, "available_at")

    def judge(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        return judge_share(self, points, alpha, f"rows came later than {self.after}")

    @classmethod
    def examples(cls) -> Iterator[Freshness]:
        yield cls("2h")
        yield cls("1d", late=0.0)

"""Rows that are there more than once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any

import ibis
from ibis.expr import types as ir

from tidemill.core.limits import Between, Texts
from tidemill.core.rule import rule
from tidemill.core.signals import Judgement, Point
from tidemill.monitoring.names import snake
from tidemill.monitoring.quality.columns import rows_where, stored, there
from tidemill.monitoring.quality.judging import judge_share


@rule
class Duplicates:
    """At most a share of rows may repeat another row of the same window.

    Two rows are the same when all ``columns`` are; what is missing is equal to what is
    missing, but rows where all are missing are not asked. An upload that comes twice under new
    ids repeats all features: give these, or ``("row_hash",)`` in a project, whose records
    carry a hash of them.

    Parameters
    ----------
    columns
        The bare names that make a row the same, such as ``("record_id",)``.
    at_most
        The share that may, from 0 to 1; of n equal rows n - 1 are repeated.
    alerting
        Whether it may page anybody.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"record_id": ["a", "b", "a", "a"]})
    >>> rule = Duplicates(("record_id",))
    >>> sorted(rule.failing(records).to_pyarrow().to_pylist())
    [False, False, True, True]
    >>> records.aggregate(**rule.measured(records)).to_pyarrow().to_pylist()
    [{'value': 0.5, 'n': 4}]
    """

    columns: Annotated[tuple[str, ...], Texts("a list of column names")] = ("record_id",)
    _: KW_ONLY
    at_most: Annotated[float, Between(0, 1)] = 0.0
    alerting: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(dict.fromkeys(self.columns)))

    @property
    def column(self) -> str:
        return ""

    @property
    def metric(self) -> str:
        whose = (
            "" if self.columns == ("record_id",) else "_of_" + "_".join(map(snake, self.columns))
        )
        return f"duplicates{whose}"

    def failing(self, records: ir.Table, /) -> ir.BooleanColumn:
        order = [records[n] for n in ("predicted_at", "record_id") if n in records.columns]
        place: Any = ibis.row_number().over(group_by=self._key(records), order_by=order)
        return self.applies(records) & (place > 0)

    def applies(self, records: ir.Table, /) -> ir.BooleanColumn:
        some: Any = ibis.literal(False)
        for name in self.shown(records):
            some = there(records[name]) | some
        return some

    def shown(self, records: ir.Table, /) -> tuple[str, ...]:
        return tuple(stored(records, c) for c in self.columns)

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        # A window function cannot be inside an aggregate, so the share is not that of `failing`
        # by construction; the tests hold them equal.
        applies: Any = self.applies(records)
        n = rows_where(records, applies)
        distinct = self._key(records).nunique(where=applies).fill_null(0)
        return {"value": (n - distinct).cast("float64") / n.nullif(0), "n": n}

    def judge(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        listed = ", ".join(self.columns[:3]) + (" ..." if len(self.columns) > 3 else "")  # noqa: PLR2004
        return judge_share(self, points, alpha, f"rows repeat another one's {listed}")

    def _key(self, records: ir.Table) -> Any:
        names = self.shown(records)
        if len(names) == 1:
            return records[names[0]]
        fields: dict[str, Any] = {}
        for name in names:
            values: Any = records[name]
            gap: Any = ibis.null(values.type())
            known = not values.type().is_floating()
            fields[name] = values if known else ibis.ifelse(values.isnan(), gap, values)
        return ibis.struct(fields)

    @classmethod
    def examples(cls) -> Iterator[Duplicates]:
        yield cls()
        yield cls(("number", "text"), at_most=0.01)

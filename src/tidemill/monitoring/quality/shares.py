"""What rules share that each row keeps or breaks: their number is the share of rows that break it."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from ibis.expr import types as ir

from tidemill.measures.metric import Summary
from tidemill.monitoring.quality.columns import rows_where, stored
from tidemill.monitoring.quality.protocol import RowRule


class OfRows:
    """The share of rows that break a rule, of those it applies to; by default one of a column.

    Examples
    --------
    >>> import ibis
    >>> from tidemill.monitoring.quality import InRange
    >>> records = ibis.memtable({"f_age": [30.0, 300.0, None]})
    >>> found = records.aggregate(**InRange("age", low=0, high=120).measured(records))
    >>> found.to_pyarrow().to_pylist()
    [{'value': 0.5, 'n': 2}]
    """

    summary: ClassVar[Summary] = "mergeable"

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        """Return the share as ``value``, and to how many rows the rule applies as ``n``."""
        rule = cast("RowRule", self)
        applies: Any = rule.applies(records)
        hits = rows_where(records, rule.failing(records) & applies)
        n = rows_where(records, applies)
        return {"value": hits.cast("float64") / n.nullif(0), "n": n}

    def shown(self, records: ir.Table, /) -> tuple[str, ...]:
        """Return which stored columns explain to a person why a row breaks the rule."""
        return (stored(records, cast("RowRule", self).column),)

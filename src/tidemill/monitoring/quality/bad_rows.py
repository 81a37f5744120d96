"""The rows behind a number: those that break a rule."""

from __future__ import annotations

from typing import Any

from ibis.expr import types as ir

from tidemill.core.errors import BadInput
from tidemill.core.limits import Whole
from tidemill.core.rule import check
from tidemill.monitoring.quality.protocol import QualityRule, RowRule

_IDS = ("record_id", "predicted_at")


def bad_rows(rule: QualityRule, records: ir.Table, *, limit: int = 100) -> ir.Table:
    """Return the rows that break a rule, the oldest first.

    Parameters
    ----------
    rule
        One that rows keep or break.
    records
        The records of the window in question.
    limit
        How many rows at most.

    Returns
    -------
    ibis.expr.types.Table
        ``record_id``, ``predicted_at`` and the columns that explain it, under their stored names.

    Raises
    ------
    BadInput
        If no row is to blame, as with a count of rows.

    Examples
    --------
    >>> import ibis
    >>> from tidemill.monitoring.quality import InRange
    >>> records = ibis.memtable({"record_id": ["a", "b"], "f_age": [30.0, 300.0]})
    >>> bad_rows(InRange("age", high=120), records).to_pyarrow().to_pylist()
    [{'record_id': 'b', 'f_age': 300.0}]
    """
    check("bad_rows", "limit", limit, Whole(1))
    if not isinstance(rule, RowRule):
        raise BadInput(
            f"{type(rule).__name__} is about a whole window: no row is to blame.",
            fix="look at the records of the window.",
        )
    ids = [n for n in _IDS if n in records.columns]
    names = list(dict.fromkeys([*ids, *rule.shown(records)]))
    # Marked first and filtered after: not every engine filters by a window function.
    marked = records.mutate(breaks_it=rule.failing(records))
    breaks: Any = marked.breaks_it
    found = marked.filter(breaks)
    order = [found[n] for n in reversed(ids)]
    return (found.order_by(order) if order else found).select(*names).limit(limit)

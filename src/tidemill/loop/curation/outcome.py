"""Labels that come by themselves, later: the flight lands, the bill is paid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from datetime import datetime
from typing import Annotated

import ibis
from ibis.expr import types as ir

from tidemill.core.durations import duration
from tidemill.core.limits import Span
from tidemill.core.rule import rule


@rule
class Outcome:
    """Take delayed outcomes as labels, final a stated time after the prediction.

    Outcomes that come fast differ from those that come late (a late flight lands late), so
    no record counts before its label is final, even when its label is already there.

    Parameters
    ----------
    final_after
        How long after the prediction an outcome is final.
    absent
        What it means when none has come by then: a value, such as 0 for "no complaint", or
        None for "never known", which leaves the record out.

    Examples
    --------
    >>> Outcome(final_after="45d", absent=0)
    Outcome(final_after='45d', absent=0)
    """

    _: KW_ONLY
    final_after: Annotated[str, Span(zero=True)] = "0s"
    absent: float | str | None = None

    @property
    def labeller(self) -> None:
        return None

    def __call__(self, reservoir: ir.Table, now: datetime, /) -> ir.Table:
        limit = ibis.literal(now - duration(self.final_after), type="timestamp('UTC', 6)")
        rows = reservoir.filter(reservoir.predicted_at <= limit)
        if self.absent is None:
            return rows.filter(rows.label_id.notnull())
        column = "label_text" if isinstance(self.absent, str) else "label"
        value = self.absent if isinstance(self.absent, str) else float(self.absent)
        missing = rows.label_id.isnull()
        return rows.mutate(
            **{column: ibis.ifelse(missing, ibis.literal(value), rows[column])},
            label_id=ibis.ifelse(missing, f"absent:{self.absent}", rows.label_id),
            source_kind=ibis.ifelse(missing, "outcome", rows.source_kind),
        )

    @classmethod
    def examples(cls) -> Iterator[Outcome]:
        yield cls(final_after="6h")
        yield cls(final_after="45d", absent=0)

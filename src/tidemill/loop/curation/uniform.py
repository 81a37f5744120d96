"""Choose records for labelling uniformly at random."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated

import ibis
from ibis.expr import types as ir

from tidemill.core.limits import Span, Whole
from tidemill.core.rule import rule


@rule
class Uniform:
    """Choose ``n`` records of every window of arrivals, each with the same probability.

    The records with the smallest stored draw ``u_label`` are chosen: a simple random sample
    without replacement, so the inclusion probability of each is exactly ``n / N``.

    Parameters
    ----------
    n
        How many records to choose in a window; all of them when there are fewer.
    per
        The length of a window.

    Examples
    --------
    >>> Uniform(3000, per="7d")
    Uniform(n=3000, per='7d')

    References
    ----------
    .. [1] Särndal, Swensson, Wretman, "Model Assisted Survey Sampling", 1992, section 3.3.
    """

    n: Annotated[int, Whole(1)]
    _: KW_ONLY
    per: Annotated[str, Span()] = "7d"

    def __call__(self, records: ir.Table, /) -> ir.Table:
        place = ibis.row_number().over(order_by=[records.u_label, records.record_id])
        total = records.count().over()
        ranked = records.select("record_id", "predicted_at", place=place, total=total)
        pi = ibis.least(1.0, self.n / ranked.total.cast("float64"))
        chosen = ranked.mutate(pi=pi).filter(ibis._.place < self.n)
        return chosen.select("record_id", "predicted_at", "pi")

    @classmethod
    def examples(cls) -> Iterator[Uniform]:
        yield cls(3, per="1d")
        yield cls(1000)

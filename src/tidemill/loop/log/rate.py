"""Keep a share of the records, chosen at random."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import ibis
from ibis.expr import types as ir

from tidemill.core.limits import Between
from tidemill.core.rule import rule


@rule
class Rate:
    """Keep each record with probability ``p``, independently of all others.

    Every later estimate is weighted with 1/p, so a lower rate costs precision, not truth.

    Parameters
    ----------
    p
        The probability, above 0 and at most 1.

    Examples
    --------
    >>> Rate(0.1)
    Rate(p=0.1)
    """

    p: Annotated[float, Between(0, 1, open_low=True)]

    def __call__(self, records: ir.Table, /) -> ir.Value:
        return ibis.literal(float(self.p))

    @classmethod
    def examples(cls) -> Iterator[Rate]:
        yield cls(0.5)
        yield cls(1)

"""Keep every record."""

from __future__ import annotations

from collections.abc import Iterator

import ibis
from ibis.expr import types as ir

from tidemill.core.rule import rule


@rule
class Everything:
    """Keep every record.

    Examples
    --------
    >>> Everything()
    Everything()
    """

    def __call__(self, records: ir.Table, /) -> ir.Value:
        return ibis.literal(1.0)

    @classmethod
    def examples(cls) -> Iterator[Everything]:
        yield cls()

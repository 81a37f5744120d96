"""Learn from the newest rows, however old they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import ibis
from ibis.expr import types as ir

from tidemill.core.limits import Whole
from tidemill.core.rule import rule
from tidemill.core.rules import Past


@rule
class Latest:
    """Learn from the ``n`` newest labelled records, by the time of their prediction.

    Parameters
    ----------
    n
        How many records; all of them when there are fewer.

    Examples
    --------
    >>> Latest(10_000).window is None
    True
    """

    n: Annotated[int, Whole(1)]

    @property
    def window(self) -> None:
        return None

    @property
    def remembers(self) -> bool:
        return False

    def __call__(self, reservoir: ir.Table, past: Past, /) -> ir.Table:
        newest = [ibis.desc(name) for name in ("predicted_at", "record_id", "label_id")]
        return reservoir.order_by(newest).limit(self.n)

    @classmethod
    def examples(cls) -> Iterator[Latest]:
        yield cls(7)
        yield cls(10_000)

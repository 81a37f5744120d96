"""Learn from all labelled records."""

from __future__ import annotations

from collections.abc import Iterator

from ibis.expr import types as ir

from tidemill.core.rule import rule
from tidemill.core.rules import Past


@rule
class All:
    """Learn from every labelled record there is.

    Examples
    --------
    >>> All().window is None
    True
    """

    @property
    def window(self) -> None:
        return None

    @property
    def remembers(self) -> bool:
        return False

    def __call__(self, reservoir: ir.Table, past: Past, /) -> ir.Table:
        return reservoir

    @classmethod
    def examples(cls) -> Iterator[All]:
        yield cls()

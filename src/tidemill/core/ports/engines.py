"""Engines: what evaluates expressions over tables of events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import pyarrow as pa
from ibis.expr import types as ir

from tidemill.core.ports.events import Snapshot


class Engine(Protocol):
    """Evaluates expressions."""

    def table(self, snapshot: Snapshot) -> ir.Table:
        """Return the rows of a snapshot as an expression."""
        ...

    def arrow(self, expression: ir.Table) -> pa.Table:
        """Evaluate an expression."""
        ...


@runtime_checkable
class SpeaksSql(Protocol):
    """An engine that people may ask in its own SQL."""

    def sql(self, query: str, views: Mapping[str, ir.Table]) -> pa.Table:
        """Answer one SELECT over named views; ``BadInput`` when it is none or has no answer."""
        ...

"""Searchers: what proposes parameters of a strategy to try."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tidemill.core.ports.state import Json


class Searcher(Protocol):
    """Proposes what to try next, one value for each name, from how well others did."""

    def ask(self) -> Json | None:
        """Return a value for each name; None when there is nothing left to try."""
        ...

    def tell(self, tried: Mapping[str, Any], value: float) -> None:
        """Say how well what was asked did: higher is better, NaN when nothing can be said."""
        ...

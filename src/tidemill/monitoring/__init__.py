"""Meanwhile: what is going on, and is it bad."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # loaded at first use: Ibis takes longer than most that is asked
    from tidemill.monitoring.windows import Window, by_window, mean_difference

_HOMES = {
    "Window": "windows",
    "by_window": "windows",
    "mean_difference": "windows",
}

__all__ = ["Window", "by_window", "mean_difference"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

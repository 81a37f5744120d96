"""How sure we are: weighted estimates and intervals that respect time."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# Named as the files they are in, so they must be here before those are imported.
from tidemill.statistics.jackknife import jackknife
from tidemill.statistics.like_these import like_these
from tidemill.statistics.this_history import this_history

if TYPE_CHECKING:  # loaded at first use: scipy takes longer than most that is asked
    from tidemill.statistics.cadence import best_cadence, staleness
    from tidemill.statistics.influence import auc_influence, mean_influence
    from tidemill.statistics.overfitting import probability_of_overfitting
    from tidemill.statistics.periods import group_t
    from tidemill.statistics.schedules import (
        CrossFitted,
        Schedule,
        calendar,
        cross_fitted,
        optimum,
        random_schedules,
        total,
    )
    from tidemill.statistics.simultaneous import lower_limits
    from tidemill.statistics.trend import trend_p
    from tidemill.statistics.weighted import n_effective, weighted_mean

_HOMES = {
    "best_cadence": "cadence",
    "staleness": "cadence",
    "auc_influence": "influence",
    "mean_influence": "influence",
    "probability_of_overfitting": "overfitting",
    "group_t": "periods",
    "CrossFitted": "schedules",
    "Schedule": "schedules",
    "calendar": "schedules",
    "cross_fitted": "schedules",
    "optimum": "schedules",
    "random_schedules": "schedules",
    "total": "schedules",
    "lower_limits": "simultaneous",
    "trend_p": "trend",
    "n_effective": "weighted",
    "weighted_mean": "weighted",
}

__all__ = [
    "CrossFitted",
    "Schedule",
    "auc_influence",
    "best_cadence",
    "calendar",
    "cross_fitted",
    "group_t",
    "jackknife",
    "like_these",
    "lower_limits",
    "mean_influence",
    "n_effective",
    "optimum",
    "probability_of_overfitting",
    "random_schedules",
    "staleness",
    "this_history",
    "total",
    "trend_p",
    "weighted_mean",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

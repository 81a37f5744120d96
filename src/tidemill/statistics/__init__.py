"""How sure we are: weighted estimates and intervals that respect time."""

from tidemill.statistics.cadence import best_cadence, staleness
from tidemill.statistics.influence import auc_influence, mean_influence
from tidemill.statistics.jackknife import jackknife
from tidemill.statistics.like_these import like_these
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
from tidemill.statistics.this_history import this_history
from tidemill.statistics.trend import trend_p
from tidemill.statistics.weighted import n_effective, weighted_mean

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

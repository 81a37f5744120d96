"""How sure we are: weighted estimates and intervals that respect time."""

from tidemill.statistics.jackknife import jackknife
from tidemill.statistics.periods import group_t
from tidemill.statistics.weighted import n_effective, weighted_mean

__all__ = ["group_t", "jackknife", "n_effective", "weighted_mean"]

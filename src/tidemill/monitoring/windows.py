"""Performance by windows of time, and the difference of two series over many windows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from tidemill.core.verdict import Estimate
from tidemill.measures import Metric, measure
from tidemill.statistics import group_t

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Window:
    """A metric in one window of time, [start, start + length)."""

    start: datetime
    estimate: Estimate


def by_window(
    metric: Metric,
    at: npt.NDArray[np.datetime64],
    label: Array,
    answer: Array,
    *,
    weight: Array | None = None,
    every: timedelta,
    origin: datetime,
) -> list[Window]:
    """Measure a metric in every window, with an interval whose units are days.

    Parameters
    ----------
    at
        When each of n records was predicted, as ``datetime64`` in UTC.
    label, answer
        The truth, and what the model said: its output or score, as the metric needs.
    every, origin
        The windows are ``origin + k * every``; those without a record are left out.

    Examples
    --------
    >>> from tidemill.measures import Accuracy
    >>> day = np.arange("2013-01-01", "2013-01-15", dtype="datetime64[D]")
    >>> right = np.ones(14)
    >>> weeks = by_window(Accuracy(), day, right, right, every=timedelta(days=7),
    ...                   origin=datetime(2013, 1, 1, tzinfo=UTC))
    >>> [round(w.estimate.value, 6) for w in weeks]
    [1.0, 1.0]
    """
    start = np.datetime64(origin.astimezone(UTC).replace(tzinfo=None), "us")
    moments = at.astype("datetime64[us]")
    place = (moments - start) // np.timedelta64(every)
    weights = np.ones(len(label)) if weight is None else weight
    days = moments.astype("datetime64[D]")
    windows = []
    for k in np.unique(place):
        here = place == k
        found = measure(metric, label[here], answer[here], weights[here], days[here])
        windows.append(Window(start=origin + int(k) * every, estimate=found))
    return windows


def mean_difference(metric: Metric, ours: list[Window], theirs: list[Window]) -> Estimate:
    """Compare two series window by window; positive means ours is better.

    The interval treats six stretches of consecutive windows as units, since neighbouring
    windows resemble each other; there is none for fewer than six windows.

    References
    ----------
    .. [1] Ibragimov, Müller, "t-Statistic Based Correlation and Heterogeneity Robust
       Inference", Journal of Business & Economic Statistics 28, 2010.
    """
    other = {w.start: w.estimate.value for w in theirs}
    pairs = [(w.estimate.value, other[w.start]) for w in ours if w.start in other]
    sign = 1.0 if metric.higher_is_better else -1.0
    gaps = np.array([sign * (a - b) for a, b in pairs], dtype=float)
    return group_t(gaps[np.isfinite(gaps)])

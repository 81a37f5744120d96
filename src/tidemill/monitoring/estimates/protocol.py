"""What an estimator of performance without labels is, and what it answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tidemill.core.errors import BadInput, unknown
from tidemill.monitoring.estimates.answered import Answered
from tidemill.monitoring.estimates.support import Support, support

SHARES = ("accuracy", "auc", "f1", "precision", "recall")
"""Metrics from 0 to 1; the higher, the better."""
LOSSES = ("brier", "log_loss", "loss", "mae", "mse", "rmse")
"""Metrics of at least 0; the lower, the better. ``loss`` is the mean of your own."""
METRICS = SHARES + LOSSES

ASSUMED = "true only while P(label given the row) is as in the reference, which nobody sees without labels"


@dataclass(frozen=True, kw_only=True)
class Estimated:
    """What a metric probably is in a window without labels, never what it certainly is.

    ``low`` and ``high`` are a 95 % interval for the metric that the labels of this very window
    will show, if P(label | row) is unchanged. All three are NaN where no estimate can be made;
    ``why`` then says the reason. ``n_effective`` is the rows it rests on.
    """

    metric: str
    method: str
    value: float
    low: float
    high: float
    n: int
    n_effective: float
    why: str
    support: Support

    @property
    def known(self) -> bool:
        """Whether there is a value with an interval."""
        return all(map(math.isfinite, (self.value, self.low, self.high)))

    @property
    def outside(self) -> float:
        """The share of rows where the reference had none."""
        return self.support.share

    def __str__(self) -> str:
        if not self.known:
            return f"{self.metric} by {self.method}: none, {self.why}"
        return f"{self.metric} by {self.method}: {self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


class Estimator(Protocol):
    """Says how well a model does in a window whose labels have not come."""

    @property
    def name(self) -> str:
        """The name in snake case, such as ``"cbpe"``."""
        ...

    def __call__(self, reference: Answered, current: Answered, metric: str, /) -> Estimated:
        """Estimate a metric of the current window.

        Parameters
        ----------
        reference
            Rows with labels that the model was not fitted on.
        current
            Rows without labels; a label among them is not looked at.
        metric
            One of ``METRICS``.

        Raises
        ------
        NotFound
            If there is no metric of that name. Everything else that stands in the way of an
            estimate is told in ``why``.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Found:
    """A value, its interval, and what the estimator wants to say about it."""

    value: float
    low: float
    high: float
    why: str
    n_effective: float


def estimate(
    method: str,
    reference: Answered,
    current: Answered,
    metric: str,
    work: Callable[[Answered, Answered, str], Found],
) -> Estimated:
    """Run an estimator on the rows with weight; what stands in its way becomes the ``why``."""
    if metric not in METRICS:
        raise unknown("metric", metric, METRICS)
    old, new = reference.with_weight(), current.with_weight()
    try:
        _there(old, "reference")
        _there(new, "window")
        found = _bounded(metric, work(old, new, metric))
    except BadInput as error:
        found = Found(value=math.nan, low=math.nan, high=math.nan, why=str(error), n_effective=0.0)
    return Estimated(
        metric=metric,
        method=method,
        value=found.value,
        low=found.low,
        high=found.high,
        n=new.n,
        n_effective=found.n_effective,
        why=found.why,
        support=support(old, new),
    )


def _there(rows: Answered, window: str) -> None:
    """Refuse a window without rows, and rows without their day where others have one."""
    if not rows.n:
        raise BadInput(f"the {window} has no rows.", fix="wait for rows.")
    if rows.day is not None:
        rows.column("day", window)


def _bounded(metric: str, found: Found) -> Found:
    """Keep a metric where it can be; no interval where nothing was seen to vary."""
    if not math.isfinite(found.value):
        raise BadInput(
            f"{metric} cannot be computed on these rows.",
            fix="look whether a class, or an output, is absent.",
        )
    top = 1.0 if metric in SHARES else math.inf
    value, low, high = (min(max(v, 0.0), top) for v in (found.value, found.low, found.high))
    why = found.why
    if not math.isfinite(found.high) or found.high <= found.low:
        low = high = math.nan
        why += "; no interval: nothing varies in the reference, which proves little"
    if metric == "rmse":
        value, low, high = math.sqrt(value), math.sqrt(low), math.sqrt(high)
    return Found(value=value, low=low, high=high, why=why, n_effective=found.n_effective)

"""A history in steps: how many there are, what each holds, and how long one should be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.durations import duration
from tidemill.core.errors import BadValue
from tidemill.strategy.backtest.table import Understood

ENOUGH = 200
"""Labelled rows that make a step worth measuring."""
_STEPS = ("1h", "1d", "7d", "28d")
_FEWEST, _MOST = 20, 60
_COUNTED = 10**6
_Ticks = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class History:
    """The figures that the questions share; times in microseconds."""

    at: _Ticks
    delays: npt.NDArray[np.float64]
    step: timedelta
    steps: int
    per_step: npt.NDArray[np.int64]
    """Labelled rows of each step; empty where there are far too many steps."""
    labelled: int

    @property
    def span(self) -> timedelta:
        return timedelta(microseconds=int(self.at[-1] - self.at[0]))

    def delay(self, share: float) -> timedelta:
        """Return how long labels take at most, for a share of them."""
        if not self.delays.size:
            return timedelta(0)
        return timedelta(microseconds=float(np.quantile(self.delays, share)))


def suggest_step(understood: Understood) -> str:
    """Suggest how long a step is: 20 to 60 steps, each with 200 labelled rows, as near as can be.

    Examples
    --------
    >>> from tidemill.strategy.backtest.table import Meaning, understand
    >>> at = pa.array(np.arange(20_000) * 1_600_000_000, pa.timestamp("us", tz="UTC"))
    >>> table = pa.table({"at": at, "x": np.arange(20_000) % 7, "y": np.arange(20_000) % 2})
    >>> found = understand(table, Meaning(time="at", label="y"))
    >>> suggest_step(found)  # 370 days
    '7d'
    """

    def far(step: str) -> float:
        history = history_of(understood, step)
        steps, rows = history.steps, max(history.labelled, 1)
        off = max(math.log(steps / _MOST), math.log(_FEWEST / steps), 0.0)
        return off + max(math.log(ENOUGH * steps / rows), 0.0)

    return min(reversed(_STEPS), key=far)


def history_of(understood: Understood, step: str) -> History:
    """Cut a history into steps."""
    at = ticks(understood.records["predicted_at"])
    length = duration(step)
    if not length:
        raise BadValue("a step of 0s never ends.", fix="write it like '7d'.")
    labels = understood.labels
    has_label = ticks(labels["predicted_at"])
    delays = (ticks(labels["available_at"]) - has_label).astype(float)
    if understood.absent is not None:
        unlabelled = at[~labelled_rows(understood)]
        final = final_after(understood).total_seconds() * 1e6
        end = max(at[-1], ticks(labels["available_at"]).max(initial=at[-1]))
        has_label = np.concatenate([has_label, unlabelled[unlabelled + final <= end]])
    size = round(length.total_seconds() * 1e6)
    steps = int((at[-1] - at[0]) // size) + 1
    few = steps <= _COUNTED
    counts = np.bincount((has_label - at[0]) // size, minlength=steps) if few else at[:0]
    return History(
        at=at,
        delays=delays,
        step=length,
        steps=steps,
        per_step=counts,
        labelled=len(has_label),
    )


def ticks(column: pa.ChunkedArray) -> _Ticks:
    """Return moments as microseconds since 1970."""
    return np.asarray(column.cast(pa.int64()).to_numpy(), dtype=np.int64)


def labelled_rows(understood: Understood) -> npt.NDArray[np.bool_]:
    """Tell which records have a label."""
    ids = understood.records["record_id"]
    return np.asarray(pc.is_in(ids, understood.labels["record_id"]).to_numpy(), dtype=bool)


def final_after(understood: Understood) -> timedelta:
    """Return how long after the prediction labels are final."""
    return duration(understood.meaning.final_after or "0s")

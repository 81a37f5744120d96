"""A strategy as it came out of the replay: its curve, its effort, its decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from tidemill.strategy.backtest.answers import Segment
from tidemill.strategy.backtest.simulate import Lived

Floats = npt.NDArray[np.float64]


@dataclass(kw_only=True)
class Told:
    """One row of the report; everything by scored step has the same length for all rows.

    ``by`` says for each seed and scored step who answered; ``values`` is the metric as known
    now, shape (seeds, steps).
    """

    name: str
    kind: str
    """``asked``, ``yours`` or ``reference``."""
    words: str
    hash: str | None = None
    matched: dict[str, str] | None = None
    by: Sequence[Sequence[tuple[Segment, ...]]] = ()
    values: Floats
    then: Floats
    ages: Floats
    """Age of the model in front at the middle of each step, in days; NaN where not known."""
    lives: Sequence[Sequence[Lived]] = ()
    retrained: Sequence[datetime] = ()
    live: Sequence[datetime] = ()
    retrains: float = 0.0
    refused: float = 0.0
    failed: float = 0.0
    labels: float = 0.0
    seconds: float = 0.0
    reviews: float = 0.0
    errors: Floats | None = None
    """Price of the errors of each scored step, mean over seeds; None without prices."""
    longest: float = 0.0
    """How long its longest-lived model was in front, in days."""
    luck: Floats | None = None
    """How far a first model's values were from their mean, had it learnt from rows drawn anew;
    shape (draws, steps). Only for the strategy that never retrains."""
    notes: list[str] = field(default_factory=list)

    @property
    def mean(self) -> Floats:
        """The metric of each step, mean over seeds; NaN where a seed has none."""
        return self.values.mean(axis=0)


def overall(values: Floats, weight: Floats) -> float:
    """Return the mean of a metric over steps, each by what its labels stand for.

    Steps without a value are left out; NaN when there is none.

    Examples
    --------
    >>> overall(np.array([1.0, np.nan, 0.0]), np.array([3.0, 5.0, 1.0]))
    0.75
    """
    known = np.isfinite(values) & (weight > 0)
    if not known.any():
        return float("nan")
    return float((values[known] * weight[known]).sum() / weight[known].sum())


def shares(weight: Floats, *series: Floats) -> Floats:
    """Return the share of each step in a comparison: by weight, over steps all series have."""
    known = np.all([np.isfinite(s) for s in series], axis=0) & (weight > 0)
    total = weight[known].sum()
    return np.where(known, weight / total if total else 0.0, 0.0)


def plain(value: Any) -> Any:
    """Turn numbers that JSON has no word for into null, arrays into lists, times into text."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and not np.isfinite(value) else value

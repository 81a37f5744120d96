"""A signal: one metric of one cohort over base windows of time, and what is thought of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tidemill.core.verdict import Verdict

KINDS = ("outcomes", "performance", "proxy", "quality", "drift", "system")
"""The six kinds of signal, the most valuable first."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """Which signal: what is measured, of which column, for whom.

    ``column``, ``cohort`` and ``model`` are empty where the signal is of all of them.
    """

    kind: str
    metric: str
    column: str = ""
    cohort: str = ""
    model: str = ""

    def __str__(self) -> str:
        parts = (
            self.metric,
            self.column and f"of {self.column}",
            self.cohort and f"({self.cohort})",
        )
        return " ".join(p for p in parts if p)


@dataclass(frozen=True, kw_only=True)
class Point:
    """One base window of a signal, [start, end).

    ``value`` is NaN where it could not be measured, and ``why`` says the reason. ``low`` and
    ``high`` are its 95 % interval from the rows of the window, NaN where there is none.
    ``weight`` is what the rows weigh together where the value is their mean, so that windows
    can be merged; else NaN.
    """

    start: datetime
    end: datetime
    value: float
    low: float = math.nan
    high: float = math.nan
    n: int
    n_effective: float = math.nan
    weight: float = math.nan
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What is thought of the last point of a signal, always with why.

    ``p`` is the probability of evidence at least as strong if nothing had changed, ``effect``
    how large the change is in the words of its rule, ``low`` and ``high`` what was expected.
    ``onset`` is since when, where it can be told.
    """

    verdict: Verdict
    why: str
    p: float = math.nan
    effect: float = math.nan
    low: float = math.nan
    high: float = math.nan
    onset: datetime | None = None


class VerdictRule(Protocol):
    """Is the last point of a signal bad, given the points before it?"""

    def __call__(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        """Judge the last point.

        Parameters
        ----------
        points
            The oldest first; the last one is judged. Points before it may be missing (NaN) or
            have gaps between them.
        alpha
            How likely a false ALERT may be, already corrected for all tests of the window.
        """
        ...

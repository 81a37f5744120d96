"""What rules answer: a verdict or a decision, always with why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """The four answers to "is this bad or okay?"."""

    OK = "OK"
    WARN = "WARN"
    ALERT = "ALERT"
    NO_VERDICT = "NO_VERDICT"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number, how sure we are of it, and what it rests on.

    ``low`` and ``high`` are NaN when there is too little data for an interval.
    """

    value: float
    low: float
    high: float
    n: int
    n_effective: float
    groups: int

    @property
    def known(self) -> bool:
        """Whether there is an interval at all."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def __str__(self) -> str:
        if not self.known:
            return f"{self.value:.4f} [no interval, {self.groups} days]"
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a gate says of a candidate: the verdict, why, and the numbers behind it."""

    gate: str
    verdict: Verdict
    why: str
    estimates: tuple[tuple[str, Estimate], ...] = ()
    waived: bool = False
    """Whether the strategy decided not to measure here; only then may nothing measured pass."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a trigger says: fire or not, why, and when to ask again."""

    fire: bool
    why: str
    next_due: datetime | None = None
    change: datetime | None = None
    """Since when data is different, when the trigger saw a change and can tell."""


def worst(verdicts: list[Verdict]) -> Verdict:
    """Join verdicts: one ALERT spoils all, then NO_VERDICT; no verdict at all is NO_VERDICT.

    Examples
    --------
    >>> worst([Verdict.OK, Verdict.NO_VERDICT]).value
    'NO_VERDICT'
    >>> worst([]).value
    'NO_VERDICT'
    """
    order = (Verdict.ALERT, Verdict.NO_VERDICT, Verdict.WARN, Verdict.OK)
    return next((v for v in order if v in verdicts), Verdict.NO_VERDICT)


def at_look(confidence: float, look: int) -> float:
    """Return the confidence of the k-th look at the same candidate.

    The first look may err with 1 - confidence, each later one with half of the one before:
    however often a candidate is tested again, all looks together err with at most twice.

    Examples
    --------
    >>> at_look(0.9, 1), at_look(0.9, 2)
    (0.9, 0.95)
    """
    return 1 - (1 - confidence) / 2 ** (look - 1)

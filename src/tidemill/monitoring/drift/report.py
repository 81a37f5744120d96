"""What a comparison of two windows says of each column, and of all of them."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Annotated

from tidemill.core.limits import Between
from tidemill.core.rule import check
from tidemill.core.verdict import Verdict

_SHARE = Between(0, 1)


@dataclass(frozen=True, kw_only=True)
class Floors:
    """How large a change must be before anyone is told, whatever its evidence.

    Parameters
    ----------
    number
        The earth mover's distance, in robust sd of the reference.
    category
        The share of rows that would have to have another value: of categories, and of
        missing values.
    unknown
        The share of rows of a kind that the reference does not know: outside the range of
        99.8 % of its rows, a value it never had, a null where it has next to none.
    """

    number: Annotated[float, Between(0)] = 0.1
    category: Annotated[float, _SHARE] = 0.05
    unknown: Annotated[float, _SHARE] = 0.01

    def __post_init__(self) -> None:
        check("Floors", "number", self.number, Between(0))
        check("Floors", "category", self.category, _SHARE)
        check("Floors", "unknown", self.unknown, _SHARE)


@dataclass(frozen=True, kw_only=True)
class Shift:
    """What happened to one column.

    Parameters
    ----------
    column, kind
        Its name, and its kind: number, category, time or null.
    verdict
        OK, WARN, ALERT or NO_VERDICT.
    words
        What changed, in words.
    why
        Why the verdict is what it is.
    distance
        What ``value`` is: the name of the distance, with its unit.
    value, low, high
        How large the change is, without what chance adds, and its 95 % interval; NaN where it
        could not be measured.
    floor
        From where on it is too large.
    p, adjusted
        The probability of evidence at least as strong if nothing had changed: of this test
        alone, and corrected for all tests of the comparison (Holm). NaN without a test.
    method
        Which test it was.
    share
        The share of rows that would have to change for the windows to be alike; NaN where
        that cannot be said.
    rows
        Rows of the column in the reference and in the current window.
    importance
        How much the column matters, where that was said; else NaN.
    """

    column: str
    kind: str
    verdict: Verdict
    words: str
    why: str
    distance: str = ""
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    floor: float = math.nan
    p: float = math.nan
    adjusted: float = math.nan
    method: str = ""
    share: float = math.nan
    rows: tuple[int, int] = (0, 0)
    importance: float = math.nan


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a comparison of two windows says, the worst column first.

    Parameters
    ----------
    shifts
        Every column.
    units
        What the evidence counts: ``"rows"`` or ``"days"``.
    rows, days
        Of the reference and of the current window; days are 0 where rows are counted.
    alpha
        How likely one false ALERT among all columns may be.
    floors
        How large a change must be.
    tests
        How many tests the error was shared by.
    why
        What limits all of them, empty if nothing does.
    """

    shifts: tuple[Shift, ...]
    units: str
    rows: tuple[int, int]
    days: tuple[int, int]
    alpha: float
    floors: Floors
    tests: int
    why: str = ""

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of any column that has one; NO_VERDICT where none has."""
        order = (Verdict.ALERT, Verdict.WARN, Verdict.OK)
        return next((v for v in order if self.counts[v]), Verdict.NO_VERDICT)

    @property
    def counts(self) -> Counter[Verdict]:
        """How many columns got each verdict."""
        return Counter(s.verdict for s in self.shifts)

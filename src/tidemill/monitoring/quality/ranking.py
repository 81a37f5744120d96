"""Which rules of quality to take first: those that fired when there was trouble, then by worth."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tidemill.core.signals import Point
from tidemill.core.verdict import Verdict
from tidemill.monitoring.quality.protocol import QualityRule, RowRule

WORTH = (
    "RowCount",
    "Freshness",
    "Schema",
    "Duplicates",
    "NullRate",
    "TypeIs",
    "Finite",
    "InSet",
    "InRange",
    "Vanished",
    "Matches",
)
"""Kinds of rule, the most valuable first: a feed that stops or repeats itself spoils every column,
a value that is missing or of another type spoils its own for sure, one beyond its range perhaps."""


@dataclass(frozen=True, kw_only=True)
class Use:
    """What speaks for a rule, beside that it was quiet on held-out days.

    Parameters
    ----------
    caught, trouble
        On how many of the past bad days it would have fired, and how many there were.
    elsewhere, others
        On how many of the other past days it would have fired, and how many there were.
    smallest
        The smallest share of broken rows that it finds on a usual day; NaN for rules that are
        not about rows.
    """

    caught: int = 0
    trouble: int = 0
    elsewhere: int = 0
    others: int = 0
    smallest: float = math.nan

    @property
    def lift(self) -> float:
        """How much more often it fired on bad days than on others; 0 where it is not more often."""
        if not self.trouble or not self.caught:
            return 0.0
        return max(0.0, self.caught / self.trouble - self.elsewhere / max(1, self.others))


def use(rule: QualityRule, points: Sequence[Point], bad: Collection[datetime], alpha: float) -> Use:
    """Replay a rule on past days, some of which were bad for reasons that others found.

    Parameters
    ----------
    points
        What it measured on each day.
    bad
        When the bad days began.
    alpha
        How likely it may alarm on a day without any change.

    Examples
    --------
    >>> from datetime import UTC, timedelta
    >>> from tidemill.monitoring.quality import NullRate
    >>> days = [datetime(2024, 1, d, tzinfo=UTC) for d in (1, 2, 3)]
    >>> found = [Point(start=d, end=d + timedelta(days=1), value=v, n=500)
    ...          for d, v in zip(days, (0.0, 0.2, 0.0))]
    >>> made = use(NullRate("age", at_most=0.01), found, {days[1]}, 0.01)
    >>> made.caught, made.trouble, made.elsewhere, made.lift, round(made.smallest, 3)
    (1, 1, 0, 1.0, 0.023)
    """
    known = [p for p in points if math.isfinite(p.value)]
    fired = {p.start for p in known if rule.judge([p], alpha=alpha).verdict is Verdict.ALERT}
    here = {p.start for p in known}
    sizes = sorted(p.n for p in known)
    usual = replace(known[0], n=sizes[len(sizes) // 2]) if known else None
    return Use(
        caught=len(fired & set(bad)),
        trouble=len(here & set(bad)),
        elsewhere=len(fired - set(bad)),
        others=len(here - set(bad)),
        smallest=math.nan if usual is None else _smallest(rule, usual, alpha),
    )


def _smallest(rule: QualityRule, usual: Point, alpha: float) -> float:
    """Return the smallest share of broken rows that alarms, by halving."""
    if not isinstance(rule, RowRule):
        return math.nan

    def alarms(share: float) -> bool:
        return rule.judge([replace(usual, value=share)], alpha=alpha).verdict is Verdict.ALERT

    low, high = 0.0, 1.0
    if not alarms(high):
        return math.nan
    while (high - low) * usual.n > 1:
        middle = (low + high) / 2
        low, high = (low, middle) if alarms(middle) else (middle, high)
    return high


def ranked(rules: Sequence[Any], uses: Sequence[Use]) -> list[int]:
    """Return the places of the rules, the most useful first.

    First come rules that fired on bad days, by how much more often than on others. Then the best
    of each kind, the kinds by their worth, then the second best of each, and so on: ten rules of
    one kind say less than one of ten. The best of a kind finds the smallest trouble.

    Examples
    --------
    >>> from tidemill.monitoring.quality import InRange, NullRate
    >>> rules = [InRange("age", low=0, high=9, at_most=0.1), NullRate("age", at_most=0.1)]
    >>> ranked(rules, [Use(), Use()]), ranked(rules, [Use(caught=1, trouble=2), Use()])
    ([1, 0], [0, 1])
    """

    def worth(k: int) -> int:
        name = type(rules[k]).__name__
        return WORTH.index(name) if name in WORTH else len(WORTH)

    def finest(k: int) -> tuple[float, int]:
        smallest = uses[k].smallest
        return (smallest if math.isfinite(smallest) else 1.0, k)

    caught = [k for k in range(len(rules)) if uses[k].lift > 0]
    caught.sort(key=lambda k: (-uses[k].lift, worth(k), *finest(k)))
    met: Counter[str] = Counter()
    turns: list[tuple[int, int, int]] = []
    for k in sorted(set(range(len(rules))) - set(caught), key=finest):
        name = type(rules[k]).__name__
        turns.append((met[name], worth(k), k))
        met[name] += 1
    return [*caught, *(k for _, _, k in sorted(turns))]

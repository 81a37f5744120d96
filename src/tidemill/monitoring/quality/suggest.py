"""Rules that a reference suggests, offered only when its later days prove them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import numpy.typing as npt
import pyarrow as pa
from scipy.special import betaincinv

from tidemill.core.errors import BadInput
from tidemill.core.limits import Between
from tidemill.core.ports import Engine
from tidemill.core.rule import check
from tidemill.core.signals import Point
from tidemill.core.verdict import Verdict
from tidemill.monitoring.quality.ideas import Idea
from tidemill.monitoring.quality.learning import learnt
from tidemill.monitoring.quality.measuring import measure
from tidemill.monitoring.quality.protocol import QualityRule, RowRule
from tidemill.monitoring.quality.reference import DAY, Reference
from tidemill.monitoring.quality.sets import Vanished

LEAST = 7
"""Days to learn from, and days to prove it on, at least."""
TOO_LOOSE = 0.5
"""A rule that lets more than this share of rows break it says nothing."""
_WINDOW = "tidemill_window"


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A rule with what speaks for it.

    ``days`` are the held-out days with rows enough for it to alarm, ``false_alarms`` those on
    which it did. ``rate_below`` is the 95 % upper limit of its rate of false
    alarms a day from these days alone.
    """

    rule: QualityRule
    why: str
    days: int
    false_alarms: int
    rate_below: float


@dataclass(frozen=True, kw_only=True)
class Suggestions:
    """The rules that held, and those that did not, each with why.

    ``alpha`` is how likely each may alarm on a day without any change.
    """

    offered: tuple[Suggestion, ...]
    refused: tuple[Suggestion, ...]
    alpha: float

    @property
    def rules(self) -> tuple[QualityRule, ...]:
        """The rules that are offered."""
        return tuple(s.rule for s in self.offered)

    def source(self) -> str:
        """Write the offered rules as Python for a strategy file, each under why."""
        names = sorted({type(rule).__name__ for rule in self.rules})
        if not names:
            return "quality = ()\n"
        listed = [f"    {name}," for name in names]
        lines = ["from tidemill.monitoring.quality import (", *listed, ")", "", "quality = ("]
        for found in self.offered:
            # Names of columns are the world's: none of them may end the comment.
            lines += [f"    # {' '.join(found.why.split())}", f"    {written(found.rule)},"]
        return "\n".join([*lines, ")", ""])


def suggest(
    reference: pa.Table,
    engine: Engine,
    *,
    days: npt.NDArray[Any] | None = None,
    alpha: float = 0.01,
    learn: float = 0.5,
) -> Suggestions:
    """Suggest rules from the early days of a reference, proven on its later ones.

    Shares get a limit that a new day is seldom above, with days as units; numbers a range with
    room on both sides; columns of few texts their set; then uniqueness, rows by weekday,
    delays and columns. Each rule is measured on the held-out days by the very expressions that
    production uses, and is offered only if it alarms on no more of them than ``alpha`` allows.
    With 30 held-out days and 0.01 that means on none.

    Parameters
    ----------
    reference
        Records as :data:`tidemill.core.records.RECORDS` has them, features as ``f_<name>``;
        without such columns, all that are not a record's own are features.
    engine
        What evaluates the rules.
    days
        The day of each row, shape (n,), as ``datetime64`` or days since 1970; None takes the
        day of ``predicted_at`` in UTC.
    alpha
        How likely a rule may alarm on a day without any change.
    learn
        The share of days to learn from; the others are held out.

    Raises
    ------
    BadInput
        If either part has fewer than seven days.

    References
    ----------
    Schelter, S. et al. (2018). Automating large-scale data quality verification. PVLDB 11,
    1781-1794. It suggests rules too, without proof on other data.
    Shankar, S. et al. (2023). Moving fast with broken data. arXiv:2303.06094.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from tidemill.adapters.engines.duckdb import DuckDBEngine
    >>> first = datetime(2024, 1, 1, tzinfo=UTC)
    >>> times = [first + timedelta(hours=k / 5) for k in range(30 * 120)]
    >>> table = pa.table({"predicted_at": times, "f_port": ["JFK", "LGA"] * 1800})
    >>> found = suggest(table, DuckDBEngine())
    >>> [written(r) for r in found.rules][:2]
    ["NullRate('port', at_most=0.0026)", "InSet('port', ('JFK', 'LGA'), at_most=0.0026)"]
    """
    check("suggest", "alpha", alpha, Between(0, 0.5, open_low=True))
    check("suggest", "learn", learn, Between(0.1, 0.9))
    whole = Reference.of(reference, days)
    early, late = whole.split(round(learn * len(whole.starts)))
    if min(len(early.starts), len(late.starts)) < LEAST:
        raise BadInput(
            f"the reference has {len(whole.starts)} days, {len(early.starts)} to learn from.",
            fix=f"give {LEAST} days to learn from and {LEAST} to prove it on, at least.",
        )
    ideas = list(learnt(early, alpha))
    proofs = [
        _proven(idea, points, alpha)
        for idea, points in zip(ideas, _measured(ideas, late, engine), strict=True)
    ]
    return Suggestions(
        offered=tuple(s for s, held in proofs if held),
        refused=tuple(s for s, held in proofs if not held),
        alpha=alpha,
    )


def _measured(ideas: Sequence[Idea], late: Reference, engine: Engine) -> list[list[Point]]:
    # The last day may be cut, which only a count of rows would see.
    starts = late.starts[:-1] if len(late.starts) > LEAST else late.starts
    stamps = pa.array([late.starts[d] for d in late.day], pa.timestamp("us", tz="UTC"))
    records: Any = ibis.memtable(late.rows.append_column(_WINDOW, stamps))
    rules = [idea.rule for idea in ideas]
    return measure(rules, records, engine, window=records[_WINDOW], starts=starts, every=DAY)


def _proven(idea: Idea, points: Sequence[Point], alpha: float) -> tuple[Suggestion, bool]:
    """Return a suggestion, and whether the held-out days bear it out."""
    said = [idea.rule.judge([p], alpha=alpha).verdict for p in points]
    judged = sum(_could_alarm(idea.rule, p, alpha) for p in points)
    alarms = sum(v is Verdict.ALERT for v in said)
    below = 1.0
    if alarms < judged:
        below = float(betaincinv(alarms + 1, judged - alarms, 0.95))
    broken = next((p.why for p in points if p.why), "")
    loose = isinstance(idea.rule, RowRule) and idea.rule.at_most > TOO_LOOSE
    against = ""
    if broken:
        against = broken
    elif loose:
        against = "its limit would let half or more pass"
    elif judged < len(points) / 2:
        against = f"it could alarm on only {judged} of {len(points)} held-out days"
    elif alarms > math.floor(alpha * judged):
        against = f"it would have alarmed on {alarms} of {judged} held-out days"
    proof = against or (
        f"{_worst(idea.rule, points)}, {alarms} alarms (a rate below {below:.1%} a day)"
    )
    found = Suggestion(
        rule=idea.rule,
        why=f"{idea.seen}; {proof}",
        days=judged,
        false_alarms=alarms,
        rate_below=below,
    )
    return found, not against


def _could_alarm(rule: QualityRule, point: Point, alpha: float) -> bool:
    """Tell whether a window had rows enough for the worst to be found."""
    if isinstance(rule, RowRule):
        worst = 1.0
    elif isinstance(rule, Vanished):
        worst = float(len(rule.values))
    else:
        return rule.judge([point], alpha=alpha).verdict is not Verdict.NO_VERDICT
    bad = dataclasses.replace(point, value=worst)
    return rule.judge([bad], alpha=alpha).verdict is Verdict.ALERT


def _worst(rule: QualityRule, points: Sequence[Point]) -> str:
    values = [p.value for p in points if math.isfinite(p.value)]
    if isinstance(rule, RowRule):
        most = f"at most {max(values):.3%}" if max(values) else "none"
        return f"{most} on any of {len(values)} held-out days"
    return f"{min(values):g} to {max(values):g} on {len(values)} held-out days"


def written(rule: Any) -> str:
    """Write a rule as Python that reads back, without what is as by default.

    Examples
    --------
    >>> from tidemill.monitoring.quality import NullRate
    >>> written(NullRate("age", at_most=0.1, alerting=True))
    "NullRate('age', at_most=0.1)"
    """
    parts = []
    for field in dataclasses.fields(rule):
        value = getattr(rule, field.name)
        if field.default is dataclasses.MISSING and not field.kw_only:
            parts.append(repr(value))
        elif field.default is dataclasses.MISSING or value != field.default:
            parts.append(f"{field.name}={value!r}")
    return f"{type(rule).__name__}({', '.join(parts)})"

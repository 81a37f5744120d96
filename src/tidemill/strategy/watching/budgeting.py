"""The alert budget on a project's own past: what its rules would have paged, and how often."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import scipy.special

from tidemill.core.durations import duration
from tidemill.core.errors import BadInput
from tidemill.core.ports import Json, World
from tidemill.core.signals import Judgement, Key, Point, VerdictRule
from tidemill.core.verdict import Verdict
from tidemill.monitoring.verdicts.replay import MONTH, Budget, budget
from tidemill.monitoring.watching import Monitoring
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.turn import moment_of
from tidemill.strategy.watching.judging import PAST
from tidemill.strategy.watching.ruling import Ruling, rulings, usual
from tidemill.strategy.watching.telling import signals

SHORT = 60.0
"""Days below which a rate of a few pages a month says little."""

Watched = list[tuple[Key, VerdictRule, list[Point]]]


def budgets(
    world: World, strategy: Strategy, *, pages: float | None = None, last: str | None = None
) -> Json:
    """Say what would have been paged at the strategy's budget, and at another one.

    Signals are judged again by the rules of today. Drift is not: its verdicts are those of
    their time, at the budget of that time, whatever other one is asked for.

    Raises
    ------
    BadInput
        If nothing is watched, or nothing was measured yet.
    """
    monitoring: Monitoring | None = strategy.monitoring
    if monitoring is None:
        raise BadInput(
            "the strategy watches nothing.", fix="give it monitoring=Monitoring() in strategy.py."
        )
    found = series(world, last)
    asked: list[float] = [monitoring.pages]
    if pages is not None and pages != monitoring.pages:
        asked.append(pages)
    made = [
        budget(watched(world, strategy, monitoring, found), pages=each, quiet=monitoring.quiet)
        for each in asked
    ]
    lines = {line.key: line for line in made[0].lines}
    others = [{line.key: line for line in one.lines} for one in made]
    starts = [p.start for _, (points, _) in found.items() for p in points]
    document: Json = {
        "since": min(starts).isoformat() if starts else None,
        "until": max(starts).isoformat() if starts else None,
        "days": made[0].days,
        "short": made[0].days < SHORT,
        "budgets": [_budget(one) for one in made],
        "signals": [
            {
                "kind": key.kind,
                "signal": f"{key} by {key.model}" if key.model else str(key),
                "judged": line.judged,
                "no_verdict": line.no_verdict,
                "incidents": [len(other[key].incidents) for other in others],
                "per_month": [
                    len(other[key].incidents) / one.days * MONTH if one.days else None
                    for other, one in zip(others, made, strict=True)
                ],
            }
            for key, line in lines.items()
        ],
        "notes": _notes(made[0]),
    }
    return document


def _notes(made: Budget) -> list[str]:
    notes = []
    drifts = sum(line.key.kind == "drift" for line in made.lines)
    if drifts:
        notes.append(
            f"{drifts} signals of drift are counted as they were judged at their time, by the "
            f"strategy and budget of that time; another number of pages changes nothing of them"
        )
    if made.days < SHORT:
        notes.append(
            f"{made.days:g} days could be judged: a page more or less is "
            f"{MONTH / max(made.days, 1.0):.1f} a month; ask again with {SHORT:g} days"
        )
    return notes


def _budget(made: Budget) -> Json:
    low, high = rate(len(made.pages), made.days)
    return {
        "pages": made.asked,
        "paged": len(made.pages),
        "per_month": made.per_month if math.isfinite(made.per_month) else None,
        "low": low,
        "high": high,
        "incidents": [[a.isoformat(), b.isoformat()] for a, b in made.pages],
    }


def rate(count: int, days: float, *, confidence: float = 0.95) -> tuple[float | None, float | None]:
    """Return the exact limits of a rate a month, for events that come one by one.

    References
    ----------
    Garwood, F. (1936). Fiducial limits for the Poisson distribution. Biometrika 28, 437-442.

    Examples
    --------
    >>> [round(limit, 2) for limit in rate(2, 60.0)]
    [0.12, 3.61]
    """
    if not days > 0:
        return None, None
    tail, months = (1 - confidence) / 2, days / MONTH
    low = float(scipy.special.gammaincinv(count, tail)) if count else 0.0
    return low / months, float(scipy.special.gammaincinv(count + 1, 1 - tail)) / months


Series = dict[Key, tuple[list[Point], dict[datetime, Judgement]]]


def series(world: World, last: str | None) -> Series:
    """Return the points of every signal, with what was said of them at their time.

    Raises
    ------
    BadInput
        If nothing was measured.
    """
    rows: list[dict[str, Any]] = []
    if world.events.version("signals") >= 0:
        span = None if last is None else duration(last)
        rows = signals(world, last=span).to_pylist()
    if not rows:
        raise BadInput(
            "nothing was measured yet, so there is no past to count pages in.",
            fix="give the strategy monitoring=Monitoring(), then: tidemill run.",
        )
    found: Series = {}
    for row in rows:
        key = Key(**{n: row[n] for n in ("kind", "metric", "column", "cohort", "model")})
        points, said = found.setdefault(key, ([], {}))
        points.append(_point(row))
        if row["verdict"] is not None:
            p = math.nan if row["p"] is None else row["p"]
            verdict = Verdict(row["verdict"])
            said[row["start"]] = Judgement(verdict=verdict, why=row["said"] or "", p=p)
    return found


def _point(row: dict[str, Any]) -> Point:
    numbers = ("value", "low", "high", "n_effective")
    known = {n: math.nan if row[n] is None else row[n] for n in numbers}
    return Point(start=row["start"], end=row["end"], n=row["n"], why=row["why"] or "", **known)


def watched(world: World, strategy: Strategy, monitoring: Monitoring, found: Series) -> Watched:
    """Return every signal that may page with its rule and its points."""
    made: Watched = []
    final = moment_of(world) - duration(strategy.labels.final_after)
    for key, ruling in rulings(strategy, monitoring).items():
        if ruling.alerting and key in found:
            points = [p for p in found[key][0] if p.end <= final or not ruling.of_labels]
            made.append((key, _AsJudged(ruling=ruling), points))
    for key, (points, said) in found.items():
        if key.kind == "drift" and key.metric.startswith("drift"):
            made.append((key, _AsSaid(said=said), points))
    return made


@dataclass
class _AsJudged:
    """A rule as a turn applies it: what was bad does not hide what is bad next."""

    ruling: Ruling
    bad: set[datetime] = field(default_factory=set[datetime])

    def __call__(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        last = points[-1]
        before = usual((p, p.start in self.bad) for p in points[:-1][-PAST:])
        said = self.ruling.judge([*before, last], alpha=alpha)
        if said.verdict is Verdict.ALERT:
            self.bad.add(last.start)
        return said


@dataclass(frozen=True)
class _AsSaid:
    """What was said at the time."""

    said: dict[datetime, Judgement]

    def __call__(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        missing = Judgement(verdict=Verdict.NO_VERDICT, why="it was not judged")
        return self.said.get(points[-1].start, missing)

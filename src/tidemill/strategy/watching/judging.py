"""Judging in a look: is what was measured bad, given what is usual? One family a base window."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from tidemill.core.signals import Judgement, Key, Point, VerdictRule
from tidemill.core.verdict import Verdict
from tidemill.measures import Metric
from tidemill.strategy.turn import Turn
from tidemill.strategy.watching.drifting import Drift
from tidemill.strategy.watching.measuring import Points, key_of, metrics_of
from tidemill.strategy.watching.store import Judged, Past, history
from tidemill.strategy.watching.windows import Windows, rules, settled

PAST = 120
"""How many windows back a verdict over time may look."""
NEW_USUAL = 14
"""After so many bad windows in a row, what is bad has become usual."""


def judge(turn: Turn, found: set[datetime], records: set[datetime], points: Points) -> list[Judged]:
    """Judge every point that was measured, and the drift of every window with new records.

    Parameters
    ----------
    found
        The windows that were measured.
    records
        Those of them whose records changed, or that closed.
    points
        What was measured, by signal, the oldest first.
    """
    if not found:
        return []
    windows = Windows.of(turn)
    series = _series(turn, min(found), points)
    ruled = _rules(turn, series)
    drift = Drift(turn, records)
    judged: list[Judged] = []
    for start in sorted(found):
        here = {key: made for key, past in series.items() if (made := _until(past, start))}
        tests = sum(key in ruled and ruled[key][1] for key in here) + drift.tests(start)
        alpha = rules(turn).alpha(window_days=windows.days) / max(1, tests)
        for key, made in here.items():
            said = _said(turn, ruled.get(key), made, alpha)
            alerting = key in ruled and ruled[key][1]
            one = Judged(key=key, point=made[-1], judgement=said, alerting=alerting)
            series[key][start] = Past(point=one.point, alert=one.alert)
            judged.append(one)
        judged += drift.judge(start, alpha=alpha * drift.tests(start))
    return judged


Series = dict[datetime, Past]
"""The points of a signal by the start of their window, the oldest first."""


def _series(turn: Turn, first: datetime, points: Points) -> dict[Key, Series]:
    """Return what was measured now after what was measured before, by signal."""
    windows = Windows.of(turn)
    past = history(turn, first - PAST * windows.every)
    series: dict[Key, Series] = {}
    for key, made in points.items():
        known = {one.point.start: one for one in past.get(key, [])}
        known |= {p.start: Past(point=p, alert=False) for p in made}
        series[key] = dict(sorted(known.items()))
    return series


def _until(past: Series, start: datetime) -> list[Point]:
    """Return what a verdict on a window looks at: the usual points before it, and its own."""
    if start not in past:
        return []
    before = [one for at, one in past.items() if at < start][-PAST:]
    return [*_usual(before), past[start].point]


def _usual(past: Sequence[Past]) -> list[Point]:
    """Leave out what was bad, so that it does not hide what is bad next.

    What has been bad for long without end is how things are now, and is left in.
    """
    kept: list[Point] = []
    bad: list[Point] = []
    for one in past:
        bad = [*bad, one.point] if one.alert else []
        if len(bad) > NEW_USUAL:
            kept += bad if len(bad) == NEW_USUAL + 1 else bad[-1:]
        elif not one.alert:
            kept.append(one.point)
    return kept


Ruled = tuple[VerdictRule, bool, Metric | None]


def _rules(turn: Turn, series: dict[Key, Series]) -> dict[Key, Ruled]:
    """Return the rule that judges each signal, whether it may page, and its metric if it has one."""
    monitoring = rules(turn)
    found: dict[Key, Ruled] = {}
    cohorts = ("", *(c.name for c in turn.strategy.cohorts))
    for watch in monitoring.signals:
        rule = watch.verdict or getattr(watch.signal, "judge", None) or monitoring.performance
        for cohort in cohorts:
            found[key_of(watch, cohort)] = (rule, watch.alerting, None)
    for metric in metrics_of(turn):
        for cohort in cohorts:
            key = Key(kind="performance", metric=metric.name, cohort=cohort)
            found[key] = (monitoring.performance, True, metric)
    return {key: rule for key, rule in found.items() if key in series}


def _said(turn: Turn, ruled: Ruled | None, made: list[Point], alpha: float) -> Judgement | None:
    if ruled is None:
        return None
    rule, _, metric = ruled
    last = made[-1]
    if metric is not None and not settled(turn, last.start):
        final = turn.strategy.labels.final_after
        return Judgement(verdict=Verdict.NO_VERDICT, why=f"labels are final {final} later")
    if not math.isfinite(last.value):
        return Judgement(verdict=Verdict.NO_VERDICT, why=last.why or "it could not be measured")
    said = rule(made, alpha=alpha)
    return said if metric is None else _only_worse(metric, last, said)


def _only_worse(metric: Metric, last: Point, said: Judgement) -> Judgement:
    """A model that is better than expected is no reason to wake anybody."""
    if said.verdict not in (Verdict.ALERT, Verdict.WARN):
        return said
    better = last.value > said.high if metric.higher_is_better else last.value < said.low
    return (
        replace(said, verdict=Verdict.OK, why=f"better than usual: {said.why}") if better else said
    )


def by_window(judged: Sequence[Judged]) -> Iterator[tuple[datetime, list[Judged]]]:
    """Yield what was judged window by window, the oldest first."""
    for start in sorted({one.point.start for one in judged}):
        yield start, [one for one in judged if one.point.start == start]

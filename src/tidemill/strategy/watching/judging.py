"""Judging in a look: is what was measured bad, given what is usual? One family a base window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from tidemill.core.signals import Judgement, Key, Point
from tidemill.core.verdict import Verdict
from tidemill.strategy.turn import Turn
from tidemill.strategy.watching.drifting import Drift
from tidemill.strategy.watching.jointly import Jointly
from tidemill.strategy.watching.measuring import Points
from tidemill.strategy.watching.projecting import Projected
from tidemill.strategy.watching.ruling import Ruling, rulings, usual
from tidemill.strategy.watching.store import Judged, Past, history
from tidemill.strategy.watching.windows import Windows, rules, settled

PAST = 63
"""How many windows back a verdict over time may look: each weekday nine times. More would tell a
little more, and make every look after a year dearer than one after a season."""


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
    ruled = {k: r for k, r in rulings(turn.strategy, rules(turn)).items() if k in series}
    drift, joint = Drift(turn, records), Jointly(turn, records)
    values = Projected(turn, records)
    judged: list[Judged] = []
    for start in sorted(found):
        here = {key: made for key, past in series.items() if (made := _until(past, start))}
        tests = sum(key in ruled and ruled[key].alerting for key in here)
        tests += drift.tests(start) + joint.tests(start) + values.tests(start)
        alpha = rules(turn).alpha(window_days=windows.days) / max(1, tests)
        for key, made in here.items():
            said = _said(turn, ruled.get(key), made, alpha)
            alerting = key in ruled and ruled[key].alerting
            one = Judged(key=key, point=made[-1], judgement=said, alerting=alerting)
            series[key][start] = Past(point=one.point, alert=one.alert)
            judged.append(one)
        judged += drift.judge(start, alpha=alpha * drift.tests(start))
        judged += joint.judge(start, alpha=alpha)
        judged += values.judge(start, alpha=alpha * values.tests(start))
    return judged


Series = dict[datetime, Past]
"""The points of a signal by the start of their window, the oldest first."""


def _series(turn: Turn, first: datetime, points: Points) -> dict[Key, Series]:
    """Return what was measured now after what was measured before, by signal."""
    windows = Windows.of(turn)
    past = history(turn, first - PAST * windows.every, points)
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
    return [*usual((one.point, one.alert) for one in before), past[start].point]


def _said(turn: Turn, ruling: Ruling | None, made: list[Point], alpha: float) -> Judgement | None:
    if ruling is None:
        return None
    if ruling.of_labels and not settled(turn, made[-1].start):
        final = turn.strategy.labels.final_after
        return Judgement(verdict=Verdict.NO_VERDICT, why=f"labels are final {final} later")
    return ruling.judge(made, alpha=alpha)


def by_window(judged: Sequence[Judged]) -> Iterator[tuple[datetime, list[Judged]]]:
    """Yield what was judged window by window, the oldest first."""
    for start in sorted({one.point.start for one in judged}):
        yield start, [one for one in judged if one.point.start == start]

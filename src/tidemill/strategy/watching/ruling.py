"""Which rule judges which signal, and what it is shown: by a look, and by a replay of the past."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from tidemill.core.signals import Judgement, Key, Point, VerdictRule
from tidemill.core.verdict import Verdict
from tidemill.monitoring.watching import Monitoring, Watch
from tidemill.strategy.realised import yardsticks
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.watching.measuring import key_of

NEW_USUAL = 14
"""After so many bad windows in a row, what is bad has become usual."""


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """How a signal is judged.

    ``higher`` says whether more of it is better, None where neither is; ``of_labels`` whether it
    can be judged only when the labels of a window are final.
    """

    rule: VerdictRule
    alerting: bool = True
    higher: bool | None = None
    of_labels: bool = False

    def judge(self, made: list[Point], *, alpha: float) -> Judgement:
        """Judge the last point; only worse is bad, and what could not be measured is not calm."""
        last = made[-1]
        if not math.isfinite(last.value) and (last.why or self.of_labels):
            why = last.why or "it could not be measured"
            return Judgement(verdict=Verdict.NO_VERDICT, why=why)
        said = self.rule(made, alpha=alpha)
        if self.higher is None or said.verdict not in (Verdict.ALERT, Verdict.WARN):
            return said
        if last.value > said.high if self.higher else last.value < said.low:
            why = f"better than usual: {said.why}"
            return replace(said, verdict=Verdict.OK, why=why)
        return said


def rulings(strategy: Strategy, monitoring: Monitoring) -> dict[Key, Ruling]:
    """Return how each signal of a strategy is judged, except drift of any kind."""
    found: dict[Key, Ruling] = {}
    cohorts = ("", *(c.name for c in strategy.cohorts))
    for watch in monitoring.measured:
        ruling = _of_watch(watch, monitoring)
        found |= {key_of(watch, cohort): ruling for cohort in cohorts}
    for metric in yardsticks(strategy):
        ruling = Ruling(rule=monitoring.performance, higher=metric.higher_is_better, of_labels=True)
        for cohort in cohorts:
            found[Key(kind="performance", metric=metric.name, cohort=cohort)] = ruling
    return found


def _of_watch(watch: Watch, monitoring: Monitoring) -> Ruling:
    rule = watch.verdict or getattr(watch.signal, "judge", None) or monitoring.performance
    higher = {"better": True, "worse": False}.get(getattr(watch.signal, "higher_is", ""))
    alerting = watch.alerting and getattr(watch.signal, "alerting", True)
    return Ruling(rule=rule, alerting=alerting, higher=higher)


def usual(past: Iterable[tuple[Point, bool]]) -> list[Point]:
    """Leave out what was bad, so that it does not hide what is bad next.

    What has been bad for long without end is how things are now, and is left in.

    Parameters
    ----------
    past
        Points, the oldest first, each with whether it was bad.
    """
    kept: list[Point] = []
    bad: list[Point] = []
    for point, alert in past:
        bad = [*bad, point] if alert else []
        if len(bad) > NEW_USUAL:
            kept += bad if len(bad) == NEW_USUAL + 1 else bad[-1:]
        elif not alert:
            kept.append(point)
    return kept

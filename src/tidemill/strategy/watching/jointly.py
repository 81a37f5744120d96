"""Drift of many columns at once in a look: some rows of a window against those of usual ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

import pyarrow as pa

from tidemill.core.errors import TidemillError
from tidemill.core.ports import Json
from tidemill.core.signals import Judgement, Key, Point
from tidemill.core.verdict import Verdict
from tidemill.measures.condition import All
from tidemill.monitoring.joint import Joint, JointRule
from tidemill.monitoring.joint.protocol import nothing
from tidemill.monitoring.watching import Watch
from tidemill.strategy.turn import Turn
from tidemill.strategy.watching.fits import fits
from tidemill.strategy.watching.reference import Reference, reference
from tidemill.strategy.watching.sampling import Samples
from tidemill.strategy.watching.store import Judged
from tidemill.strategy.watching.windows import Windows, first_window, rules

LONGEST = 56
"""Usual windows of which rows are looked at, at most."""
LIKE = 14
"""So many usual windows of the same kind of day are enough to leave out the other kind."""
_SATURDAY = 5


class Jointly:
    """Judges windows by rules on many columns at once.

    Parameters
    ----------
    starts
        The windows to judge.
    """

    def __init__(self, turn: Turn, starts: set[datetime]) -> None:
        self._turn = turn
        self._windows = Windows.of(turn)
        self._watches: Sequence[Watch] = rules(turn).joint
        self._starts = starts if self._watches else set[datetime]()
        rows = max((w.signal.rows for w in self._watches), default=1)
        self._samples = Samples(turn, rows=rows, ahead=self._starts)
        self._first = first_window(turn) if self._starts else None

    def tests(self, start: datetime) -> int:
        """Return how many tests that may page close in a window."""
        if start not in self._starts:
            return 0
        return sum(w.alerting for w in self._watches) * len(self._windows.spans(self._turn, start))

    def judge(self, start: datetime, *, alpha: float) -> Iterator[Judged]:
        """Judge the window that begins at ``start``; each test at level ``alpha``."""
        if start not in self._starts or self._first is None:
            return
        ref = reference(self._turn, start, self._first)
        for span in self._windows.spans(self._turn, start):
            found = [*self._windows.before(start, span - 1), start]
            usual, words = self._usual(ref, found)
            tables = self._samples.of([*usual, *found])
            here = [tables[s] for s in found if s in tables]
            before = [tables[s] for s in usual if s in tables]
            for watch in self._watches:
                made = self._compared(watch.signal, before, here, alpha, start)
                yield self._judged(watch, made, start, span, words)

    def _usual(self, ref: Reference, found: list[datetime]) -> tuple[list[datetime], str]:
        """Choose the windows to compare with: for one day, days of the same kind."""
        every = self._windows.every
        n = (ref.last - ref.first) // every + 1
        usual = [ref.first + k * every for k in range(n) if ref.first + k * every not in found]
        if every == timedelta(days=1) and len(found) == 1:
            weekend = found[0].weekday() >= _SATURDAY
            alike = [s for s in usual if (s.weekday() >= _SATURDAY) == weekend]
            if len(alike) >= LIKE:
                kind = "weekends" if weekend else "days of the week"
                return alike[-LONGEST:], f"{ref.words}, {kind} only"
        return usual[-LONGEST:], ref.words

    def _compared(
        self,
        rule: JointRule,
        usual: list[pa.Table],
        found: list[pa.Table],
        alpha: float,
        start: datetime,
    ) -> Joint:
        if not found:
            return nothing("no record in the window")
        any_kind = bool(getattr(rule, "any_kind", False))
        learnt = fits(self._turn, start) if rule.columns else {}
        kept = self._samples.columns(rule.columns, any_kind=any_kind, fitted=learnt)
        try:
            before, now = ([kept(t.slice(0, rule.rows)) for t in side] for side in (usual, found))
            return rule.compared(before, now, alpha=alpha)
        except TidemillError as error:
            return nothing(error.what, n=sum(t.num_rows for t in found))

    def _judged(self, watch: Watch, made: Joint, start: datetime, span: int, words: str) -> Judged:
        rule, said = watch.signal, made.judgement
        metric = rule.metric if span == 1 else f"{rule.metric}_{span}"
        point = Point(
            start=start,
            end=start + self._windows.every,
            value=made.value,
            n=made.n,
            why="" if math.isfinite(made.value) else said.why,
        )
        judgement = Judgement(
            verdict=said.verdict,
            why=f"{said.why}; against {words}",
            p=said.p,
            effect=said.effect,
            low=said.low,
            high=said.high,
        )
        bad = said.verdict is Verdict.ALERT
        return Judged(
            key=Key(kind="drift", metric=metric, column=rule.column),
            point=point,
            judgement=judgement,
            alerting=watch.alerting,
            where=_region(self._turn, made.where) if bad and made.where else None,
        )


def _region(turn: Turn, where: All) -> Json | None:
    """Write a region down, so that its records can be shown; one of projections cannot be."""
    made = {one.name for one in turn.strategy.projections}
    if any(c.column in made or "[" in c.column for c in where.conditions):
        return None
    return {"all": [asdict(c) for c in where.conditions]}

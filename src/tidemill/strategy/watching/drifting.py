"""Drift in a look: the profile of each window against those of the windows that are usual for it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tidemill.core.signals import Judgement, Key, Point
from tidemill.core.verdict import Verdict
from tidemill.measures.profile import Profile
from tidemill.monitoring.drift import Floors, Shift, compare
from tidemill.strategy.turn import Turn
from tidemill.strategy.watching.edges import counted
from tidemill.strategy.watching.mattering import mattering
from tidemill.strategy.watching.profiling import OUTPUTS, bare_name, of_cohort
from tidemill.strategy.watching.reference import (
    LONGEST,
    Reference,
    champion,
    live_since,
    reference,
)
from tidemill.strategy.watching.rows import moved
from tidemill.strategy.watching.store import Judged
from tidemill.strategy.watching.windows import Windows, first_window, rules

LEAST = 5
"""Windows a champion must have answered before its outputs can be compared with themselves."""


@dataclass(frozen=True, kw_only=True)
class _What:
    """What is compared: the windows, with what in words, of which model, for whom."""

    start: datetime
    span: int
    words: str
    model: str = ""
    cohort: str = ""

    def key(self, column: str) -> Key:
        metric = "drift" if self.span == 1 else f"drift_{self.span}"
        names = {"column": column, "model": self.model, "cohort": self.cohort}
        return Key(kind="drift", metric=metric, **names)


class Drift:
    """Judges the drift of windows; what it reads of the past it reads once.

    Parameters
    ----------
    starts
        The windows to judge.
    """

    def __init__(self, turn: Turn, starts: set[datetime]) -> None:
        self._turn = turn
        self._windows = Windows.of(turn)
        self._starts = starts
        self._rule = rules(turn)
        self._profiles: dict[datetime, dict[str, Profile]] = {}
        self._whole: dict[datetime, Profile] = {}
        self._cohorts: dict[str, dict[datetime, Profile]] = {}
        self._references: dict[datetime, Reference] = {}
        if starts:
            self._read(sorted(starts))

    def _read(self, starts: list[datetime]) -> None:
        turn, every = self._turn, self._windows.every
        first = first_window(turn)
        self._references = {s: reference(turn, s, first) for s in starts}
        oldest = min(r.first for r in self._references.values())
        oldest = max(min(oldest, starts[0] - self._rule.usual * every), first)
        found = counted(turn, oldest, starts[-1] + every)
        self._profiles = {s: one.by_model for s, one in found.items()}
        self._whole = {s: one.whole for s, one in found.items()}
        self._cohorts = {
            cohort.name: of_cohort(turn, cohort, oldest, starts[-1] + every)
            for cohort in turn.strategy.cohorts
            if cohort.name in self._rule.by_cohort
        }

    def tests(self, start: datetime) -> int:
        """Return how many tests of drift close in a window."""
        if start not in self._starts or start not in self._whole:
            return 0
        columns = len(self._whole[start].columns)
        columns += sum(len(c[start].columns) for c in self._cohorts.values() if start in c)
        return columns * len(self._windows.spans(self._turn, start))

    def judge(self, start: datetime, *, alpha: float) -> Iterator[Judged]:
        """Judge the drift of every column in the window that begins at ``start``."""
        if not self.tests(start):
            return
        spans = self._windows.spans(self._turn, start)
        each = alpha / len(spans)
        for span in spans:
            yield from self._outputs(start, span, each)
            yield from self._features(start, span, each, self._whole)
            for name, found in self._cohorts.items():
                yield from self._features(start, span, each, found, cohort=name)

    def _current(self, start: datetime, span: int) -> list[datetime]:
        return [*self._windows.before(start, span - 1), start]

    def _features(
        self,
        start: datetime,
        span: int,
        alpha: float,
        whole: dict[datetime, Profile],
        *,
        cohort: str = "",
    ) -> Iterator[Judged]:
        found, ref = self._current(start, span), self._references[start]
        what = _What(start=start, span=span, words=ref.words, cohort=cohort)
        if cohort and start not in whole:
            why = f"no record of {cohort} was counted in the window"
            said = Judgement(verdict=Verdict.NO_VERDICT, why=why)
            point = self._point(start, math.nan, (), why=why)
            yield Judged(key=what.key(""), point=point, judgement=said)
            return
        usual = [s for s in whole if ref.first <= s <= ref.last and s not in found]
        skipped = {*OUTPUTS, *(f"f_{name}" for name in self._rule.ignore)}
        yield from self._compared(
            [_without(whole[s], skipped) for s in usual[-LONGEST:]],
            [_without(whole[s], skipped) for s in found if s in whole],
            what,
            alpha,
        )

    def _outputs(self, start: datetime, span: int, alpha: float) -> Iterator[Judged]:
        """Compare what the champion answers with what it answered before; others answer otherwise."""
        turn, every = self._turn, self._windows.every
        version = champion(turn, start + every)
        since = None if version is None else live_since(turn, version, start + every)
        model = version if version in self._profiles[start] else ""
        if model not in self._profiles[start]:
            return
        found = self._current(start, span)
        usual = [s for s in self._windows.before(found[0], self._rule.usual) if s in self._profiles]
        usual = [s for s in usual if model in self._profiles[s]]
        if model and since is not None:
            usual = [s for s in usual if s >= since]
        words = f"{len(usual)} windows {'before' if not model else f'that {model} answered before'}"
        here = [
            _only(self._profiles[s][model], OUTPUTS)
            for s in found
            if model in self._profiles.get(s, {})
        ]
        yield from self._compared(
            [_only(self._profiles[s][model], OUTPUTS) for s in usual],
            [_only(one, OUTPUTS) for one in here],
            _What(start=start, span=span, words=words, model=model),
            alpha,
        )

    def _compared(
        self,
        usual: Sequence[Profile],
        found: Sequence[Profile],
        what: _What,
        alpha: float,
    ) -> Iterator[Judged]:
        start = what.start
        if not found or not found[-1].columns:
            return
        if len(usual) < LEAST:
            why = f"{len(usual)} usual windows to compare with, {LEAST} needed ({what.words})"
            for column in found[-1].columns:
                point = self._point(start, math.nan, found, why=why)
                said = Judgement(verdict=Verdict.NO_VERDICT, why=why)
                yield Judged(key=what.key(column), point=point, judgement=said)
            return
        floors = Floors(number=self._rule.floor_numbers, category=self._rule.floor_categories)
        usual, found = _with_values(usual), _with_values(found)
        matter = mattering(self._turn, start + self._windows.every)
        report = compare(
            usual, found, alpha=alpha, units="days", floors=floors, importance=matter.of
        )
        for shift in report.shifts:
            where = moved(usual, found, shift) if shift.verdict == Verdict.ALERT else None
            known = "" if what.model else matter.words(shift.column)
            yield replace(self._shift(shift, what, found, known), where=where)

    def _shift(
        self,
        shift: Shift,
        what: _What,
        found: Sequence[Profile],
        known: str,
    ) -> Judged:
        point = self._point(what.start, shift.value, found, low=shift.low, high=shift.high)
        unsure = shift.verdict == Verdict.NO_VERDICT
        told = [shift.words, shift.why if unsure or not shift.words else ""]
        said = Judgement(
            verdict=shift.verdict,
            why=f"{'; '.join(t for t in told if t)}; against {what.words}"
            + f"; {known}" * bool(known),
            p=shift.p,
            effect=shift.value,
        )
        return Judged(key=what.key(shift.column), point=point, judgement=said)

    def _point(
        self,
        start: datetime,
        value: float,
        found: Sequence[Profile],
        *,
        low: float = math.nan,
        high: float = math.nan,
        why: str = "",
    ) -> Point:
        n = sum(p.rows for p in found)
        end = start + self._windows.every
        return Point(start=start, end=end, value=value, low=low, high=high, n=n, why=why)


def _with_values(profiles: Sequence[Profile]) -> list[Profile]:
    """Leave out columns without a value in any window: outputs of a kind the model does not give."""
    named = {c for p in profiles for c, counts in p.columns.items() if counts.rows > counts.nulls}
    return [_only(p, sorted(named)) for p in profiles]


def _without(profile: Profile, names: set[str]) -> Profile:
    return _only(profile, [c for c in profile.columns if c not in names])


def _only(profile: Profile, names: Sequence[str]) -> Profile:
    """Keep some columns, under the names people know."""
    kept = {bare_name(c): v for c, v in profile.columns.items() if c in names}
    kinds = {bare_name(c): k for c, k in profile.kinds.items() if c in names}
    return replace(profile, columns=kept, kinds=kinds)

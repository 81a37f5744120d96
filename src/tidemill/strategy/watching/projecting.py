"""Drift of projections in a look: their values on some records, window by window."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime

import numpy as np
import pyarrow as pa

from tidemill.core.errors import TidemillError
from tidemill.core.signals import Judgement, Key, Point
from tidemill.core.verdict import Verdict
from tidemill.measures.grid import Grid
from tidemill.measures.profile import Profile, of_table
from tidemill.monitoring.drift import Floors, Shift, compare
from tidemill.strategy.turn import Turn
from tidemill.strategy.watching.fits import Fit, fits, fitted_of
from tidemill.strategy.watching.reference import reference
from tidemill.strategy.watching.sampling import Samples
from tidemill.strategy.watching.store import Judged
from tidemill.strategy.watching.windows import Windows, first_window, rules

ROWS = 1000
LONGEST = 56
LEAST = 5


class Projected:
    """Judges the drift of fitted projections, each of their numbers by itself.

    Values are made anew in each look, of both sides by one fit and on one grid, so numbers of
    two fits never meet; the digest of the fit is part of the name of the signal.
    """

    def __init__(self, turn: Turn, starts: set[datetime]) -> None:
        self._turn = turn
        self._windows = Windows.of(turn)
        self._starts = starts if fitted_of(turn) else set[datetime]()
        self._samples = Samples(turn, rows=ROWS, ahead=self._starts)
        self._fits = {s: fits(turn, s) for s in self._starts}

    def tests(self, start: datetime) -> int:
        """Return how many tests close in a window."""
        found = [f for f in self._fits.get(start, {}).values() if isinstance(f, Fit)]
        numbers = sum(getattr(f.projection, "k", 1) for f in found)
        return numbers * len(self._windows.spans(self._turn, start))

    def judge(self, start: datetime, *, alpha: float) -> Iterator[Judged]:
        """Judge the window that begins at ``start``, all its tests together at level ``alpha``."""
        many = max(1, self.tests(start))
        for name, found in self._fits.get(start, {}).items():
            for span in self._windows.spans(self._turn, start):
                if isinstance(found, str):
                    yield self._silent(name, start, span, found)
                    continue
                level = alpha * getattr(found.projection, "k", 1) / many
                yield from self._compared(name, found, start, span, level)

    def _compared(
        self, name: str, found: Fit, start: datetime, span: int, alpha: float
    ) -> Iterator[Judged]:
        ref, every = reference(self._turn, start, first_window(self._turn)), self._windows.every
        here = [*self._windows.before(start, span - 1), start]
        n = min((ref.last - ref.first) // every + 1, LONGEST)
        usual = [
            ref.last - k * every for k in reversed(range(n)) if ref.last - k * every not in here
        ]
        tables = self._samples.of([*usual, *here])
        try:
            values = {s: self._values(found, table) for s, table in tables.items()}
        except TidemillError as error:
            yield self._silent(name, start, span, error.what)
            return
        before, now = ([s for s in side if s in values] for side in (usual, here))
        if len(before) < LEAST or not now:
            why = f"{len(before)} usual windows to compare with, {LEAST} needed ({ref.words})"
            yield self._silent(name, start, span, why)
            return
        profiles = self._profiles(values, name)
        rule = rules(self._turn)
        floors = Floors(number=rule.floor_numbers, category=rule.floor_categories)
        report = compare(
            [profiles[s] for s in before], [profiles[s] for s in now],
            alpha=alpha, units="days", floors=floors,
        )  # fmt: skip
        for shift in report.shifts:
            yield self._judged(shift, found, start, span, ref.words)

    def _values(self, found: Fit, table: pa.Table) -> np.ndarray:
        kept = self._samples.columns(tuple(found.projection.columns), any_kind=False)
        return found(kept(table))

    def _profiles(self, values: dict[datetime, np.ndarray], name: str) -> dict[datetime, Profile]:
        """Count the values of each window, all on one grid a number."""
        k = next(iter(values.values())).shape[1]
        names = [f"{name} {at + 1}" if k > 1 else name for at in range(k)]
        grids: dict[str, Grid] = {}
        for at, column in enumerate(names):
            every = np.concatenate([v[:, at] for v in values.values()])
            every = every[np.isfinite(every)]
            if every.size:
                grids[column] = Grid.around(every)
        made: dict[datetime, Profile] = {}
        for start, rows in values.items():
            table = pa.table(
                {c: pa.array(rows[:, at], from_pandas=True) for at, c in enumerate(names)}
            )
            end = start + self._windows.every
            made[start] = of_table(table, grids=grids, start=start, end=end)
        return made

    def _judged(self, shift: Shift, found: Fit, start: datetime, span: int, words: str) -> Judged:
        fit = found.digest[:8]
        point = Point(
            start=start, end=start + self._windows.every, value=shift.value,
            low=shift.low, high=shift.high, n=shift.rows[1],
        )  # fmt: skip
        said = Judgement(
            verdict=shift.verdict,
            why=f"{shift.words or shift.why}; against {words}, by fit {fit}",
            p=shift.p,
            effect=shift.value,
        )
        key = self._key(f"{shift.column} ({fit})", span)
        return Judged(key=key, point=point, judgement=said)

    def _silent(self, name: str, start: datetime, span: int, why: str) -> Judged:
        point = Point(start=start, end=start + self._windows.every, value=math.nan, n=0, why=why)
        said = Judgement(verdict=Verdict.NO_VERDICT, why=why)
        return Judged(key=self._key(name, span), point=point, judgement=said)

    def _key(self, column: str, span: int) -> Key:
        return Key(kind="drift", metric="drift" if span == 1 else f"drift_{span}", column=column)

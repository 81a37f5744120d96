"""Windows as vectors: what rules share that judge one by its distance from the usual ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidemill.core.errors import TidemillError
from tidemill.core.signals import Judgement
from tidemill.core.verdict import Verdict
from tidemill.monitoring.joint.points import points
from tidemill.monitoring.joint.protocol import LEAST_ROWS, Joint, OfColumns, enough, judged, nothing
from tidemill.statistics.embedded import Embedded
from tidemill.statistics.outlying import evident_distance, one_outlying, some_outlying

Floats = NDArray[np.float64]
LEAST_WINDOWS = 14
MANY_LOST = 0.2
"""A share of rows with a number missing from which on it is said."""


class OfVectors(OfColumns):
    """What rules share that embed each window as a vector and look at the distance of means.

    A subclass says how windows are embedded and how far two vectors are apart as people read it,
    and what a distance comes to without what chance adds.
    """

    floor: float
    seed: int

    def compared(
        self, usual: Sequence[pa.Table], current: Sequence[pa.Table], /, *, alpha: float
    ) -> Joint:
        """Compare windows with the usual ones; see :class:`JointRule`."""
        known, now = enough(usual), [t for t in current if t.num_rows >= LEAST_ROWS]
        n = sum(table.num_rows for table in current)
        if len(known) < LEAST_WINDOWS or not now:
            why = f"{len(known)} usual windows of {LEAST_ROWS} rows or more, {LEAST_WINDOWS} needed"
            return nothing(why if now else f"{n} rows are too few, {LEAST_ROWS} needed", n=n)
        try:
            made = self._embedded(points([*known, *now]))
        except TidemillError as error:
            return nothing(error.what, n=n)
        whole = made.rows >= LEAST_ROWS
        usable = whole[: len(known)]
        if made.why or usable.sum() < LEAST_WINDOWS or not whole[len(known) :].any():
            lost = f"{made.dropped} rows have a number missing; too few are left to compare"
            return nothing(made.why or lost, n=n)
        before = made.windows[: len(known)][usable]
        after = made.windows[len(known) :][whole[len(known) :]]
        value = self._distance(made, before.mean(axis=0) - after.mean(axis=0))
        if len(after) == 1:
            p, units = one_outlying(before, after[0]), f"{len(before)} usual windows"
            silent = "the usual windows are all the same"
        else:
            p = some_outlying(before, after, alpha=alpha, seed=self.seed)
            units = f"{len(after)} windows against {len(before)}, shared out at random"
            silent = f"{units}: too few ways to share them out for evidence at this level"
        if math.isnan(p):
            said = Judgement(verdict=Verdict.NO_VERDICT, why=silent)
            return Joint(value=value, judgement=said, n=n)
        lost = made.dropped / max(1, int(made.rows.sum()) + made.dropped)
        told = f"; {lost:.0%} of rows have a number missing and were left out" * (lost > MANY_LOST)
        typical, evident = self._usual(made, before, len(after), alpha)
        said = judged(
            self._beyond(value, typical),
            p,
            alpha=alpha,
            floor=self.floor,
            seen=self._beyond(evident, typical),
            words=f"distance {value:.3g}, usual {typical:.3g}, p {p:.2g} by {units}{told}",
        )
        return Joint(value=value, judgement=said, n=n)

    def _embedded(self, windows: list[Floats]) -> Embedded:
        """Make a vector of the points of each window."""
        raise NotImplementedError

    def _distance(self, made: Embedded, apart: Floats) -> float:
        """Return the distance of two means of vectors, given their difference, as people read it."""
        raise NotImplementedError

    def _beyond(self, value: float, typical: float) -> float:
        """Return how large a change is whose windows are so far out, where chance adds the usual."""
        raise NotImplementedError

    def _usual(
        self, made: Embedded, before: Floats, together: int, alpha: float
    ) -> tuple[float, float]:
        """Return the median distance of so many usual windows in a row from the others.

        And that from which on the others would be evidence, if they lay as these do.
        """
        least = evident_distance(before, alpha=alpha, together=together)
        found: list[tuple[float, float]] = []
        for at in range(0, len(before) - together + 1, max(1, together // 2)):
            inside = np.zeros(len(before), dtype=np.bool_)
            inside[at : at + together] = True
            if inside.all():
                break
            apart = before[~inside].mean(axis=0) - before[inside].mean(axis=0)
            far = math.sqrt(least / max(float(apart @ apart), 1e-300))
            evident = self._distance(made, apart * far) if math.isfinite(far) else math.inf
            found.append((self._distance(made, apart), evident))
        middle = np.median(np.array(found), axis=0) if found else np.array([0.0, math.inf])
        return float(middle[0]), float(middle[1])

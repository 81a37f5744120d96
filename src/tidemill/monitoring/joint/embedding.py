"""Judging windows that were embedded: one against the usual ones, or some against the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidemill.core.errors import TidemillError
from tidemill.core.signals import Judgement
from tidemill.core.verdict import Verdict
from tidemill.monitoring.joint.points import points
from tidemill.monitoring.joint.protocol import LEAST_ROWS, Joint, enough, nothing
from tidemill.statistics.embedded import Embedded
from tidemill.statistics.outlying import one_outlying, some_outlying

Floats = NDArray[np.float64]
LEAST_WINDOWS = 14
MANY_LOST = 0.2
"""A share of rows with a number missing from which on it is said."""


def compared(
    usual: Sequence[pa.Table],
    current: Sequence[pa.Table],
    *,
    embed: Callable[[list[Floats]], Embedded],
    distance: Callable[[Embedded, Floats, Floats], float],
    alpha: float,
    floor: float,
    seed: int,
) -> Joint:
    """Compare windows by vectors that stand for them.

    Parameters
    ----------
    usual, current
        Some rows of each window.
    embed
        Makes vectors of the points of windows.
    distance
        The distance between two means of vectors, as people read it.
    alpha, floor, seed
        How likely a false ALERT may be, from which distance above the usual one on it
        matters, and the seed of permutations.
    """
    known, now = enough(usual), [t for t in current if t.num_rows >= LEAST_ROWS]
    n = sum(table.num_rows for table in current)
    if len(known) < LEAST_WINDOWS or not now:
        why = f"{len(known)} usual windows of {LEAST_ROWS} rows or more, {LEAST_WINDOWS} needed"
        return nothing(why if now else f"{n} rows are too few, {LEAST_ROWS} needed", n=n)
    try:
        made = embed(points([*known, *now]))
    except TidemillError as error:
        return nothing(error.what, n=n)
    whole = made.rows >= LEAST_ROWS
    usable = whole[: len(known)]
    if made.why or usable.sum() < LEAST_WINDOWS or not whole[len(known) :].any():
        lost = f"{made.dropped} rows have a number missing; too few are left to compare"
        return nothing(made.why or lost, n=n)
    before = made.windows[: len(known)][usable]
    after = made.windows[len(known) :][whole[len(known) :]]
    value = distance(made, before.mean(axis=0), after.mean(axis=0))
    typical = _typical(made, before, len(after), distance)
    if len(after) == 1:
        p, units = one_outlying(before, after[0]), f"{len(before)} usual windows"
        silent = "the usual windows are all the same"
    else:
        p = some_outlying(before, after, alpha=alpha, seed=seed)
        units = f"{len(after)} windows against {len(before)}, shared out at random"
        silent = f"{units}: too few ways to share them out for evidence at this level"
    if math.isnan(p):
        return Joint(value=value, judgement=Judgement(verdict=Verdict.NO_VERDICT, why=silent), n=n)
    lost = made.dropped / max(1, int(made.rows.sum()) + made.dropped)
    told = f"; {lost:.0%} of rows have a number missing and were left out" * (lost > MANY_LOST)
    return Joint(
        value=value,
        judgement=said(value, typical, p, alpha=alpha, floor=floor, units=units + told),
        n=n,
    )


def said(
    value: float, typical: float, p: float, *, alpha: float, floor: float, units: str
) -> Judgement:
    """Put the verdict on a distance into words: evidence, and a size at the floor."""
    large, certain = value - typical >= floor, p <= alpha
    verdict = Verdict.ALERT if large and certain else Verdict.OK
    why = f"distance {value:.3g}, usual {typical:.3g}, p {p:.2g} by {units}"
    if certain and not large:
        why = f"certain, but less than {floor:g} above the usual: {why}"
    return Judgement(verdict=verdict, why=why, p=p, effect=value - typical, low=0.0, high=math.nan)


def _typical(
    made: Embedded, before: Floats, together: int, distance: Callable[..., float]
) -> float:
    """Return the median distance of usual windows, so many in a row, from the other ones."""
    found: list[float] = []
    for at in range(0, len(before) - together + 1, max(1, together // 2)):
        inside = np.zeros(len(before), dtype=np.bool_)
        inside[at : at + together] = True
        if inside.all():
            break
        pair: tuple[Any, Any] = before[~inside].mean(axis=0), before[inside].mean(axis=0)
        found.append(distance(made, *pair))
    return float(np.median(found)) if found else 0.0

"""The number of a rule, and what is thought of it: a fixed limit, with evidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import ibis
from ibis.expr import types as ir

from tidemill.core.signals import Judgement, Point
from tidemill.core.verdict import Verdict
from tidemill.monitoring.quality.protocol import RowRule
from tidemill.statistics.exceedance import exceedance_p, hits_needed, power

WORSE = 0.1
"""An OK means that this many more rows breaking it, or twice the limit, would have been seen."""


def judge_share(rule: RowRule, points: Sequence[Point], alpha: float, of: str) -> Judgement:
    """Judge the last window's share of rows that break a rule against its fixed limit.

    ALERT when the share is above the limit and the exact one-sided binomial p is at most
    alpha; WARN when it is above on weaker evidence. NO_VERDICT when the rows are too few: not
    even all of them breaking it would be evidence, or a window in which twice the limit, or
    ten points more, break it would be missed more often than found.

    The test takes rows as independent, and that is right here: the limit is fixed, not
    estimated, so the question is only whether these rows are above it. How much usual days
    differ belongs into the limit, where :func:`tidemill.monitoring.quality.suggest` puts it.

    Parameters
    ----------
    of
        What the share is of, in words: ``"of rows are null in age"``.

    References
    ----------
    Clopper, C. J. and Pearson, E. S. (1934). The use of confidence or fiducial limits
    illustrated in the case of the binomial. Biometrika 26, 404-413.
    """
    unknown = not_measured(points)
    if unknown is not None:
        return unknown
    last, limit = points[-1], rule.at_most
    n, hits = last.n, round(last.value * last.n)
    words = f"{hits} of {n} {of} ({last.value:.2%}), at most {limit:.3g} may"
    p = exceedance_p(hits, n, limit)
    known: dict[str, Any] = {"p": p, "effect": last.value - limit, "low": 0.0, "high": limit}
    if limit < 1 and hits_needed(n, limit, alpha) > n:
        return Judgement(verdict=Verdict.NO_VERDICT, why=f"{words}; too few rows to tell", **known)
    if hits > n * limit:
        onset = since(points, limit)
        if p <= alpha:
            why = f"{words}; by chance with p = {p:.2g}"
            return Judgement(verdict=Verdict.ALERT, why=why, onset=onset, **known)
        why = f"{words}; not more than chance may do, p = {p:.2g}"
        return Judgement(verdict=Verdict.WARN, why=why, onset=onset, **known)
    bad = min(max(2 * limit, limit + WORSE), (1 + limit) / 2)
    if limit < 1 and power(n, limit, alpha, share=bad) < 0.5:  # noqa: PLR2004 - as often as not
        why = f"{words}; too few rows to see even {bad:.3g}"
        return Judgement(verdict=Verdict.NO_VERDICT, why=why, **known)
    return Judgement(verdict=Verdict.OK, why=words, **known)


def not_measured(points: Sequence[Point]) -> Judgement | None:
    """Return NO_VERDICT where the last window has no number, else None."""
    if not points:
        return Judgement(verdict=Verdict.NO_VERDICT, why="no window was measured")
    last = points[-1]
    if math.isfinite(last.value) and last.n > 0:
        return None
    why = last.why or ("no rows it applies to" if last.n <= 0 else "its number is not finite")
    return Judgement(verdict=Verdict.NO_VERDICT, why=why)


def since(points: Sequence[Point], limit: float) -> datetime:
    """Return when the run of windows above a limit began that the last one belongs to."""
    start = points[-1].start
    for point in reversed(points):
        if not point.value > limit:  # NaN ends the run as well
            break
        start = point.start
    return start


def ones(records: ir.Table) -> Any:
    """Return true for each row."""
    first: Any = records[records.columns[0]]
    return first.isnull() | ibis.literal(True)

"""A rule that days suggest, with the limit a new day is seldom above."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tidemill.monitoring.quality.protocol import QualityRule
from tidemill.monitoring.quality.reference import Counts, rounded
from tidemill.statistics.exceedance import rate_limit


@dataclass(frozen=True)
class Idea:
    """A rule as the early days suggest it, with what was seen there."""

    rule: QualityRule
    seen: str


def limited(
    kind: Any,
    fields: tuple[Any, ...],
    hits: Counts,
    n: Counts,
    alpha: float,
    *,
    what: str,
    **more: Any,
) -> Idea:
    """Return a rule of a share, allowing what a new day without any change seldom has.

    Parameters
    ----------
    kind, fields, more
        The class of the rule and its fields, but for ``at_most``.
    hits, n
        Rows that break it on each day, of how many.
    what
        What these rows do, in words: ``"have no value"``.
    """
    limit = rate_limit(hits, n, alpha=alpha)
    at_most = 1.0 if math.isnan(limit) else min(1.0, rounded(limit, up=True))
    total, hit = int(n.sum()), int(hits.sum())
    some = f"{hit / max(total, 1):.3%}" if hit else "none"
    days = int((n > 0).sum())
    seen = f"{some} of {total} rows {what} in {days} days"
    return Idea(kind(*fields, **more, at_most=at_most), seen)

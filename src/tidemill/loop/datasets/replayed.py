"""Learn from what is new, and from a sample of what is old."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from datetime import timedelta
from typing import Annotated

from ibis.expr import types as ir

from tidemill.core.as_of import moment
from tidemill.core.durations import duration
from tidemill.core.limits import Span, Whole
from tidemill.core.rule import rule
from tidemill.core.rules import Past
from tidemill.loop.datasets.sampling import sampled


@rule
class Replayed:
    """Learn from all recent labelled records and a uniform sample of older ones.

    The sample of the old keeps a model from forgetting what has become rare. It is drawn by
    the stored ``u_split``, so from one retrain to the next it stays the same as far as it can.

    Parameters
    ----------
    recent
        How far back a record counts as recent, and is kept.
    old
        How many of the N older records to keep; all of them when there are fewer.
    reweight
        Whether in training each older record's weight is multiplied by N / ``old``, so that old
        and new count as they are and every weighted mean is unbiased. With False an old record
        counts no more than a recent one: what is learnt leans to the present, as in experience
        replay, while a test still measures things as they are.

    Examples
    --------
    >>> Replayed("7d", 1000)
    Replayed(recent='7d', old=1000, reweight=True)

    References
    ----------
    .. [1] Chaudhry et al., "On tiny episodic memories in continual learning", 2019.
    """

    recent: Annotated[str, Span()]
    old: Annotated[int, Whole(1)]
    _: KW_ONLY
    reweight: bool = True

    @property
    def window(self) -> timedelta | None:
        return None

    @property
    def remembers(self) -> bool:
        return False

    def __call__(self, reservoir: ir.Table, past: Past, /) -> ir.Table:
        is_recent = reservoir.predicted_at >= moment(past.now - duration(self.recent))
        return sampled(reservoir, self.old, [is_recent], reweight=self.reweight, whole=is_recent)

    @classmethod
    def examples(cls) -> Iterator[Replayed]:
        yield cls("7d", 20)
        yield cls("7d", 20, reweight=False)

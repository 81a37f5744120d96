"""Learn from as many rows of each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass
from datetime import timedelta
from typing import Annotated, Any

from ibis.expr import types as ir

from tidemill.core.as_of import moment
from tidemill.core.durations import duration
from tidemill.core.limits import Span, Whole
from tidemill.core.rule import rule
from tidemill.core.rules import Past
from tidemill.loop.datasets.sampling import sampled
from tidemill.measures.cohort import Cohort, above_zero, is_a


@dataclass(frozen=True)
class Kinds:
    """``"label"``, or one or more cohorts or projections."""

    def broken(self, value: object) -> str | None:
        many = value if isinstance(value, list | tuple) else (value,)
        fits = value == "label" or (many and all(map(_is_named, many)))
        return None if fits else "'label', or one or more cohorts or projections"

    def bad(self) -> Iterator[object]:
        yield from ("labels", None, 1, (), ["label", "label"], Cohort)


def _is_named(value: object) -> bool:
    return not isinstance(value, type) and callable(value) and hasattr(value, "name")


@rule
class Balanced:
    """Learn from at most ``n`` labelled records of each kind, drawn uniformly.

    The draw is the stored ``u_split``. Rows of several cohorts at once are a kind of their own:
    k cohorts make up to 2^k kinds.

    Parameters
    ----------
    by
        What makes a kind: ``"label"`` for its class; a
        :class:`~tidemill.measures.cohort.Cohort`, a
        :class:`~tidemill.measures.projection.Projection` of few values, or a list of them.
    n
        How many records of each kind to keep; all of them when there are fewer.
    past
        How far to look back from now; None is for ever.
    reweight
        Whether the n records kept of a kind of N stand for it in training, by a weight times
        N / n, so that a weighted mean is still that of all rows: balance then saves compute
        and says more of the rare. With False the rare counts as much as the frequent, which
        changes what a model's probabilities mean; a test still measures things as they are.

    Examples
    --------
    >>> Balanced("label", 1000, past="90d").window.days
    90

    References
    ----------
    .. [1] Särndal, Swensson, Wretman, "Model Assisted Survey Sampling", 1992, section 3.7.
    """

    by: Annotated[Any, Kinds()]
    n: Annotated[int, Whole(1)]
    _: KW_ONLY
    past: Annotated[str, Span()] | None = None
    reweight: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.by, list):
            object.__setattr__(self, "by", tuple(self.by))

    @property
    def window(self) -> timedelta | None:
        return None if self.past is None else duration(self.past)

    @property
    def remembers(self) -> bool:
        return False

    def __call__(self, reservoir: ir.Table, past: Past, /) -> ir.Table:
        rows = reservoir
        if self.window is not None:
            rows = rows.filter(rows.predicted_at >= moment(past.now - self.window))
        return sampled(rows, self.n, self._kinds(rows), reweight=self.reweight)

    def _kinds(self, rows: ir.Table) -> list[ir.Value]:
        if isinstance(self.by, str):
            return [rows.label, rows.label_text]
        named: tuple[Callable[[ir.Table], ir.Value], ...]
        named = self.by if isinstance(self.by, tuple) else (self.by,)
        return [one(rows) for one in named]

    @classmethod
    def examples(cls) -> Iterator[Balanced]:
        yield cls("label", 10)
        yield cls("label", 10, past="20d", reweight=False)
        yield cls([Cohort("above zero", above_zero), Cohort("texts a", is_a)], 5)

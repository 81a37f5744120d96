"""A domain classifier: how well a window is told from the usual ones, and by which rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any

import numpy as np
import pyarrow as pa

from tidemill.core.limits import Between, Whole
from tidemill.core.rule import rule
from tidemill.core.signals import Judgement
from tidemill.core.verdict import Verdict
from tidemill.monitoring.joint.protocol import (
    LEAST_ROWS,
    Joint,
    OfColumns,
    enough,
    judged,
    named,
    nothing,
)
from tidemill.monitoring.regions import domain_classifier, unusual


@rule
class DomainClassifier(OfColumns):
    """The held-out AUC with which rows of a window are told from those of usual ones.

    It takes columns of any kind, and names the region in which there are more rows than usual.
    One window is judged by how well each usual window is told from the others; some together
    by a classifier that learns from half of them and is measured on the other half.

    Parameters
    ----------
    columns
        Features, outputs and projections by name; empty for all features.
    rows
        The most records of one window that are looked at, drawn by their own draw.
    floor
        How far above the AUC of usual windows it must be to be worth an alert: by default what
        a fifth of the rows give that are as none before, or a column that moved by a third of a
        sd. Where twice that would mostly be missed there is no verdict, unless it is 0.
    seed
        Of the halves.

    References
    ----------
    Lopez-Paz, D. and Oquab, M. (2017). Revisiting classifier two-sample tests. ICLR.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> def day(there):
    ...     return pa.table({"x": rng.normal(size=300), "y": rng.normal(size=300) + 4 * there})
    >>> usual = [day(np.zeros(300)) for _ in range(14)]
    >>> found = DomainClassifier().compared(usual, [day(np.arange(300) % 3 == 0)], alpha=0.001)
    >>> found.judgement.verdict.value, found.where.words()[:3]
    ('ALERT', 'y >')
    """

    columns: Any = ()
    _: KW_ONLY
    rows: Annotated[int, Whole(LEAST_ROWS)] = 500
    floor: Annotated[float, Between(0, 0.5)] = 0.1
    seed: Annotated[int, Whole(0)] = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", named("DomainClassifier", self.columns))

    @property
    def metric(self) -> str:
        return "drift_classifier"

    @property
    def any_kind(self) -> bool:
        """Whether columns that are no numbers are asked too."""
        return True

    def compared(
        self, usual: Sequence[pa.Table], current: Sequence[pa.Table], /, *, alpha: float
    ) -> Joint:
        """Compare windows with the usual ones; see :class:`JointRule`."""
        now = [_flat(t) for t in current if t.num_rows >= LEAST_ROWS]
        known = [_flat(t) for t in enough(usual)]
        if not now:
            n = sum(table.num_rows for table in current)
            return nothing(f"{n} rows are too few, {LEAST_ROWS} needed", n=n)
        if len(now) == 1:
            return self._one(known, now[0], alpha)
        return self._some(known, now, alpha)

    def _one(self, known: list[pa.Table], now: pa.Table, alpha: float) -> Joint:
        found = unusual(now, known, alpha=min(alpha, 0.5), seed=self.seed, rows=self.rows)
        said = found.judgement
        if said.verdict is not Verdict.NO_VERDICT:
            said = judged(
                said.effect,
                said.p,
                alpha=alpha,
                floor=self.floor,
                seen=said.high - (found.auc - said.effect),
                words=said.why,
            )
        where = found.regions[0].where if found.regions else None
        return Joint(value=found.auc, judgement=said, n=now.num_rows, where=where)

    def _some(self, known: list[pa.Table], now: list[pa.Table], alpha: float) -> Joint:
        n, held = sum(t.num_rows for t in now), [len(s) - len(s) // 2 for s in (known, now)]
        if math.comb(sum(held), held[1]) * alpha < 1:
            why = (
                f"{held[1]} of {len(now)} windows are held out: too few for evidence at this level"
            )
            return nothing(why, n=n)
        days = tuple(np.repeat(np.arange(len(s)), [t.num_rows for t in s]) for s in (known, now))
        found = domain_classifier(
            pa.concat_tables(known, promote_options="permissive"),
            pa.concat_tables(now, promote_options="permissive"),
            days=(days[0], days[1]),
            # The one-sided limit at this level.
            confidence=min(max(0.5, 1 - 2 * alpha), 0.999999),
            seed=self.seed,
            most=self.rows * max(len(known), len(now)),
        )
        p = found.evidence.p
        if math.isnan(p):
            said = Judgement(verdict=Verdict.NO_VERDICT, why=found.why)
            return Joint(value=found.auc.value, judgement=said, n=n)
        where = found.regions[0].where if found.regions else None
        words = f"AUC {found.auc.value:.3f} on held-out rows, p {p:.2g} by {held[1]} windows against {held[0]}"
        if p <= alpha and where is not None:
            words = f"{words}; {found.regions[0].words()}"
        said = judged(
            found.auc.value - 0.5,
            p,
            alpha=alpha,
            floor=self.floor,
            seen=found.auc.value - found.auc.low,
            words=words,
        )
        return Joint(value=found.auc.value, judgement=said, n=n, where=where)

    @classmethod
    def examples(cls) -> Iterator[DomainClassifier]:
        yield cls()
        yield cls(("number", "text"), rows=200, floor=0.2)


def _flat(table: pa.Table) -> pa.Table:
    """Make a column of each number of a vector."""
    columns: dict[str, Any] = {}
    for name in table.column_names:
        column = table[name]
        if not pa.types.is_list(column.type):
            columns[name] = column
            continue
        values = column.to_pylist()
        size = max((len(v) for v in values if v is not None), default=0)
        for at in range(size):
            here = [None if v is None or at >= len(v) else v[at] for v in values]
            columns[f"{name}[{at}]"] = pa.chunked_array([pa.array(here, pa.float64())])
    return pa.table(columns)

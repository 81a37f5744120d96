"""How well each step was answered: as known then, which drives, and as known now, which counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.costs import Costs
from tidemill.measures import Metric
from tidemill.measures.grouped import beside, group_of, grouping, numbered_by
from tidemill.strategy.backtest.answers import Answers, Segment

Floats = npt.NDArray[np.float64]
KEPT = 256
"""Effects kept, which is enough for a baseline: it is asked about by every comparison."""
GROUPS = 50
"""Groups of units, for a metric that cannot say how far each row moves it."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The labels as they are known at one moment, by the place of their record, in order."""

    place: npt.NDArray[np.int64]
    label: npt.NDArray[Any]
    weight: Floats

    def within(self, start: int, end: int) -> Truth:
        low, high = np.searchsorted(self.place, [start, end])
        return Truth(
            place=self.place[low:high], label=self.label[low:high], weight=self.weight[low:high]
        )

    def only(self, keep: npt.NDArray[np.bool_]) -> Truth:
        return Truth(place=self.place[keep], label=self.label[keep], weight=self.weight[keep])

    def __len__(self) -> int:
        return len(self.place)


def numbered(unit: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Number the units; a record without one is a unit of its own.

    Examples
    --------
    >>> numbered(pa.chunked_array([["ann", None, "bob", "ann", None]])).tolist()
    [0, 2, 1, 0, 3]
    """
    names = pc.dictionary_encode(unit).combine_chunks()
    codes = pc.fill_null(names.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    alone = codes < 0
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    return codes


def grouped(metric: Metric, records: pa.Table) -> npt.NDArray[np.int64] | None:
    """Number the lists of records for a metric of lists; None for another.

    Raises
    ------
    BadInput
        If a record is of no list.
    """
    return numbered_by(metric, grouping(records), len(records)) if group_of(metric) else None


class Scorer:
    """Scores compositions of answers, step by step, each once.

    Parameters
    ----------
    half
        For each record of the history, which half of its step it belongs to.
    unit
        For each record, the number of the unit it is of.
    group
        For each record, the number of the list it is of, where the metric is of lists.
    """

    def __init__(
        self,
        *,
        answers: Answers,
        truth: Truth,
        metric: Metric,
        half: npt.NDArray[np.bool_],
        unit: npt.NDArray[np.int64],
        group: npt.NDArray[np.int64] | None = None,
        costs: Costs | None = None,
    ) -> None:
        self._answers = answers
        self._metric = metric
        self._half = half
        self.unit = unit
        self._group = group
        self.units = int(unit.max(initial=-1)) + 1
        self.costs = costs
        self._values: dict[Any, float] = {}
        self._effects: dict[Any, tuple[npt.NDArray[np.int64], Floats]] = {}
        self._steps = [truth.within(*answers.steps.rows(k)) for k in range(len(answers.steps))]

    @property
    def priced(self) -> bool:
        """Whether there is a price sheet."""
        return self.costs is not None

    def truth(self, step: int) -> Truth:
        """Return the labels of a step."""
        return self._steps[step]

    def weight(self, step: int) -> float:
        """Return how many records the labels of a step stand for."""
        return float(self._steps[step].weight.sum())

    def value(self, step: int, by: Sequence[Segment], *, half: int | None = None) -> float:
        """Return the metric on a step; ``half`` 0 or 1 for one half of its rows."""
        key = ("value", step, tuple(by), half)
        if key not in self._values:
            rows = self._rows(step, half)
            self._values[key] = self._measured(rows, self._said(by, rows))
        return self._values[key]

    def then(self, rows: Truth, by: Sequence[Segment]) -> float:
        """Return the metric on a step on the labels that were known at some moment."""
        return self._measured(rows, self._said(by, rows))

    def errors(self, step: int, by: Sequence[Segment], *, half: int | None = None) -> float:
        """Return what the errors of a step cost, by the price sheet."""
        key = ("errors", step, tuple(by), half)
        if key not in self._values:
            rows = self._rows(step, half)
            self._values[key] = self._priced(rows, by)
        return self._values[key]

    def _priced(self, rows: Truth, by: Sequence[Segment]) -> float:
        if self.costs is None or not len(rows):
            return 0.0
        label, said = rows.label, self._said(by, rows, needs="output")
        return float((self.costs.of_errors(label, said) * rows.weight).sum())

    def effects(self, step: int, by: Sequence[Segment]) -> tuple[npt.NDArray[np.int64], Floats]:
        """Return how far units move the metric of a step: their numbers, and by how much."""
        key = (step, tuple(by))
        if key not in self._effects:
            if len(self._effects) >= KEPT:
                self._effects.clear()
            self._effects[key] = self._moves(step, by)
        return self._effects[key]

    def _moves(self, step: int, by: Sequence[Segment]) -> tuple[npt.NDArray[np.int64], Floats]:
        rows = self._steps[step]
        said = self._said(by, rows)
        unit = self.unit[rows.place]
        own = getattr(self._metric, "influence", None)
        if own is not None or not len(rows):
            return unit, own(rows.label, said, rows.weight) if own is not None else np.zeros(0)
        whole, groups = self._measured(rows, said), min(GROUPS, self.units)
        moves = np.zeros(groups)
        for g in range(groups):
            keep = unit % groups != g
            moves[g] = whole - self._measured(rows.only(keep), said[keep])
        return np.arange(groups), (moves - moves.mean()) * (groups - 1) / groups

    def error_effects(
        self, step: int, by: Sequence[Segment]
    ) -> tuple[npt.NDArray[np.int64], Floats]:
        """Return what the answers to each unit cost in a step: their numbers, and the prices."""
        rows = self._steps[step]
        if self.costs is None or not len(rows):
            return np.zeros(0, np.int64), np.zeros(0)
        said = self._said(by, rows, needs="output")
        return self.unit[rows.place], self.costs.of_errors(rows.label, said) * rows.weight

    def _rows(self, step: int, half: int | None) -> Truth:
        rows = self._steps[step]
        return rows if half is None else rows.only(self._half[rows.place] == bool(half))

    def _said(self, by: Sequence[Segment], rows: Truth, *, needs: str | None = None) -> Any:
        """Return what was answered on labelled rows: scores, outputs or texts."""
        said = self._answers.on(by)
        texts = rows.label.dtype.kind == "O"
        wanted = needs or self._metric.needs
        name = "score" if wanted == "score" else "output_text" if texts else "output"
        start = by[0].start if by else 0
        return said[name].take(pa.array(rows.place - start)).to_numpy(zero_copy_only=False)

    def _measured(self, rows: Truth, said: Any) -> float:
        if not len(rows) or _missing(said):
            return float("nan")
        label = rows.label if self._group is None else beside(rows.label, self._group[rows.place])
        return float(self._metric(label, said, rows.weight))


def _missing(said: npt.NDArray[Any]) -> bool:
    """Tell whether anybody got no answer: then there is no number for the step."""
    if said.dtype.kind == "f":
        return bool(np.isnan(said).any())
    return any(v is None for v in said)

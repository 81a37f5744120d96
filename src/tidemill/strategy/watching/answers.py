"""The answers of some windows as arrays, bounded: what estimates without labels are made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
from ibis.expr import types as ir

from tidemill.core.durations import duration
from tidemill.core.records import FEATURE, features_of
from tidemill.monitoring.estimates import Answered
from tidemill.strategy.turn import Turn
from tidemill.strategy.watching.measuring import usable
from tidemill.strategy.watching.windows import Windows, rules

LARGEST = 10_000
"""Rows of a window, and of a reference, at most: those with the smallest of their random draws."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Rows that a model answered: what it said, what it was asked, what came of it.

    Parameters
    ----------
    table
        ``predicted_at``, ``model``, ``output``, ``output_text``, ``score``, ``weight``, one
        boolean ``cohort0`` ... for each cohort, the features; ``label`` and ``label_text``
        where labels are known.
    """

    table: pa.Table

    @property
    def n(self) -> int:
        return self.table.num_rows

    @cached_property
    def scored(self) -> bool:
        """Whether the model gave a score with any of its answers."""
        return self.table["score"].null_count < self.n

    @cached_property
    def _models(self) -> np.ndarray:
        return np.array([m or "" for m in self.table["model"].to_pylist()], dtype=object)

    @property
    def most_frequent_model(self) -> str:
        """The version that answered most, the first of those that answered as much."""
        counts = Counter(self._models.tolist())
        return min(counts, key=lambda m: (-counts[m], m)) if counts else ""

    def of(self, model: str) -> Answers:
        """Keep what one version answered."""
        return Answers(self.table.filter(pa.array(self._models == model, pa.bool_())))

    def answered(self, *, labelled: bool, features: bool) -> Answered:
        """Return the rows as an estimator takes them, with their features where it asks for these."""
        return self._whole[labelled, features]

    @cached_property
    def _whole(self) -> dict[tuple[bool, bool], Answered]:
        made: dict[tuple[bool, bool], Answered] = {}
        for labelled in {False, "label" in self.table.column_names}:
            told = self._told(labelled=labelled)
            made[labelled, False] = Answered(**told)
            made[labelled, True] = Answered(**told, **self._asked())
        return made

    def _told(self, *, labelled: bool) -> dict[str, Any]:
        table = self.table
        texts = table["output_text"].null_count < self.n
        told: dict[str, Any] = {
            "output": _array(table, "output_text" if texts else "output"),
            "weight": _array(table, "weight"),
            "day": table["predicted_at"].to_numpy().astype("datetime64[D]"),
        }
        if self.scored:
            told["score"] = _array(table, "score")
        if labelled:
            named = table["label_text"].null_count < self.n
            told["label"] = _array(table, "label_text" if named else "label")
        cohorts = [n for n in table.column_names if n.startswith("cohort")]
        if cohorts:
            told["cohorts"] = np.column_stack([_array(table, n) for n in cohorts]).astype(bool)
        return told

    def _asked(self) -> dict[str, Any]:
        numbers, words = self._features
        asked: dict[str, Any] = {}
        if numbers:
            columns = [_array(self.table, n).astype(np.float64) for n in numbers]
            asked["features"] = np.column_stack(columns)
        if words:
            asked["categories"] = np.column_stack([_array(self.table, n) for n in words])
        return asked

    @cached_property
    def _features(self) -> tuple[list[str], list[str]]:
        names = features_of(self.table.column_names)
        numbers = [n for n in names if pa.types.is_floating(self.table[n].type)]
        return numbers, [n for n in names if n not in numbers]

    def name_of(self, place: str) -> str:
        """Return the name people know a column by, which arrays only number.

        Examples
        --------
        >>> known = {"f_a": [0.5], "f_b": ["x"], "f_c": ["y"]}
        >>> Answers(pa.table(known)).name_of("category 1")
        'c'
        """
        kind, _, number = place.partition(" ")
        numbers, words = self._features
        known = {"feature": numbers, "category": words}.get(kind)
        return place if known is None else known[int(number)].removeprefix(FEATURE)


def _array(table: pa.Table, name: str) -> np.ndarray:
    return table[name].to_numpy(zero_copy_only=False)


def answers(turn: Turn, starts: Sequence[datetime]) -> dict[datetime, Answers]:
    """Return what was answered in each of some windows, at most ``LARGEST`` rows of each."""
    windows = Windows.of(turn)
    numbers = [int((start - windows.numbered(0)) // windows.every) for start in starts]
    rows = _said(turn, turn.view.records(since=starts[0], until=starts[-1] + windows.every))
    kept: Any = rows.p_log
    rows = rows.mutate(window=windows.number(rows), weight=1.0 / kept)
    rows = rows.filter(ibis._.window.isin(numbers))
    place = ibis.row_number().over(group_by="window", order_by=["u_split", "record_id"])
    rows = rows.mutate(place=place).filter(ibis._.place < LARGEST)
    table = turn.view.arrow(rows.order_by("predicted_at", "record_id"))
    at = table["window"].to_numpy()
    return {
        s: Answers(table.filter(pa.array(at == k))) for s, k in zip(starts, numbers, strict=True)
    }


def answers_with_labels(turn: Turn, before: datetime) -> Answers:
    """Return answers with final labels, of the last windows before a moment that are settled."""
    windows, final = Windows.of(turn), duration(turn.strategy.labels.final_after)
    end = min(before, windows.start(turn.now - final))
    span = {"since": end - rules(turn).usual * windows.every, "until": end}
    if turn.world.events.version("chosen") < 0:
        nothing: dict[str, Any] = {"label": ibis.null(float), "label_text": ibis.null(str)}
        nothing["weight"] = ibis.literal(1.0)
        rows = turn.view.records(**span).mutate(**nothing).limit(0)
    else:
        rows = turn.strategy.labels(turn.view.reservoir(**span), turn.now)
    rows = _said(turn, rows, "label", "label_text", "weight")
    return Answers(turn.view.arrow(rows.order_by("u_split", "record_id").limit(LARGEST)))


def _said(turn: Turn, rows: ir.Table, *more: str) -> ir.Table:
    """Keep the records that a model answered, and what an estimate may look at."""
    cohorts = {f"cohort{k}": cohort(rows) for k, cohort in usable(rows, turn.strategy.cohorts)}
    ignored = {FEATURE + name for name in rules(turn).ignore}
    names = [n for n in features_of(list(rows.columns)) if n not in ignored]
    names = [n for n in names if rows[n].type().is_floating() or rows[n].type().is_string()]
    kept = ("record_id", "predicted_at", "model", "output", "output_text", "score", "p_log")
    rows = rows.mutate(**cohorts).select(*kept, *more, "u_split", *cohorts, *names)
    return rows.filter(rows.output.notnull() | rows.output_text.notnull() | rows.score.notnull())

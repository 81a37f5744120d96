"""What the answer of a rule of each stage must be; raises when it is none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.rules import EMPHASIS, TestSet
from tidemill.core.verdict import Decision, Finding, Verdict
from tidemill.measures.grouped import truth_for
from tidemill.measures.metric import summary_of
from tidemill.statistics.weighted import weighted_mean
from tidemill.testing import data

_FITS = ("plain", "first")


def holds_log(rule: Any, name: str, table: pa.Table, said: pa.Table) -> None:
    """A log rule gives one probability a record."""
    assert said.num_rows == table.num_rows, "there is not one probability a record"
    _in_unit(said["p"])


def holds_curation(rule: Any, name: str, table: pa.Table, said: pa.Table) -> None:
    """A curation rule chooses among the records it was shown, each with its probability."""
    wanted = {"record_id", "predicted_at", "pi"}
    assert set(said.column_names) == wanted, f"it returns {said.column_names}, not {wanted}"
    _among(said, table)
    _in_unit(said["pi"])


def holds_labels(rule: Any, name: str, table: pa.Table, said: pa.Table) -> None:
    """A label rule returns rows of the reservoir that have a label, and say whose."""
    _keeps_columns(said, table)
    _among(said, table)
    both = pc.and_(pc.is_null(said["label"]), pc.is_null(said["label_text"]))
    assert not pc.any(both).as_py(), "a row without a label passes as final"
    for column in ("label_id", "source_kind"):
        assert not said[column].null_count, f"a final label has no {column}"


def holds_dataset(rule: Any, name: str, table: pa.Table, said: pa.Table) -> None:
    """A dataset rule returns rows of the reservoir, none older than its window."""
    _keeps_columns(said, table, more=(EMPHASIS,))
    if EMPHASIS in said.column_names and said.num_rows:
        emphasis = said[EMPHASIS].to_numpy().astype(float)
        fits = (emphasis >= 0) & np.isfinite(emphasis)
        assert fits.all(), "an emphasis is null, negative or infinite"
    _among(said, table)
    if rule.window is not None and said.num_rows:
        oldest = pc.min(said["predicted_at"]).as_py()
        assert oldest >= data.NOW - rule.window, f"a row of {oldest} is older than its window"


def holds_holdout(rule: Any, name: str, at: Any, said: Any) -> None:
    """A holdout rule returns one boolean a row."""
    assert isinstance(said, np.ndarray), f"it returns {type(said).__name__}, not an array"
    assert said.dtype == np.dtype(bool), f"it returns {said.dtype}, not bool"
    assert said.shape == at.shape, f"it returns shape {said.shape} for {at.shape}"


def holds_trigger(rule: Any, name: str, facts: Any, said: Any) -> None:
    """A trigger decides, says why, and waits for what is still to come."""
    assert isinstance(said, Decision), f"it returns {type(said).__name__}, not a Decision"
    assert said.why.strip(), "it does not say why"
    later = said.next_due is None or said.fire or said.next_due > facts.now
    assert later, f"it waits for {said.next_due}, which has passed"


def holds_gate(rule: Any, name: str, test: TestSet, said: Any) -> None:
    """A gate finds, says why, and passes nothing on too little data."""
    _is_finding(said)
    if name in ("empty", "one_row", "one_day", "no_weight"):
        assert said.verdict != Verdict.OK or said.waived, "too little data passes"


def holds_rollout(rule: Any, name: str, check: Any, said: Any) -> None:
    """A rollout rule finds, says why, and passes no spot check that saw anything wrong."""
    _is_finding(said)
    if name not in _FITS:
        assert said.verdict != Verdict.OK, f"a spot check that saw {name!r} passes"


def holds_training(rule: Any, name: str, dataset: Any, said: Any) -> None:
    """A model answers each record it learnt from."""
    output, _ = said
    assert output.shape == dataset.label.shape, "it does not answer each record it learnt from"


def holds_metric(rule: Any, name: str, rows: Mapping[str, Any], said: Any) -> None:
    """A metric is a number, NaN where nothing can be known."""
    assert isinstance(said, float), f"it returns {type(said).__name__}, not a float"
    assert rule.needs in ("output", "score"), f"it needs {rule.needs!r}"
    assert isinstance(rule.higher_is_better, bool)
    assert rule.name == rule.name.lower().replace(" ", "_")
    if name in ("empty", "nulls", "no_weight"):
        assert math.isnan(said), f"it says {said} where nothing can be known"
    if name == "plain":
        _holds_summary(rule, rows)


def _holds_summary(rule: Any, rows: Mapping[str, Any]) -> None:
    """What a metric says of windows is so; these cut through its lists."""
    rows = {**rows, "score": np.random.default_rng(12).random(len(rows["label"]))}

    def value(part: Mapping[str, Any]) -> float:
        return float(rule(truth_for(rule, part["label"], part), part[rule.needs], part["weight"]))

    windows = [{k: v[at::5] for k, v in rows.items()} for at in range(5)]
    each = np.array([value(window) for window in windows])
    weight = np.array([window["weight"].sum() for window in windows])
    whole, merged = value(rows), weighted_mean(each, weight)
    equal = math.isclose(merged, whole, rel_tol=1e-9, abs_tol=1e-12)
    if summary_of(rule) == "mergeable":
        assert equal, f"it says it is mergeable, but windows merge to {merged}, and are {whole}"
    elif np.ptp(each) > 1e-9:  # of one that is the same in all of them nothing can be shown
        assert not equal, "it is the mean of windows by weight: say summary = 'mergeable'"


def same(one: Any, other: Any) -> bool:
    """Tell whether two answers are equal, numbers to 1e-9, NaN equal to NaN."""
    if isinstance(one, pa.Table) and isinstance(other, pa.Table):
        return one.equals(other)
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.shape == other.shape and same(one.tolist(), other.tolist())
    if isinstance(one, float) and isinstance(other, float):
        near = math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
        return near or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Finding) and isinstance(other, Finding):
        return (one.gate, one.verdict, one.why) == (other.gate, other.verdict, other.why)
    return bool(one == other)


def _is_finding(said: Any) -> None:
    assert isinstance(said, Finding), f"it returns {type(said).__name__}, not a Finding"
    assert said.why.strip(), "it does not say why"
    assert said.gate.strip(), "it has no name"


def _in_unit(column: pa.ChunkedArray) -> None:
    assert not column.null_count, "a probability is null"
    values = column.to_numpy()
    assert ((values > 0) & (values <= 1)).all(), "a probability lies outside (0, 1]"


def _among(said: pa.Table, table: pa.Table) -> None:
    extra = set(said["record_id"].to_pylist()) - set(table["record_id"].to_pylist())
    assert not extra, f"it makes up the record {min(extra)!r}"
    assert said.num_rows <= table.num_rows, "it returns more rows than it was given"


def _keeps_columns(said: pa.Table, table: pa.Table, *, more: tuple[str, ...] = ()) -> None:
    lost = set(table.column_names) - set(said.column_names)
    assert not lost, f"it loses the column {min(lost)}"
    added = set(said.column_names) - set(table.column_names) - set(more)
    assert not added, f"it adds the column {min(added)}"

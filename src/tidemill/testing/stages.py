"""How the rule of each stage is asked, and what its answer must be."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import ibis.expr.operations as ops
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr import types as ir

from tidemill.core.model import answer
from tidemill.core.ports import Engine, Snapshot
from tidemill.core.rules import EMPHASIS, Past, TestSet
from tidemill.core.verdict import Decision, Finding, Verdict
from tidemill.measures.grouped import truth_for
from tidemill.testing import data

_CLOCKS = (ops.TimestampNow, ops.DateNow)
_FITS = ("plain", "first")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """How rules of one stage are held against their promises.

    ``call`` asks a rule, and ``ask`` evaluates its answer too; ``holds`` raises when the
    answer is none for that stage; ``shuffled`` gives the same rows in another order, with
    what puts an answer back.
    """

    name: str
    inputs: Callable[[], Mapping[str, Any]]
    call: Callable[[Any, Any, Engine | None], Any]
    ask: Callable[[Any, Any, Engine | None], Any]
    holds: Callable[[Any, str, Any, Any], None]
    shuffled: Callable[[Any], tuple[Any, Callable[[Any], Any]]] | None = None

    def clocks(self, called: Any) -> list[str]:
        """Name what reads a clock in an expression."""
        if not isinstance(called, ir.Expr):
            return []
        return [type(node).__name__ for node in called.op().find(_CLOCKS)]


def stage_of(rule: object) -> Stage | None:
    """Tell the stage of a rule by the protocol it fits; None when no stage asks it.

    Where two protocols look alike, the annotation of what the method returns tells them
    apart, as in :mod:`tidemill.core.rules`.

    Examples
    --------
    >>> from tidemill.measures import Accuracy
    >>> stage_of(Accuracy()).name
    'metric'
    """
    # Not getattr: a class without the method has that of its metaclass.
    calls = (vars(base).get("__call__") for base in type(rule).__mro__)
    call = next((one for one in calls if one is not None), None)
    if call is None:
        return None
    for names, stage in _BY_MEMBERS:
        if all(hasattr(type(rule), n) or hasattr(rule, n) for n in names):
            return STAGES[stage]
    returns = str(inspect.signature(call).return_annotation)
    found = [stage for word, stage in _BY_ANSWER if word in returns]
    return STAGES[found[0]] if found else None


_BY_MEMBERS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("wants",), "triggers"),
    (("name", "higher_is_better", "needs"), "metric"),
    (("final_after", "labeller"), "labels"),
    (("seconds", "memory_mb"), "training"),
    (("per",), "curation"),
    (("window",), "datasets"),
    (("sample",), "online"),
)
_BY_ANSWER = (
    ("Decision", "triggers"),
    ("Finding", "offline"),
    ("NDArray[np.bool", "holdout"),
    ("Value", "log"),
    ("Scalar", "log"),
)


def _rows(table: pa.Table, engine: Engine | None) -> ir.Table:
    assert engine is not None, "this rule is an expression: hand in an engine"
    return engine.table(Snapshot(schema=table.schema, arrow=table))


def _evaluated(rows: ir.Table, engine: Engine | None) -> pa.Table:
    assert isinstance(rows, ir.Table), f"the answer is no table of rows: {rows!r}"
    assert engine is not None
    return _ordered(engine.arrow(rows))


def _ordered(table: pa.Table) -> pa.Table:
    more = [n for n in ("predicted_at", "available_at", "label_id") if n in table.column_names]
    names = ["record_id", *more]
    return table.sort_by([(n, "ascending") for n in names]).combine_chunks()


def _call_records(rule: Any, table: pa.Table, engine: Engine | None) -> Any:
    return rule(_rows(table, engine))


def _ask_log(rule: Any, table: pa.Table, engine: Engine | None) -> pa.Table:
    rows = _rows(table, engine)
    return _evaluated(rows.select("record_id", p=rule(rows)), engine)


def _holds_log(rule: Any, name: str, table: pa.Table, said: pa.Table) -> None:
    assert said.num_rows == table.num_rows, "there is not one probability a record"
    _in_unit(said["p"])


def _ask_curation(rule: Any, table: pa.Table, engine: Engine | None) -> pa.Table:
    return _evaluated(rule(_rows(table, engine)), engine)


def _holds_curation(rule: Any, name: str, table: pa.Table, said: pa.Table) -> None:
    wanted = {"record_id", "predicted_at", "pi"}
    assert set(said.column_names) == wanted, f"it returns {said.column_names}, not {wanted}"
    _among(said, table)
    _in_unit(said["pi"])


def _call_reservoir(rule: Any, table: pa.Table, engine: Engine | None) -> Any:
    return rule(_rows(table, engine), data.NOW)


def _ask_reservoir(rule: Any, table: pa.Table, engine: Engine | None) -> pa.Table:
    return _evaluated(_call_reservoir(rule, table, engine), engine)


def _call_dataset(rule: Any, table: pa.Table, engine: Engine | None) -> Any:
    rows = _rows(table, engine)
    said = rule(rows, Past(now=data.NOW))
    if not getattr(rule, "remembers", True):
        last = data.NOW - timedelta(days=3)
        past = Past(now=data.NOW, last_triggered=last, champion_triggered=last, last_change=last)
        assert said.equals(rule(rows, past)), "it says it does not look at the past, but does"
    return said


def _ask_dataset(rule: Any, table: pa.Table, engine: Engine | None) -> pa.Table:
    return _evaluated(_call_dataset(rule, table, engine), engine)


def _holds_labels(rule: Any, name: str, table: pa.Table, said: pa.Table) -> None:
    _keeps_columns(said, table)
    _among(said, table)
    both = pc.and_(pc.is_null(said["label"]), pc.is_null(said["label_text"]))
    assert not pc.any(both).as_py(), "a row without a label passes as final"
    for column in ("label_id", "source_kind"):
        assert not said[column].null_count, f"a final label has no {column}"


def _holds_dataset(rule: Any, name: str, table: pa.Table, said: pa.Table) -> None:
    _keeps_columns(said, table, more=(EMPHASIS,))
    if EMPHASIS in said.column_names and said.num_rows:
        emphasis = said[EMPHASIS].to_numpy().astype(float)
        fits = (emphasis >= 0) & np.isfinite(emphasis)
        assert fits.all(), "an emphasis is null, negative or infinite"
    _among(said, table)
    if rule.window is not None and said.num_rows:
        oldest = pc.min(said["predicted_at"]).as_py()
        assert oldest >= data.NOW - rule.window, f"a row of {oldest} is older than its window"


def _holds_holdout(rule: Any, name: str, at: Any, said: Any) -> None:
    assert isinstance(said, np.ndarray), f"it returns {type(said).__name__}, not an array"
    assert said.dtype == np.dtype(bool), f"it returns {said.dtype}, not bool"
    assert said.shape == at.shape, f"it returns shape {said.shape} for {at.shape}"


def _holds_trigger(rule: Any, name: str, facts: Any, said: Any) -> None:
    assert isinstance(said, Decision), f"it returns {type(said).__name__}, not a Decision"
    assert said.why.strip(), "it does not say why"
    later = said.next_due is None or said.fire or said.next_due > facts.now
    assert later, f"it waits for {said.next_due}, which has passed"


def _holds_gate(rule: Any, name: str, test: TestSet, said: Any) -> None:
    _is_finding(said)
    if name in ("empty", "one_row", "one_day", "no_weight"):
        assert said.verdict != Verdict.OK or said.waived, "too little data passes"


def _holds_rollout(rule: Any, name: str, check: Any, said: Any) -> None:
    _is_finding(said)
    if name not in _FITS:
        assert said.verdict != Verdict.OK, f"a spot check that saw {name!r} passes"


def _is_finding(said: Any) -> None:
    assert isinstance(said, Finding), f"it returns {type(said).__name__}, not a Finding"
    assert said.why.strip(), "it does not say why"
    assert said.gate.strip(), "it has no name"


def _ask_training(rule: Any, dataset: Any, engine: Engine | None) -> Any:
    said = answer(rule(dataset, None), dataset.features)
    return (said.output, said.score)


def _holds_training(rule: Any, name: str, dataset: Any, said: Any) -> None:
    output, _ = said
    assert output.shape == dataset.label.shape, "it does not answer each record it learnt from"


def _ask_metric(rule: Any, rows: Mapping[str, Any], engine: Engine | None) -> Any:
    return rule(truth_for(rule, rows["label"], rows), rows[rule.needs], rows["weight"])


def _holds_metric(rule: Any, name: str, rows: Mapping[str, Any], said: Any) -> None:
    assert isinstance(said, float), f"it returns {type(said).__name__}, not a float"
    assert rule.needs in ("output", "score"), f"it needs {rule.needs!r}"
    assert isinstance(rule.higher_is_better, bool)
    assert rule.name == rule.name.lower().replace(" ", "_")
    if name in ("empty", "nulls", "no_weight"):
        assert math.isnan(said), f"it says {said} where nothing can be known"


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


def _itself(said: Any) -> Any:
    return said


def _shuffle_table(table: pa.Table) -> tuple[pa.Table, Callable[[Any], Any]]:
    return table.take(pa.array(_order(table.num_rows))), _itself


def _shuffle_times(at: Any) -> tuple[Any, Callable[[Any], Any]]:
    order = _order(len(at))
    return at[order], lambda said: said[np.argsort(order)]


def _shuffle_answers(rows: Mapping[str, Any]) -> tuple[Any, Callable[[Any], Any]]:
    order = _order(len(rows["label"]))
    return {k: v[order] for k, v in rows.items()}, _itself


def _shuffle_test(test: TestSet) -> tuple[TestSet, Callable[[Any], Any]]:
    order = _order(len(test.label))
    answers = {m: {k: v[order] for k, v in a.items()} for m, a in test.answers.items()}
    other = TestSet(
        label=test.label[order], weight=test.weight[order], day=test.day[order], answers=answers
    )
    return other, _itself


def _order(n: int) -> Any:
    return np.random.default_rng(5).permutation(n)


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


def _asks(rule: Any, given: Any, engine: Engine | None) -> Any:
    return rule(given)


_ALL = (
    Stage(
        name="log",
        inputs=data.awkward_records,
        call=_call_records,
        ask=_ask_log,
        holds=_holds_log,
        shuffled=_shuffle_table,
    ),
    Stage(
        name="curation",
        inputs=data.awkward_records,
        call=_call_records,
        ask=_ask_curation,
        holds=_holds_curation,
        shuffled=_shuffle_table,
    ),
    Stage(
        name="labels",
        inputs=data.awkward_reservoirs,
        call=_call_reservoir,
        ask=_ask_reservoir,
        holds=_holds_labels,
        shuffled=_shuffle_table,
    ),
    Stage(
        name="datasets",
        inputs=data.awkward_reservoirs,
        call=_call_dataset,
        ask=_ask_dataset,
        holds=_holds_dataset,
        shuffled=_shuffle_table,
    ),
    Stage(
        name="holdout",
        inputs=data.awkward_times,
        call=_asks,
        ask=_asks,
        holds=_holds_holdout,
        shuffled=_shuffle_times,
    ),
    Stage(name="triggers", inputs=data.awkward_facts, call=_asks, ask=_asks, holds=_holds_trigger),
    Stage(
        name="training",
        inputs=data.awkward_training,
        call=_ask_training,
        ask=_ask_training,
        holds=_holds_training,
    ),
    Stage(
        name="offline",
        inputs=data.awkward_tests,
        call=_asks,
        ask=_asks,
        holds=_holds_gate,
        shuffled=_shuffle_test,
    ),
    Stage(
        name="online",
        inputs=data.awkward_spot_checks,
        call=_asks,
        ask=_asks,
        holds=_holds_rollout,
    ),
    Stage(
        name="metric",
        inputs=data.awkward_answers,
        call=_ask_metric,
        ask=_ask_metric,
        holds=_holds_metric,
        shuffled=_shuffle_answers,
    ),
)
STAGES: dict[str, Stage] = {s.name: s for s in _ALL}
"""How the rules of each stage are asked."""

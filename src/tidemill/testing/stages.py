"""How the rule of each stage is asked, and in which other orders."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import ibis.expr.operations as ops
import numpy as np
import pyarrow as pa
from ibis.expr import types as ir

from tidemill.core.model import answer
from tidemill.core.ports import Engine, Snapshot
from tidemill.core.rules import Past, TestSet
from tidemill.measures.grouped import truth_for
from tidemill.testing import answers, data

_CLOCKS = (ops.TimestampNow, ops.DateNow)


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


def _ask_curation(rule: Any, table: pa.Table, engine: Engine | None) -> pa.Table:
    return _evaluated(rule(_rows(table, engine)), engine)


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


def _ask_training(rule: Any, dataset: Any, engine: Engine | None) -> Any:
    said = answer(rule(dataset, None), dataset.features)
    return (said.output, said.score)


def _ask_metric(rule: Any, rows: Mapping[str, Any], engine: Engine | None) -> Any:
    return rule(truth_for(rule, rows["label"], rows), rows[rule.needs], rows["weight"])


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


def _asks(rule: Any, given: Any, engine: Engine | None) -> Any:
    return rule(given)


_ALL = (
    Stage(
        name="log",
        inputs=data.awkward_records,
        call=_call_records,
        ask=_ask_log,
        holds=answers.holds_log,
        shuffled=_shuffle_table,
    ),
    Stage(
        name="curation",
        inputs=data.awkward_records,
        call=_call_records,
        ask=_ask_curation,
        holds=answers.holds_curation,
        shuffled=_shuffle_table,
    ),
    Stage(
        name="labels",
        inputs=data.awkward_reservoirs,
        call=_call_reservoir,
        ask=_ask_reservoir,
        holds=answers.holds_labels,
        shuffled=_shuffle_table,
    ),
    Stage(
        name="datasets",
        inputs=data.awkward_reservoirs,
        call=_call_dataset,
        ask=_ask_dataset,
        holds=answers.holds_dataset,
        shuffled=_shuffle_table,
    ),
    Stage(
        name="holdout",
        inputs=data.awkward_times,
        call=_asks,
        ask=_asks,
        holds=answers.holds_holdout,
        shuffled=_shuffle_times,
    ),
    Stage(
        name="triggers",
        inputs=data.awkward_facts,
        call=_asks,
        ask=_asks,
        holds=answers.holds_trigger,
    ),
    Stage(
        name="training",
        inputs=data.awkward_training,
        call=_ask_training,
        ask=_ask_training,
        holds=answers.holds_training,
    ),
    Stage(
        name="offline",
        inputs=data.awkward_tests,
        call=_asks,
        ask=_asks,
        holds=answers.holds_gate,
        shuffled=_shuffle_test,
    ),
    Stage(
        name="online",
        inputs=data.awkward_spot_checks,
        call=_asks,
        ask=_asks,
        holds=answers.holds_rollout,
    ),
    Stage(
        name="metric",
        inputs=data.awkward_answers,
        call=_ask_metric,
        ask=_ask_metric,
        holds=answers.holds_metric,
        shuffled=_shuffle_answers,
    ),
)
STAGES: dict[str, Stage] = {s.name: s for s in _ALL}
"""How the rules of each stage are asked."""

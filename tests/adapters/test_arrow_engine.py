"""The engine on Arrow: every answer is DuckDB's, and it hardly ever has to ask for it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ibis.expr import types as ir

from tidemill import Outcome, Recent, Uniform
from tidemill.adapters.engines.arrow import ArrowEngine
from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.core.as_of import moment
from tidemill.core.ports import Snapshot
from tidemill.core.records import MOMENT
from tidemill.core.rules import Past
from tidemill.testing import data, stage_of, yield_checks
from tidemill.testing.rules import Check

EXPRESSIONS = ("log", "curation", "labels", "datasets")
DUCKDB = DuckDBEngine()


def shipped() -> Iterator[tuple[Any, str]]:
    """Every example of every rule that is an expression, with its stage."""
    for stage in ("log", "curation", "datasets"):
        package = importlib.import_module(f"tidemill.loop.{stage}")
        for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            module = importlib.import_module(found.name)
            for thing in vars(module).values():
                if isinstance(thing, type) and thing.__module__ == module.__name__:
                    for example in getattr(thing, "examples", tuple)():
                        kind = stage_of(example)
                        if kind is not None and kind.name in EXPRESSIONS:
                            yield example, kind.name


RULES = list(shipped())


def table(engine: Any, rows: pa.Table) -> ir.Table:
    return engine.table(Snapshot(schema=rows.schema, arrow=rows))


def test_every_kind_of_expression_is_asked():
    assert {stage for _, stage in RULES} == set(EXPRESSIONS)


@pytest.mark.parametrize(
    ("rule", "check"),
    [
        pytest.param(rule, check, id=f"{k}-{type(rule).__name__}-{check.__name__}")
        for k, (rule, _) in enumerate(RULES)
        for check in yield_checks(rule)
        if check.__name__ in ("it_answers_as_its_stage_asks", "it_survives_awkward_data")
    ],
)
def test_a_rule_keeps_its_promises_on_arrow(rule: Any, check: Check):
    check(rule, ArrowEngine(DUCKDB))


@pytest.mark.parametrize(
    "rule", [pytest.param(r, id=f"{k}-{type(r).__name__}") for k, (r, _) in enumerate(RULES)]
)
def test_a_rule_answers_on_arrow_as_on_duckdb(rule: Any):
    stage, engine = stage_of(rule), ArrowEngine(DUCKDB)
    assert stage is not None
    for name in ("nulls", "late", "duplicated_ids"):
        rows = stage.inputs()[name]
        theirs, ours = stage.ask(rule, rows, DUCKDB), stage.ask(rule, rows, engine)
        assert ours.schema == theirs.schema, name
        assert ours.equals(theirs), name


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(rule, id=f"{k}-{type(rule).__name__}")
        for k, (rule, stage) in enumerate(RULES)
        if stage != "log" and type(rule).__name__ != "Fading"  # which takes powers
    ],
)
def test_a_shipped_rule_never_asks_the_engine_behind(rule: Any):
    engine, stage = ArrowEngine(DUCKDB), stage_of(rule)
    assert stage is not None
    for rows in stage.inputs().values():
        stage.ask(rule, rows, engine)
    assert engine.fell_back == 0


def test_what_form_asks_is_answered_in_order_and_without_the_engine_behind():
    rows = data.awkward_reservoirs()["late"]
    engine = ArrowEngine(DUCKDB)

    def asked(of: Any) -> pa.Table:
        final = Outcome(final_after="1d", absent=0)(table(of, rows), data.NOW)
        recent = Recent("21d")(final, Past(now=data.NOW))
        names = ["record_id", "predicted_at", "label_id", "label", "label_text", "weight"]
        return of.arrow(recent.select(*names).order_by("predicted_at", "record_id"))

    ours, theirs = asked(engine), asked(DUCKDB)
    assert ours.num_rows > 20
    assert ours.equals(theirs)
    assert ours.schema == theirs.schema
    assert engine.fell_back == 0


def test_what_it_does_not_know_goes_to_the_engine_behind():
    rows = data.awkward_reservoirs()["plain"]
    engine = ArrowEngine(DUCKDB)
    asked = table(engine, rows)
    text: Any = asked.f_text
    found = engine.arrow(asked.filter(text.upper() == "A"))
    assert engine.fell_back == 1
    assert found.num_rows == 40


def test_two_tables_can_be_joined():
    rows = data.awkward_reservoirs()["plain"]
    engine = ArrowEngine(DUCKDB)
    one, other = table(engine, rows), table(engine, rows.slice(0, 7))
    assert engine.arrow(one.semi_join(other, "record_id")).num_rows == 7
    assert engine.fell_back == 1


def test_neighbours_are_a_slice_not_a_copy():
    rows = data.awkward_reservoirs()["plain"].combine_chunks()
    engine = ArrowEngine(DUCKDB)
    whole = table(engine, rows)
    found = engine.arrow(whole.filter(whole.predicted_at >= moment(data.NOW - timedelta(days=9))))
    assert 0 < found.num_rows < rows.num_rows
    ours, theirs = (t["weight"].chunk(0).buffers()[1].address for t in (found, rows))
    assert ours == theirs


def test_columns_that_the_rows_lack_are_null_and_the_day_is_gone():
    rows = data.records(3)
    schema = rows.schema.append(pa.field("f_later", pa.float64()))
    given_ = Snapshot(schema=schema, arrow=rows)
    engine = ArrowEngine(DUCKDB)
    ours, theirs = (e.arrow(e.table(given_)) for e in (engine, DUCKDB))
    assert ours.schema == theirs.schema
    assert ours.equals(theirs)
    assert engine.fell_back == 0


def test_a_table_without_rows_or_files_is_empty():
    engine = ArrowEngine(DUCKDB)
    empty = engine.arrow(engine.table(Snapshot(schema=data.records(1).schema)))
    assert empty.num_rows == 0
    assert engine.fell_back == 0


def test_places_in_a_window_are_those_of_duckdb():
    rows = data.awkward_records()["ties"]
    ours, theirs = (
        e.arrow(Uniform(5)(table(e, rows)).order_by("record_id"))
        for e in (ArrowEngine(DUCKDB), DUCKDB)
    )
    assert ours.equals(theirs)


FLOATS = st.sampled_from(
    [None, 0.0, -0.0, 1.0, -1.5, 3.0, 1e308, 5e-324, float("nan"), float("inf"), -float("inf")]
)
MICROSECONDS = st.sampled_from([None, 0, 1, 1_700_000_000_000_000, -1])
AWKWARD: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "x": (pa.float64(), FLOATS),
    "y": (pa.float64(), FLOATS),
    "i": (pa.int64(), st.sampled_from([None, 0, 1, -7, 2**31, 2**52])),
    "j": (pa.int64(), st.integers(-2, 2)),
    "b": (pa.bool_(), st.sampled_from([None, True, False])),
    "s": (pa.string(), st.sampled_from([None, "", "a", "B", "ß", "東京", "🌊"])),
    "t": (MOMENT, MICROSECONDS),
    "u": (MOMENT, MICROSECONDS),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    n = draw(st.integers(0, 7))
    columns = {"id": pa.array([f"r{k}" for k in range(n)], pa.string())}
    for name, (kind, values) in AWKWARD.items():
        found = draw(st.lists(values, min_size=n, max_size=n))
        columns[name] = pa.array(found, pa.int64() if kind == MOMENT else kind).cast(kind)
    return pa.table(columns)


Make = Any
"""A function of a table: an expression, made again over each engine's own table."""
LITERALS = st.sampled_from([0, 1, -2, 0.5, 0.1, 3.0, 1e-9, 0.30000000000000004, float("nan")])


@st.composite
def numbers(draw: st.DrawFn, depth: int = 2) -> Make:
    if not depth or draw(st.integers(0, 2)) == 0:
        if draw(st.booleans()):
            number = draw(LITERALS)
            return lambda t: ibis.literal(number)
        name = draw(st.sampled_from(["x", "y", "i", "j"]))
        return lambda t: t[name]
    a, b, c = draw(numbers(depth - 1)), draw(numbers(depth - 1)), draw(conditions(depth - 1))
    makes = [
        lambda t: a(t) + b(t),
        lambda t: a(t) - b(t),
        lambda t: a(t) * b(t),
        lambda t: a(t) / b(t),
        lambda t: ibis.least(a(t), b(t)),
        lambda t: ibis.greatest(a(t), b(t)),
        lambda t: ibis.ifelse(c(t), a(t), b(t)),
        lambda t: ibis.cases((c(t), a(t)), else_=b(t)),
        lambda t: ibis.coalesce(a(t), b(t)),
        lambda t: a(t).cast("float64"),
    ]
    return draw(st.sampled_from(makes))


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> Make:
    if not depth:
        return lambda t: t.b
    kind = draw(st.sampled_from(["number", "number", "text", "moment", "flag", "logic", "null"]))
    if kind == "logic":
        p, q = draw(conditions(depth - 1)), draw(conditions(depth - 1))
        logic = [lambda t: p(t) & q(t), lambda t: p(t) | q(t), lambda t: ~p(t)]
        return draw(st.sampled_from(logic))
    if kind == "null":
        name = draw(st.sampled_from(["x", "b", "s", "t"]))
        return draw(st.sampled_from([lambda t: t[name].isnull(), lambda t: t[name].notnull()]))
    a, b = {
        "number": lambda: (draw(numbers(depth - 1)), draw(numbers(depth - 1))),
        "text": lambda: (lambda t: t.s, draw(st.sampled_from([lambda t: "a", lambda t: t.id]))),
        "moment": lambda: (
            lambda t: t.t,
            draw(st.sampled_from([lambda t: t.u, lambda t: moment(data.NOW)])),
        ),
        "flag": lambda: (lambda t: t.b, lambda t: t.b),
    }[kind]()
    made = ["__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"]
    name = draw(st.sampled_from(made[:2] if kind == "flag" else made))
    return lambda t: getattr(_column(a(t), t), name)(b(t))


def _column(value: Any, t: Any) -> Any:
    return ibis.literal(value) if not hasattr(value, "op") else value


@st.composite
def questions(draw: st.DrawFn) -> Make:
    """Filter, compute, number the rows, filter by that, sort and cut."""
    first, second, number = draw(conditions()), draw(conditions()), draw(numbers())
    group = draw(st.lists(st.sampled_from(["x", "b", "s", "j"]), max_size=2, unique=True))
    key = draw(st.sampled_from(["x", "i", "s", "t", "b", "made"]))
    desc, limit = draw(st.booleans()), draw(st.integers(0, 6))
    nothing = draw(st.booleans())

    def ask(t: Any) -> Any:
        rows = t if nothing else t.filter(first(t))
        rows = rows.mutate(made=number(rows), flag=second(rows))
        order = [ibis.desc(rows[key]) if desc else rows[key], rows.id]
        place = ibis.row_number().over(group_by=group or None, order_by=order)
        total = rows.count().over(group_by=group or None)
        rows = rows.mutate(place=place, total=total).drop("y")
        rows = rows.filter(ibis._.place < 4)
        order = [ibis.desc(rows[key]) if desc else rows[key], rows.id]
        return rows.order_by(order).limit(limit, offset=limit % 2)

    return ask


def bits(rows: pa.Table) -> list[dict[str, Any]]:
    """Rows with floats as their bits: NaN is NaN, and zero has a sign."""
    columns = {}
    for name in rows.column_names:
        column = rows[name]
        if pa.types.is_floating(column.type):
            values = np.where(np.isnan(v := column.to_numpy()), np.nan, v).view(np.int64)
            columns[name] = pa.array(values, mask=column.is_null().to_numpy())
        else:
            columns[name] = column
    return pa.table(columns).to_pylist()


@settings(max_examples=25, deadline=None)
@given(rows=tables(), ask=questions())
def test_random_questions_are_answered_as_by_duckdb(rows: pa.Table, ask: Make):
    engine = ArrowEngine(DUCKDB)
    try:
        theirs = DUCKDB.arrow(ask(table(DUCKDB, rows)))
    except Exception as error:  # noqa: BLE001 - whatever it refuses, it refuses here too
        with pytest.raises(type(error)):
            engine.arrow(ask(table(engine, rows)))
        return
    ours = engine.arrow(ask(table(engine, rows)))
    assert ours.schema == theirs.schema
    assert bits(ours) == bits(theirs)

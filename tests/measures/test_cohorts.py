"""Cohorts and projections: named expressions over records."""

from __future__ import annotations

import ibis
import pytest

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.core.errors import BadInput, BadValue
from tidemill.core.fingerprint import fingerprint
from tidemill.core.ports import Snapshot
from tidemill.measures import Cohort, Projection
from tidemill.testing import data

ENGINE = DuckDBEngine()


@pytest.fixture(scope="module")
def rows():
    table = data.awkward_records()["nulls"]
    return ENGINE.table(Snapshot(schema=table.schema, arrow=table))


def told(rows, rule):
    return ENGINE.arrow(rows.select("f_number", "f_text", said=rule(rows))).to_pylist()


def test_a_cohort_says_yes_or_no_of_each_record_and_no_where_it_cannot_tell(rows):
    found = told(rows, Cohort("high", lambda r: r.f_number > 0))
    assert any(r["f_number"] is None for r in found)
    assert all(r["said"] is (r["f_number"] is not None and r["f_number"] > 0) for r in found)


def test_a_projection_gives_each_record_its_value(rows):
    found = told(rows, Projection("upper", lambda r: r.f_text.upper()))
    assert all(r["said"] == (None if r["f_text"] is None else r["f_text"].upper()) for r in found)


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        (Cohort("c", lambda r: r.f_none > 0), "cohort 'c' cannot be asked.*f_none"),
        (Cohort("c", lambda r: r["f_none"] > 0), "cohort 'c' cannot be asked.*f_none"),
        (Cohort("c", lambda r: r.f_number), "cohort 'c' is FloatingColumn, no boolean"),
        (Cohort("c", lambda r: True), "cohort 'c' is bool, no boolean"),
        (Projection("p", lambda r: r.f_none), "projection 'p' cannot be asked.*f_none"),
        (Projection("p", lambda r: r.f_number.mean()), "'p' gives FloatingScalar"),
    ],
)
def test_what_is_no_expression_of_each_record_is_refused(rows, rule, match):
    with pytest.raises(BadInput, match=match):
        rule(rows)


def test_they_need_a_name_and_a_function():
    for kind in (Cohort, Projection):
        with pytest.raises(BadValue, match="name"):
            kind("", lambda r: r.f_number > 0)
        with pytest.raises(BadValue, match="a function"):
            kind("n", "f_number > 0")


def test_another_function_is_another_cohort():
    def one(r):
        return r.f_number > 0

    def other(r):
        return r.f_number > 1

    assert fingerprint(Cohort("n", one)) != fingerprint(Cohort("n", other))
    assert isinstance(Cohort("n", one)(ibis.table({"f_number": "float64"}, name="t")), ibis.Column)

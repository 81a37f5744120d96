"""Codes and conditions: what is said in words, asked of an engine and counted in memory is one."""

from __future__ import annotations

import math

import ibis
import numpy as np
import pyarrow as pa
import pytest

from tidemill.core.errors import BadInput
from tidemill.measures.coding import Coding
from tidemill.measures.cohort import Cohort
from tidemill.measures.condition import All, Condition

ROWS = pa.table(
    {
        "x": pa.array([1.0, 2.5, None, math.nan, math.inf, -math.inf, 3.0, 2.0], pa.float32()),
        "n": pa.array([1, 2, None, 4, 5, 6, 7, 8], pa.int64()),
        "c": pa.array(["a", "b", None, "a", "c", 'q"', "b", ""]),
        "b": pa.array([True, False, None, True, False, True, True, False]),
    }
)
SOME = [
    Condition(column="x", above=2.0),
    Condition(column="x", above=1.0, at_most=2.5),
    Condition(column="x", at_most=2.0, missing=True),
    Condition(column="x", missing=True),
    Condition(column="x", outside=True),
    Condition(column="n", above=3.0, at_most=6.0),
    Condition(column="c", values=("a", 'q"')),
    Condition(column="c", values=("a", "b"), outside=True),
    Condition(column="c", values=("a",), missing=True),
    Condition(column="c", values=("a",), outside=True, missing=True),
    Condition(column="b", values=(True,)),
]


@pytest.mark.parametrize("one", SOME, ids=Condition.words)
def test_an_engine_and_memory_agree(one: Condition) -> None:
    records = ibis.memtable(ROWS.rename_columns([f"f_{name}" for name in ROWS.column_names]))
    found = All((one,)).cohort("some")(records).execute().tolist()
    assert found == one.mask(ROWS).tolist()
    assert 0 < sum(found) < 8


@pytest.mark.parametrize("one", SOME, ids=Condition.words)
def test_the_line_of_a_strategy_file_is_the_same_cohort(one: Condition) -> None:
    # Rows without NaN: the line takes it for what the engine does.
    rows = ROWS.filter(pa.array([True, True, True, False, True, True, True, True]))
    records = ibis.memtable(rows.rename_columns([f"f_{name}" for name in rows.column_names]))
    cohort = eval(All((one,)).source("some"), {"Cohort": Cohort})
    assert cohort(records).execute().tolist() == one.mask(rows).tolist()


def test_words_are_plain() -> None:
    said = All((Condition(column="carrier", values=("9E",)), Condition(column="humid", above=80.0)))
    assert said.words() == "carrier is 9E and humid > 80"
    late = said.source("late flights of 9E")
    assert (
        late == 'Cohort("late flights of 9E", lambda r: (r.f_carrier == "9E") & (r.f_humid > 80.0))'
    )
    odd = Condition(column="a b", values=tuple("abcdefg"), missing=True)
    assert odd.words() == "a b is a, b, c, d, e, 2 more or missing"
    assert odd.source().startswith("(r['f_a b'].isin([")


def test_codes_come_back_as_the_rows_they_were() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=4000)
    values[::7] = math.nan
    many = [f"v{k}" for k in rng.integers(0, 90, 4000)]
    table = pa.table({"x": values, "c": many, "few": rng.integers(0, 4, 4000)})
    coding = Coding.fit(table, numbers=16, categories=20)
    codes = coding.codes(table)
    assert codes.max(axis=0).tolist() == [16, 21, 4]
    for at, column in enumerate(coding.columns):
        for cut in range(1, column.size):
            allowed = np.arange(column.size) >= cut
            condition = column.condition(allowed)
            expected = allowed[codes[:, at]]
            if condition is None:
                assert expected.all()
            else:
                assert condition.mask(table).tolist() == expected.tolist()


def test_edges_are_numbers_people_read() -> None:
    humid = pa.array(np.random.default_rng(1).normal(60, 12, 5000), pa.float32())
    table = pa.table(
        {"humid": humid, "visib": pa.array([0.06, 0.25, 10.0, 0.25] * 1250, pa.float32())}
    )
    humidity, visibility = Coding.fit(table).columns
    assert all(len(f"{edge:g}") <= 4 for edge in humidity.edges)
    assert visibility.edges == (0.06, 0.25)


def test_what_cannot_be_coded_is_named() -> None:
    one = pa.table(
        {
            "same": [1, 1], "null": pa.nulls(2), "when": pa.array([1, 2], pa.timestamp("s")),
            "list": [[1], [2]], "gone": [1, 2], "turned": [1, 2], "huge": [1e308, -1e308],
        }
    )  # fmt: skip
    two = one.drop_columns(["gone"]).set_column(4, "turned", pa.array(["a", "b"]))
    coding = Coding.fit(one, two)
    assert [column.name for column in coding.columns] == ["huge"]
    assert [name for name, _ in coding.left_out] == [n for n in one.column_names if n != "huge"]
    with pytest.raises(BadInput, match="another kind"):
        Coding.fit(one).codes(one.set_column(5, "turned", pa.array(["a", "b"])))


def test_a_condition_that_says_nothing_is_refused() -> None:
    for wrong in ({}, {"above": math.nan}, {"values": ("a",), "above": 1.0}):
        with pytest.raises(BadInput):
            Condition(column="x", **wrong)
    with pytest.raises(BadInput, match="every row"):
        All(())(ibis.memtable(ROWS))

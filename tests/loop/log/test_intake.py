"""Whatever is handed in: every row has one fate, and nothing but a mendable error is raised."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidemill.core.errors import BadInput, TidemillError
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.loop.log.facts import take_facts
from tidemill.loop.log.records import take_records
from tidemill.loop.log.values import plain_rows, read, safe_name
from tidemill.project import arrow

NOW = datetime(2024, 6, 1, tzinfo=UTC)
KINDS = {"x": "number", "c": "text", "t": "moment", "v": "vector"}

NUMBERS = st.one_of(st.integers(-(2**63), 2**64 - 1), st.floats(), st.booleans())
TEXTS = st.one_of(st.text(max_size=8), st.sampled_from(["nan", "inf", "1e400", "1_0", " 7 ", "٣"]))
TIMES = st.one_of(
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.datetimes(
        min_value=datetime(2024, 5, 25),  # noqa: DTZ001 - Hypothesis adds the zone
        max_value=datetime(2024, 6, 2),  # noqa: DTZ001 - Hypothesis adds the zone
        timezones=st.just(UTC),
    ),
    st.datetimes().map(str),
)
ODD = st.one_of(
    st.binary(max_size=4),
    st.dates(),
    st.timedeltas(),
    st.times(),
    st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-99, max_value=99),
    st.lists(NUMBERS, max_size=3),
    st.lists(TEXTS, max_size=3),
    st.dictionaries(st.sampled_from("ab"), NUMBERS, max_size=2),
)
VALUES = st.one_of(st.none(), NUMBERS, TEXTS, TIMES, ODD)
FAMILIES = [NUMBERS, TEXTS, TIMES, ODD, st.floats(), st.integers(0, 3), st.sampled_from("abc"),
            st.binary(max_size=3), st.lists(st.floats(), max_size=3), VALUES]  # fmt: skip
NAMES = ["record_id", "at", "arrived", "x", "c", "t", "v", "X", "y z", "y_z", "()", "día", "f_x", "label"]  # fmt: skip


@st.composite
def tables(draw, names=NAMES):
    n = draw(st.integers(0, 6))
    columns = {}
    for name in draw(st.lists(st.sampled_from(names), unique=True)):
        family = draw(st.sampled_from(FAMILIES))
        values = draw(st.lists(st.one_of(st.none(), family), min_size=n, max_size=n))
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, ValueError):
            columns[name] = pa.array([None if v is None else str(v) for v in values], pa.string())
    columns.setdefault("record_id", pa.array([f"r{k % 3}" for k in range(n)]))
    columns.setdefault("at", pa.array([NOW - timedelta(hours=k) for k in range(n)],
                                      pa.timestamp("us", "UTC")))  # fmt: skip
    return pa.table(columns)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables(), st.booleans(), st.booleans(), st.sampled_from([None, "UTC", "America/New_York"]))
def test_any_table_of_records_is_split_into_taken_already_and_quarantined(
    table, first, arrived, zone
):
    columns = Columns(time="at", timezone=zone,
                      available_at="arrived" if arrived and "arrived" in table.column_names
                      else None)  # fmt: skip
    taken = take_records(table, columns, now=NOW, floor=NOW - timedelta(days=9),
                         kinds={} if first else dict(KINDS), salt="s", source="file")  # fmt: skip
    assert taken.seen == table.num_rows
    assert taken.rows.num_rows + taken.already + taken.quarantine.num_rows == taken.seen
    assert all(taken.quarantine["reason"].to_pylist())
    for row in taken.rows.to_pylist():
        assert row["record_id"].strip()
        assert row["predicted_at"] <= NOW + timedelta(minutes=5)
        assert NOW - timedelta(days=9) < row["available_at"] <= NOW
        assert 0 <= row["u_log"] < 1
    for name, kind in taken.kinds.items():
        if kind == "number" and f"f_{name}" in taken.rows.column_names:
            numbers = taken.rows[f"f_{name}"].to_pylist()
            assert all(v is None or math.isfinite(v) for v in numbers)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables(), st.sampled_from(["labels", "feedback"]), st.sampled_from([None, "number", "text"]),
       st.sampled_from(["x", "c", "at", "v", "label"]), st.booleans())  # fmt: skip
def test_any_table_of_facts_is_split_into_taken_already_and_quarantined(
    table, name, kind, value, when
):
    columns = FactColumns(value=value, happened_at="at" if when else None)
    try:
        taken = take_facts(table, columns, name=name, now=NOW, floor=None, source="file",
                           kind=kind)  # fmt: skip
    except TidemillError as error:
        assert value not in table.column_names
        assert error.fix  # noqa: PT017
        return
    assert taken.rows.num_rows + taken.already + taken.quarantine.num_rows == table.num_rows
    key = "label_id" if name == "labels" else "feedback_id"
    ids = taken.rows[key].to_pylist()
    assert len(set(ids)) == len(ids)
    number, text = ("label", "label_text") if name == "labels" else ("value", "value_text")
    for row in taken.rows.to_pylist():
        assert (row[number] is None) != (row[text] is None)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(VALUES, st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=3),
                                  max_size=3),
                 st.dictionaries(st.one_of(st.text(max_size=3), st.integers()),
                                 st.lists(VALUES, max_size=3), max_size=3)))  # fmt: skip
def test_whatever_is_given_for_a_table_is_one_or_refused_with_a_fix(data):
    try:
        assert isinstance(arrow(data), pa.Table)
    except TidemillError as error:
        assert error.fix  # noqa: PT017 - it may or may not raise
        assert "\n" not in str(error)  # noqa: PT017


def test_values_of_one_column_keep_what_they_are():
    table = pa.table({"record_id": ["a"], "at": [NOW], "n": [7], "d": [Decimal("1.5")],
                      "b": [True], "c": pa.array(["u"]).dictionary_encode(),
                      "s": pa.array(["w"], pa.string_view()), "l": pa.array(["w"], pa.large_string()),
                      "h": pa.array([1.5], pa.float16()), "t": [NOW], "day": [date(2024, 1, 1)],
                      "e": pa.array([[1, 2]], pa.list_(pa.int32(), 2))})  # fmt: skip
    taken = take_records(table, Columns(time="at", timezone="UTC"), now=NOW, floor=None, kinds={},
                         salt="s", source="f")  # fmt: skip
    (row,) = taken.rows.to_pylist()
    found = {n: row[f"f_{n}"] for n in ("n", "d", "b", "c", "s", "l", "h", "e")}
    assert found == {"n": 7.0, "d": 1.5, "b": 1.0, "c": "u", "s": "w", "l": "w", "h": 1.5,
                     "e": [1.0, 2.0]}  # fmt: skip
    assert row["f_t"] == NOW
    assert row["f_day"] == datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "kept"),
    [("a b", "a_b"), ("a(b)", "a_b"), ("=;", ""), ("é", "é"), ("a\x00b", "a_b")],
)
def test_names_are_kept_as_storage_can_hold_them(name, kept):
    assert safe_name(name) == kept


@pytest.mark.parametrize("chunks", [0, 1])
def test_values_of_mixed_types_are_unfit_for_every_kind(chunks):
    mixed = pa.UnionArray.from_sparse(
        pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]
    )
    column = pa.chunked_array([mixed] * chunks, mixed.type)
    for kind in KINDS.values():
        values, unfit = read(column, kind)
        assert values.null_count == len(values) == 2 * chunks
        assert unfit.sum() == 2 * chunks


def test_a_moment_in_a_zone_nobody_knows_is_set_aside_with_the_rest_of_its_row():
    at = pa.array([1, 2], pa.timestamp("us", "Mars/Olympus"))
    (row, other) = plain_rows(pa.table({"at": at, "x": [1.0, 2.0]}))
    assert (row["x"], other["x"]) == (1.0, 2.0)
    assert "Mars/Olympus" in row["at"]


def test_an_error_is_one_line_whatever_the_names_in_it_are():
    assert str(BadInput("no 'a\nb'.", fix="rename\r\n'a'.")) == (
        "no 'a\\nb'. Fix: rename\\r\\n'a'."
    )

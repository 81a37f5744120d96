"""Profiles: adding up in any order, taking away, travelling, and refusing what is damaged."""

from __future__ import annotations

import hashlib
import json
import zlib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemill.core.errors import BadInput
from tidemill.measures.grid import Grid
from tidemill.measures.profile import Categories, Numbers, Part, Profile, merge, of_table, subtract

GRIDS = {"x": Grid(0.0, 0.5)}
NUMBER = st.none() | st.floats(width=32) | st.sampled_from([float("inf"), float("nan"), 0.0])
ROW = st.fixed_dictionaries({"x": NUMBER, "c": st.none() | st.sampled_from("abcdeö")})
SCHEMA = pa.schema({"x": pa.float64(), "c": pa.string()})
TABLES = st.lists(st.lists(ROW, max_size=8), min_size=3, max_size=3)


def profile(rows: list[dict[str, object]]) -> Profile:
    return of_table(pa.Table.from_pylist(rows, schema=SCHEMA), grids=GRIDS)


def hostile() -> pa.Table:
    n = 12
    return pa.table(
        {
            "nothing": pa.nulls(n),
            "all null": pa.array([None] * n, pa.float64()),
            "constant": [3.5] * n,
            "infinite": [np.inf, -np.inf, np.nan, None] * 3,
            "big": pa.array([2**62, -(2**62), None] * 4),
            "decimal": [Decimal("1.50"), None, Decimal("-3.25")] * 4,
            "when": [datetime(2024, 3, 31, 1, tzinfo=UTC) + timedelta(hours=i) for i in range(n)],
            "day": [date(2024, 3, 31)] * n,
            "took": [timedelta(seconds=90)] * n,
            "yes": [True, False, None] * 4,
            "coded": pa.array(["a", "b", None] * 4).dictionary_encode(),
            "list": [[1]] * n,
            "bytes": [b"x"] * n,
        }
    )


@settings(max_examples=30, deadline=None)
@given(TABLES)
def test_profiles_add_up_in_any_order_and_come_apart_again(parts):
    one, two, three = map(profile, parts)
    whole = profile([row for part in parts for row in part])
    assert merge(merge(one, two), three) == merge(one, merge(two, three)) == whole
    assert merge(three, one, two) == whole
    left = subtract(whole, three)
    both = merge(one, two)
    for name in ("x", "c"):
        got, want = left.columns[name], both.columns[name]
        assert np.array_equal(got.counts, want.counts)
        assert (got.rows, got.nulls) == (want.rows, want.nulls)
    assert Profile.from_bytes(whole.to_bytes()) == whole


def test_a_grid_or_a_kind_that_differs_is_refused():
    one, other = (of_table(pa.table({"x": [1.0, 2.5]}), grids={"x": Grid(c, 1.0)}) for c in (0, 1))
    with pytest.raises(BadInput, match=r"column 'x'.*grid.*Fix: count both on the grid"):
        merge(one, other)
    with pytest.raises(BadInput, match="column 'x' is a category and a number"):
        merge(one, of_table(pa.table({"x": ["1"]})))


def test_a_column_that_is_missing_or_without_values_in_one_window_adds_up():
    full = of_table(pa.table({"x": [1.0, 2.0], "c": ["a", "b"]}), grids=GRIDS)
    empty = of_table(pa.table({"x": pa.nulls(3)}))
    both = merge(full, empty)
    assert (both.rows, both.kinds) == (5, {"x": "number", "c": "category"})
    assert (both.columns["x"].nulls, both.columns["c"].rows) == (3, 2)
    assert subtract(both, empty) == full
    assert set(subtract(both, full).columns) == {"x"}


def test_what_was_not_added_cannot_be_taken_away():
    one, other = profile([{"x": 1.0, "c": "a"}]), profile([{"x": 90.0, "c": "b"}])
    with pytest.raises(BadInput, match="was not part of the whole"):
        subtract(one, other)


def test_every_kind_of_column_is_counted_or_skipped_with_the_reason():
    found = of_table(hostile())
    assert set(found.skipped) == {"list", "bytes"}
    assert found.kinds["nothing"] == "null"
    assert {n for n, k in found.kinds.items() if k == "time"} == {"when", "day"}
    assert all(column.rows == 12 for column in found.columns.values())
    infinite, nothing = found.columns["infinite"], found.columns["all null"]
    assert (infinite.above, infinite.below, infinite.nans, infinite.nulls) == (3, 3, 3, 3)
    assert (infinite.n, nothing.n, nothing.nulls) == (0, 0, 12)
    assert np.isnan([infinite.low, nothing.high]).all()
    assert found.columns["yes"].as_dict() == {"false": 4, "true": 4}
    assert found.columns["coded"].as_dict() == {"a": 4, "b": 4}
    assert (found.columns["took"].low, found.columns["decimal"].low) == (90.0, -3.25)
    assert found.columns["when"].low == datetime(2024, 3, 31, 1, tzinfo=UTC).timestamp()
    assert Profile.from_bytes(found.to_bytes()) == found
    assert of_table(hostile().slice(0, 0)).rows == 0
    assert of_table(pa.table([pa.array([1]), pa.array([2])], names=["x", "x"])).skipped


def test_beyond_the_limit_frequent_categories_stay_and_the_error_holds():
    rng = np.random.default_rng(0)
    values = np.minimum(rng.zipf(1.3, 20_000), 5_000).astype(str)
    truth = dict(zip(*np.unique(values, return_counts=True), strict=True))
    parts = [of_table(pa.table({"c": p}), most=50) for p in np.array_split(values, 4)]
    for joined in (of_table(pa.table({"c": values}), most=50), merge(*parts)):
        kept = joined.columns["c"]
        assert (len(kept.values), kept.rows) == (50, 20_000)
        assert all(0 <= truth[v] - n <= kept.error for v, n in kept.as_dict().items())
        assert max(n for v, n in truth.items() if v not in kept.as_dict()) <= kept.error
        with pytest.raises(BadInput, match="not exact"):
            subtract(joined, parts[0])


def test_a_flipped_bit_or_a_missing_end_is_noticed():
    content = of_table(hostile()).to_bytes()
    for at in np.linspace(0, len(content) - 1, 200).astype(int):
        for bit in (0, 5):
            damaged = bytearray(content)
            damaged[at] ^= 1 << bit
            with pytest.raises(BadInput):
                Profile.from_bytes(bytes(damaged))
    for end in (0, 5, 30, 90, len(content) - 1):
        with pytest.raises(BadInput):
            Profile.from_bytes(content[:end])


def sealed(known: object, *, text: str | None = None) -> bytes:
    body = zlib.compress((json.dumps(known) if text is None else text).encode())
    return b"tidemill profile 1\n" + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def test_a_well_sealed_lie_is_refused():
    content = of_table(pa.table({"x": [1.0, 2.0, 7.0], "c": ["a", "b", "b"]})).to_bytes()
    honest = zlib.decompress(content.split(b"\n", 2)[2])
    lies = [
        ("rows", -1),
        ("rows", 2),
        ("rows", 1.5),
        ("rows", True),
        ("rows", None),
        ("rows", 2**70),
        ("start", "2024-01-01"),
        ("start", 5),
        ("columns", 3),
        ("parts", [["a", 1]]),
        ("parts", [["a", 1, 2], ["a", 2, 3]]),
        ("skipped", ["x"]),
    ]
    inside = [
        (0, "counts", [1, 1]),
        (0, "counts", [1, -1, 3]),
        (0, "cells", [3, 2, 1]),
        (0, "grid", [0]),
        (0, "grid", [0, 0, 0]),
        (0, "cells", [1, 2, 10**9]),
        (0, "low", "1"),
        (0, "nulls", 1e3),
        (0, "kind", "category"),
        (0, "kind", "shape"),
        (1, "values", ["b", "a"]),
        (1, "most", -1),
        (1, "values", ["a", "\ud800"]),
        (1, "name", "x"),
        (1, "counts", "12"),
        (1, "error", None),
    ]
    assert Profile.from_bytes(sealed(json.loads(honest))).rows == 3
    for key, value in lies:
        with pytest.raises(BadInput, match="cannot be read"):
            Profile.from_bytes(sealed({**json.loads(honest), key: value}))
    for column, key, value in inside:
        known = json.loads(honest)
        known["columns"][column][key] = value
        with pytest.raises(BadInput, match="cannot be read"):
            Profile.from_bytes(sealed(known))
    for text in ("", "[" * 100_000, "{}", "null", "[1]", "9" * 5_000, '{"rows": NaN}'):
        with pytest.raises(BadInput, match="cannot be read"):
            Profile.from_bytes(sealed(None, text=text))
    with pytest.raises(BadInput, match="version '2'"):
        Profile.from_bytes(b"tidemill profile 2\n")


def test_counts_that_cannot_be_are_refused():
    grid = Grid(0.0, 1.0)
    for cells, counts in (([1, 1], [1, 1]), ([2, 1], [1, 1]), ([1], [0]), ([1], [1, 2])):
        with pytest.raises(BadInput, match="cells must ascend"):
            Numbers(grid=grid, cells=np.array(cells), counts=np.array(counts))
    for values, counts in ((("b", "a"), [1, 1]), (("a",), [0]), (("a",), [])):
        with pytest.raises(BadInput, match="categories must ascend"):
            Categories(values=values, counts=np.array(counts))
    with pytest.raises(ValueError, match="read-only"):
        Numbers.of_values(grid, np.ones(3)).counts[0] = 7


def test_files_of_the_edge_join_where_they_follow_and_are_never_added_twice():
    def numbered(n: int) -> Profile:
        return Profile(rows=0, columns={}, kinds={}, parts=(Part("api", n, n),))

    assert merge(numbered(2), numbered(1), numbered(4)).parts == (
        Part("api", 1, 2),
        Part("api", 4, 4),
    )
    assert subtract(merge(*map(numbered, range(1, 6))), numbered(3)).parts == (
        Part("api", 1, 2),
        Part("api", 4, 5),
    )
    with pytest.raises(BadInput, match="file 1 of 'api' would be counted twice"):
        merge(numbered(1), numbered(1))

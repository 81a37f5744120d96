"""Draws are uniform, independent and for ever; a row's hash follows its values and types."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.stores.delta import DeltaEvents
from tidemill.core.draws import draws, row_hash
from tidemill.core.records import MOMENT
from tidemill.testing import data

IDS = [f"record-{k}" for k in range(20_000)]
NAMES = ("u_log", "u_label", "u_split")


@pytest.mark.parametrize("name", NAMES)
def test_each_draw_is_uniform(name: str) -> None:
    values = draws("salt", IDS)[name]
    assert ((values >= 0) & (values < 1)).all()
    assert stats.kstest(values, "uniform").pvalue > 1e-3
    assert len(np.unique(values)) == len(IDS)


def test_the_three_draws_are_independent() -> None:
    found = draws("salt", IDS)
    table = [np.floor(4 * found[name]) for name in NAMES]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        counts = stats.contingency.crosstab(table[one], table[other]).count
        assert stats.chi2_contingency(counts).pvalue > 1e-3
    jointly = np.unique(np.stack(table, axis=1), axis=0, return_counts=True)[1]
    assert len(jointly) == 64
    assert stats.chisquare(jointly).pvalue > 1e-3


def test_draws_depend_on_the_salt_and_the_id_alone() -> None:
    first = draws("salt", IDS[:100])
    again = draws("salt", IDS[:100][::-1])
    other = draws("Salt", IDS[:100])
    for name in NAMES:
        assert (first[name] == again[name][::-1]).all()
        assert not (first[name] == other[name]).any()
    assert abs(np.corrcoef(draws("a", IDS)["u_log"], draws("b", IDS)["u_log"])[0, 1]) < 0.03
    assert draws("salt", [])["u_log"].shape == (0,)
    assert draws("Sälz", ["東京", ""])["u_log"].shape == (2,)


def test_draws_never_change() -> None:
    # Written down: another version of tidemill that drew otherwise would sample a record twice.
    assert [float(draws("salt", ["a"])[n][0]) for n in NAMES] == [
        0.7602366498702773,
        0.5350159073933839,
        0.9586616539940651,
    ]


def hashes(**columns: object) -> list[str]:
    return row_hash(pa.table({f"f_{k}": v for k, v in columns.items()})).to_pylist()


def test_the_order_of_columns_does_not_count() -> None:
    assert hashes(a=[1.0], b=["x"]) == hashes(b=["x"], a=[1.0])


def test_a_null_counts_as_absent() -> None:
    assert hashes(a=[1.0], b=pa.nulls(1, pa.string())) == hashes(a=[1.0])
    assert hashes(a=[1.0], b=[""]) != hashes(a=[1.0])
    assert hashes(a=[0.0]) != hashes(a=pa.nulls(1, pa.float64()))


def test_types_and_names_count() -> None:
    assert hashes(a=["1"]) != hashes(a=[1.0])
    assert hashes(a=["1.0"]) != hashes(a=[1.0])
    assert hashes(a=[1.0]) != hashes(b=[1.0])
    assert hashes(a=[1.0], b=[2.0]) != hashes(a=[2.0], b=[1.0])
    assert hashes(a=["x"], b=["y"]) != hashes(a=["y"], b=["x"])
    assert hashes(a=[[1.0, 2.0]]) != hashes(a=[[2.0, 1.0]])
    assert hashes(a=["1970-01-01 00:00:00"]) != hashes(a=_moments("UTC"))


def test_every_bit_of_a_number_counts() -> None:
    assert hashes(a=[-0.0]) != hashes(a=[0.0])
    assert hashes(a=[0.1 + 0.2]) != hashes(a=[0.3])
    assert len(set(hashes(a=[5e-324, 0.0, 1e308, -1e308, float("inf")]))) == 5


def test_how_arrow_keeps_a_value_does_not_count() -> None:
    texts = pa.array(["ü", None, "b", "ü"])
    whole = hashes(a=texts)
    assert whole[0] == whole[3] != whole[2]
    assert hashes(a=pa.chunked_array([texts[:1], texts[1:]])) == whole
    assert hashes(a=texts.cast(pa.large_string())) == whole
    numbers = pa.array([1.0, None, 3.0])
    assert hashes(a=pa.chunked_array([numbers[:2], numbers[2:]])) == hashes(a=numbers)
    assert hashes(a=_moments("UTC")) == hashes(a=_moments("Asia/Tokyo"))
    assert hashes(a=_moments("UTC").cast(pa.timestamp("ns", "UTC"))) == hashes(a=_moments("UTC"))
    assert row_hash(pa.table({"record_id": pa.array([], pa.string())})).to_pylist() == []


def _moments(zone: str) -> pa.Array:
    return pa.array([datetime(2024, 1, 1, tzinfo=UTC)], pa.timestamp("us", zone))


def test_a_hash_never_changes() -> None:
    # Written down: datasets of old projects are verified by it.
    row = {
        "f_number": [0.1],
        "f_text": ["ü"],
        "f_moment": pa.array([datetime(2024, 1, 1, tzinfo=UTC)], MOMENT),
        "f_vector": [[1.0, 2.5]],
    }
    assert row_hash(pa.table(row)).to_pylist() == ["87bc4f85213d5f59883f8152baa043f0"]


@given(st.lists(st.tuples(st.floats(allow_nan=False), st.text()), min_size=1, max_size=20))
def test_a_row_keeps_its_hash_among_others(rows: list[tuple[float, str]]) -> None:
    numbers, texts = zip(*rows, strict=True)
    whole = hashes(a=list(numbers), b=list(texts))
    alone = [hashes(a=[n], b=[t])[0] for n, t in rows]
    assert whole == alone
    assert len(set(whole)) == len({(np.float64(n).tobytes(), t) for n, t in rows})


@pytest.mark.parametrize("name", ["plain", "nulls", "non_ascii"])
def test_a_hash_survives_storage(name: str, tmp_path: Path) -> None:
    rows = data.awkward_records()[name]
    events, engine = DeltaEvents(tmp_path), DuckDBEngine()
    events.append("records", rows, writer="w", sequence=1)
    found = engine.arrow(engine.table(events.snapshot("records")))
    assert row_hash(found).to_pylist() == found["row_hash"].to_pylist()

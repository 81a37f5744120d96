"""Counting at the edge: what a table would give, once, from many threads, whatever comes."""

from __future__ import annotations

import enum
import os
import subprocess
import sys
import threading
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.adapters.engines.duckdb_profile import DuckDBProfiler
from tidemill.core.errors import BadInput
from tidemill.measures.edge import EdgeProfile, taken_in
from tidemill.measures.grid import Grid
from tidemill.measures.profile import Profile, merge, of_table


def table(n: int, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "x": pa.array(rng.standard_cauchy(n) * 1e3, mask=rng.random(n) < 0.1),
            "odd": rng.choice([0.0, 1e300, -1e300, np.inf, -np.inf, np.nan], n),
            "count": rng.poisson(3, n),
            "city": pa.array(rng.choice(["Bonn", "Ulm", "", "Köln"], n), mask=rng.random(n) < 0.1),
            "yes": rng.random(n) < 0.3,
            "when": pa.array(rng.integers(1.6e15, 1.8e15, n), pa.timestamp("us", "UTC")),
            "empty": pa.nulls(n, pa.float64()),
        }
    )


def counts(profile: Profile) -> tuple:
    return profile.rows, dict(profile.columns), dict(profile.kinds)


def test_rows_one_by_one_and_in_any_batches_give_what_the_table_gives():
    whole = table(3_000)
    reference = of_table(table(2_000, seed=1))
    edge = EdgeProfile(reference, buffer=700)
    for row in whole.slice(0, 1_000).to_pylist():
        edge.add(row)
    edge.add_batch(whole.slice(1_000, 900))
    coded = whole.slice(1_900, 600)
    city = coded.schema.get_field_index("city")
    edge.add_batch(
        coded.set_column(city, "city", coded["city"].dictionary_encode()).to_batches()[0]
    )
    rest = whole.slice(2_500)
    edge.add_batch(
        {
            **{name: rest[name].to_pylist() for name in ("x", "city", "when", "empty")},
            **{name: rest[name].to_numpy() for name in ("odd", "count")},
            "yes": np.array(rest["yes"].to_pylist()),
        }
    )
    assert counts(edge.to_profile()) == counts(of_table(whole, grids=reference.grids))
    assert edge.to_profile().parts[0].first == 1


def test_values_of_the_wrong_kind_are_counted_as_such_and_never_raise():
    class Colour(str, enum.Enum):  # noqa: UP042 - as older services have them
        RED = "red"

    edge = EdgeProfile({"n": Grid(0.0, 1.0), "t": Grid(0.0, 1.0)}, categories=["c"], times=["t"])
    values = ["7", True, [1], {}, object(), 10**400, -(10**400), Decimal(2), Decimal("sNaN"),
              np.float32(3), np.int64(4), float("nan"), None, date(1970, 1, 2), b"x", Colour.RED,
              datetime(1970, 1, 1, 1), datetime(1970, 1, 1, 1, tzinfo=UTC), "\ud800"]  # fmt: skip # noqa: DTZ001
    for value in values:
        edge.add(dict.fromkeys("ntc", value))
    edge.add({"something": "else"})
    found = edge.to_profile()
    number, time, text = (found.columns[name] for name in "ntc")
    assert {c.rows for c in (number, time, text)} == {len(values) + 1}
    assert (number.n, number.nans, number.nulls, number.above, number.below) == (4, 2, 2, 1, 1)
    assert (number.wrong, time.n, time.low, time.high) == (10, 3, 3_600.0, 86_400.0)
    assert text.nulls == 3
    assert {"7", "true", "<list>", "red", "4", "?", "1970-01-02"} <= set(text.values)
    assert Profile.from_bytes(found.to_bytes()) == found
    edge.add_batch(pa.table({"n": ["a", None], "t": [1, 2], "c": [[1], [2]]}))
    after = edge.to_profile().columns
    assert (after["n"].wrong, after["t"].wrong, after["c"].as_dict()["<list<item: int64>>"]) == (
        11,
        17,
        2,
    )
    with pytest.raises(BadInput, match="one value a row"):
        edge.add_batch({"n": [1.0], "c": ["a", "b"]})


def test_a_truth_value_is_what_records_and_engines_make_of_it(tmp_path):
    said = [True, False, None, True, True]
    rows = pa.table({"yes": pa.array(said)})
    as_kept = rows.cast(pa.schema({"yes": pa.float64()}))  # records keep 0 and 1
    pq.write_table(rows, tmp_path / "rows.parquet")
    by_engine = DuckDBProfiler([str(tmp_path / "rows.parquet")]).profile(["yes"], grids={})
    for whole in (of_table(as_kept), of_table(rows), by_engine):
        edge = EdgeProfile(whole)
        for value in said:
            edge.add({"yes": value})
        edge.add_batch(rows)
        edge.add_batch({"yes": said})
        edge.add_batch({"yes": np.array([True, False, True, True])})
        edge.add({"yes": np.bool(False)})
        found = edge.to_profile().columns["yes"]
        assert (found.rows, found.nulls, getattr(found, "wrong", 0)) == (20, 3, 0)
        once = EdgeProfile(whole)
        once.add_batch(rows)
        assert once.to_profile().columns["yes"] == whole.columns["yes"]


def test_changing_a_row_after_it_was_added_changes_nothing():
    edge, row = EdgeProfile({"x": Grid(0.0, 1.0)}), {"x": 1.0}
    for value in range(5):
        row["x"] = float(value)
        edge.add(row)
    assert edge.to_profile().columns["x"].counts.tolist() == [1] * 5


def test_a_file_delivered_twice_counts_once_and_all_of_them_are_the_whole(tmp_path):
    reference, whole = of_table(table(500)), table(900, seed=2)
    edge = EdgeProfile(reference, writer="api-1")
    paths = []
    for at in range(0, 900, 300):
        edge.add_batch(whole.slice(at, 300))
        paths.append(edge.save(tmp_path / "new"))
    assert edge.save(tmp_path / "new") is None
    assert [p.name for p in paths] == [f"api-1-{i:08d}.profile" for i in (1, 2, 3)]
    assert len(list((tmp_path / "new").iterdir())) == 3
    total = None
    for path in [paths[2], paths[0], paths[0], paths[1], paths[2]]:
        total = taken_in(total, Profile.from_bytes(path.read_bytes()))
    assert counts(total) == counts(of_table(whole, grids=reference.grids))
    with pytest.raises(BadInput, match="does not say who counted"):
        taken_in(total, reference)
    with pytest.raises(BadInput, match="twice"):
        merge(total, Profile.from_bytes(paths[0].read_bytes()))


def test_a_file_that_cannot_be_written_keeps_its_counts_and_no_file_is_overwritten(tmp_path):
    (tmp_path / "a file").write_text("no folder")
    edge = EdgeProfile({"x": Grid(0.0, 1.0)}, writer="api")
    edge.add({"x": 1.0})
    with pytest.raises(OSError, match="a file"):
        edge.save(tmp_path / "a file")
    first = edge.save(tmp_path)
    again = EdgeProfile({"x": Grid(0.0, 1.0)}, writer="api")
    again.add({"x": 5.0})
    with pytest.raises(BadInput, match=r"there already.*Fix: go on with a sequence after"):
        again.save(tmp_path)
    assert again.to_profile().rows == 1
    assert Profile.from_bytes(first.read_bytes()).columns["x"].high == 1.0


def test_no_row_is_lost_or_counted_twice_between_threads_and_saves(tmp_path):
    edge = EdgeProfile({"x": Grid(0.0, 1.0)}, categories=["c"], buffer=50)

    def work(name: str) -> None:
        for i in range(2_000):
            edge.add({"x": float(i % 7), "c": name})

    workers = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for worker in workers:
        worker.start()
    paths = [edge.save(tmp_path) for _ in range(20)]
    for worker in workers:
        worker.join()
    paths.append(edge.save(tmp_path))
    parts = [Profile.from_bytes(p.read_bytes()) for p in paths if p]
    assert merge(*parts).columns["c"].as_dict() == dict.fromkeys("abcd", 2_000)


def test_too_many_categories_are_forgotten_with_an_error_that_holds():
    rng = np.random.default_rng(0)
    values = [f"v{v}" for v in np.minimum(rng.zipf(1.4, 20_000), 3_000)]
    edge = EdgeProfile({}, categories=["c"], most=100, buffer=100)
    for value in values:
        edge.add({"c": value})
    kept = edge.to_profile().columns["c"]
    assert (len(kept.values), kept.rows) == (100, 20_000)
    assert all(0 <= values.count(v) - n <= kept.error for v, n in kept.as_dict().items())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_begins_anew_under_a_name_of_its_own():
    code = """
import os
from tidemill.measures.edge import EdgeProfile
from tidemill.measures.grid import Grid
edge = EdgeProfile({"x": Grid(0.0, 1.0)}, writer="api")
edge.add({"x": 1.0})
read, write = os.pipe()
if not os.fork():
    edge.add({"x": 2.0}); edge.add({"x": 3.0})
    os.write(write, f"{edge.to_profile().rows} {edge.writer}".encode())
    os._exit(0)
rows, writer = os.read(read, 100).decode().split()
assert (rows, edge.to_profile().rows) == ("2", 1)
assert writer != edge.writer == "api" and writer.startswith("api-")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_service_that_counts_rows_loads_nothing_heavy():
    code = (
        "import sys; from tidemill.measures.edge import EdgeProfile\n"
        "from tidemill.measures.grid import Grid\n"
        "edge = EdgeProfile({'x': Grid(0.0, 1.0)}, categories=['c']); edge.add({'x': 1, 'c': 'a'})\n"
        "edge.add_batch({'x': [1.0], 'c': ['b']}); edge.to_profile().to_bytes()\n"
        "heavy = {'ibis', 'pandas', 'pyarrow', 'duckdb', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

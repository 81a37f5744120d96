"""A large file is read batch by batch, and comes to what it comes to as a table."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from tidemill.adapters.sources import separated_parts
from tidemill.faces.cli import lines, reading
from tidemill.loop.log.columns import Columns
from tidemill.project import create_project, open_project
from tidemill.strategy import importing

STRATEGY = """
from tidemill import Manual, Outcome, Recent, Strategy, Uniform
strategy = Strategy(curation=Uniform(10, per="1d"), labels=Outcome(final_after="1d"), trigger=Manual(),
                    dataset=Recent("20d"), training=lambda dataset, previous: None)
"""
N = 2000


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(reading, "_AT_ONCE", 300)
    monkeypatch.setattr(reading, "_WHOLE", 1_000)
    monkeypatch.setattr(separated_parts, "PART", 10_000)
    monkeypatch.setattr(lines, "PART", 10_000)
    monkeypatch.setattr(importing, "BATCH", 700)


def rows():
    at = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=k) for k in range(N)]
    x = [k if k != 1900 else "far" for k in range(N)]  # long after types were told
    return [f"r{k}" for k in range(N)], [a.isoformat() for a in at], x, ["a", "b"] * (N // 2)


def parquet(path):
    ids, at, x, c = rows()
    x = pa.array([str(v) for v in x])
    features = pa.StructArray.from_arrays([x, pa.array(c)], ["x", "c"])
    table = pa.table({"id": ids, "at": at, "features": features})
    pq.write_table(table, path, row_group_size=900)


def separated(path):
    ids, at, x, c = rows()
    pc.write_csv(pa.table({"id": ids, "at": at, "x": [str(v) for v in x], "c": c}), path)


def json_lines(path):
    each = zip(*rows(), strict=True)
    texts = (json.dumps({"id": i, "at": a, "features": {"x": x, "c": c}}) for i, a, x, c in each)
    path.write_text("\n".join(texts))


def flat_lines(path):
    each = zip(*rows(), strict=True)
    path.write_text(
        "\n".join(json.dumps({"id": i, "at": a, "x": x, "c": c}) for i, a, x, c in each)
    )


@pytest.mark.parametrize(
    ("write", "name"),
    [(parquet, "a.parquet"), (separated, "a.csv"), (flat_lines, "a.jsonl")],
    ids=["parquet", "csv", "lines"],
)
def test_a_file_in_batches_is_taken_in_once_and_needs_no_more_than_a_batch(tmp_path, write, name):
    write(tmp_path / name)
    with open_project(create_project(tmp_path / "mill", strategy=STRATEGY, salt="s")) as mill:
        for seen in (N - 1, 0):
            loaded = reading.load(tmp_path / name, texts=["id"])
            assert loaded.rows.num_rows == 0
            numbers = loaded.numbers or ("x",)  # a column of text in Parquet is text
            columns = Columns(id="id", time="at", features=["x", "c"], numbers=numbers)
            counts = mill.import_records(loaded.given, columns, source="file")
            assert (counts.accepted, counts.already) == (seen, N - 1 - seen)
            assert counts.reasons == {"x: expected a finite number, got 'far'": 1}
        assert mill.sql("select count(*) as n, sum(x) as x from records").to_pylist() == [
            {"n": N - 1, "x": sum(range(N)) - 1900}
        ]
        found = list(importing._batches(reading.load(tmp_path / name).stream))
        assert [b.num_rows for b in found] == [700, 700, 600]


def test_what_is_told_of_a_large_file_is_what_is_told_of_it_whole(tmp_path, monkeypatch):
    for write, name in ((separated, "a.csv"), (flat_lines, "a.jsonl"), (json_lines, "b.jsonl")):
        write(tmp_path / name)
    large = [reading.load(tmp_path / n) for n in ("a.csv", "a.jsonl", "b.jsonl")]
    monkeypatch.setattr(reading, "_WHOLE", 10**9)
    monkeypatch.setattr(lines, "PART", 10**9)
    small = [reading.load(tmp_path / n) for n in ("a.csv", "a.jsonl", "b.jsonl")]
    for one, other in zip(large, small, strict=True):
        assert (one.features, one.numbers, one.notes) == (
            other.features, other.numbers, other.notes)  # fmt: skip
        assert one.stream.read_all() == other.rows
    assert small[0].numbers == small[1].numbers == ("x",)
    assert "1 of 2,000 rows, such as 'far'" in small[0].notes[0]


VALUES = [1, 2.5, None, True, "a", [1], [1.5], {"a": 1}, {"a": "x", "b": 2}, {}, 2**60, 2**63,
          [2**60]]  # fmt: skip


def test_columns_of_lines_have_the_type_that_holds_all_values_wherever_they_stand(
    tmp_path, monkeypatch
):
    path, found = tmp_path / "a.jsonl", []
    for size in (20, 10**6):
        monkeypatch.setattr(lines, "PART", size)
        for one, other in itertools.permutations(VALUES, 2):
            row, last = json.dumps({"c": one}), json.dumps({"c": other, "e": 1})
            path.write_text("\n".join([row] * 3 + [last] * 3))
            read = lines.Lines(path, [])
            read.look_through()
            found.append(pa.concat_tables(read.tables()))
    half = len(found) // 2
    for one, other in zip(found[:half], found[half:], strict=True):
        assert one.schema == other.schema
        assert one.to_pylist() == other.to_pylist()


def test_lines_end_where_lines_of_bytes_end(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"a": "x\u2028y"}\r\n\n{"a": "\\ud800"}\r{"a": NaN}\n'.encode())
    assert reading.load(path).rows["a"].to_pylist() == ["x\u2028y", "?", "NaN"]

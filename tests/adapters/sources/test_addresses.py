"""A table is read wherever it lies, nothing is left behind, and errors say what to mend."""

from __future__ import annotations

import gzip
import json
import sqlite3
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from tidemill.adapters.sources.addresses import read
from tidemill.core.errors import BadInput, BadValue, MissingExtra, NotFound, TidemillError

ROWS = pa.table({"a": [1, 2, 3], "b": ["x", "y", None]})


@pytest.fixture(autouse=True)
def _nothing_is_written(tmp_path):
    """Whatever a test reads: the folder below ``given`` is the same afterwards."""
    yield
    before = tmp_path / "listing.json"
    if before.exists():
        assert json.loads(before.read_text()) == _listing(tmp_path / "given")


@pytest.fixture
def given(tmp_path) -> Path:
    (tmp_path / "given").mkdir()
    return tmp_path / "given"


def _listing(folder: Path) -> list[str]:
    return sorted(f"{p.relative_to(folder)} {p.stat().st_size}" for p in folder.rglob("*"))


def reading(path: object, **more) -> pa.Table:
    """Read, having noted what lies there."""
    text = str(path).partition("://")[2] or str(path)
    given = next((p for p in Path(text).parents if p.name == "given"), None)
    if given is not None:
        (given.parent / "listing.json").write_text(json.dumps(_listing(given)))
    return read(str(path), **more)


def test_parquet_csv_and_json_lines_say_the_same(given):
    pq.write_table(ROWS, given / "t.parquet")
    pyarrow.csv.write_csv(ROWS, given / "t.csv")
    lines = "\n".join(json.dumps(r) for r in ROWS.to_pylist())
    (given / "t.jsonl").write_text(lines)
    (given / "t.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    for name in ("t.parquet", "t.csv", "t.jsonl", "t.jsonl.gz"):
        assert reading(given / name).to_pylist() == ROWS.to_pylist(), name


def test_separators_byte_order_marks_and_ids_as_text(given):
    (given / "t.csv").write_bytes("\ufeffid;x\n007;1\n008;NA\n".encode())
    found = reading(given / "t.csv", texts=["id"])
    assert found.to_pylist() == [{"id": "007", "x": 1}, {"id": "008", "x": None}]


def test_a_type_told_too_early_is_told_again(given):
    rows = ["x,y"] + ["1,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] * 600_000 + ["1.5,b"]
    (given / "t.csv").write_text("\n".join(rows))
    assert reading(given / "t.csv").schema.field("x").type == pa.float64()


def test_folders_partitions_and_patterns(given):
    (given / "year=2024").mkdir()
    (given / "year=2025").mkdir()
    pq.write_table(ROWS, given / "year=2024" / "part.parquet")
    pq.write_table(
        ROWS.append_column("c", pa.array([1.5, 2.5, 3.5])), given / "year=2025/p.parquet"
    )
    (given / "_SUCCESS").write_text("x")
    found = reading(given)
    assert found["year"].to_pylist() == [2024] * 3 + [2025] * 3
    assert found["c"].to_pylist() == [None] * 3 + [1.5, 2.5, 3.5]
    assert reading(f"{given}/*/p.parquet").num_rows == 3
    assert reading(f"{given}/**/*.parquet").num_rows == 6
    assert read(f"file://{given}").num_rows == 6


def test_a_folder_of_csv_files(given):
    pyarrow.csv.write_csv(ROWS, given / "1.csv")
    pyarrow.csv.write_csv(pa.table({"a": [0.5], "b": ["z"]}), given / "2.csv")
    assert reading(given)["a"].to_pylist() == [1.0, 2.0, 3.0, 0.5]


def test_delta_reads_the_newest_version_only(given):
    write_deltalake(str(given / "t"), ROWS)
    write_deltalake(str(given / "t"), ROWS.slice(0, 1), mode="overwrite")
    assert reading(given / "t").to_pylist() == [{"a": 1, "b": "x"}]


def test_duckdb(given):
    with duckdb.connect(str(given / "w.db")) as made:
        made.sql(
            "create schema s; create table s.flights as select 1 as a; create table t as select 2 b"
        )
    address = f"duckdb://{given / 'w.db'}"
    assert reading(address, table="s.flights").to_pylist() == [{"a": 1}]
    assert reading(address).to_pylist() == [{"b": 2}]  # the only one outside s
    with pytest.raises(NotFound, match="did you mean 'flights'"):
        reading(address, table="s.flihgts")


def test_sqlite(given):
    with sqlite3.connect(given / "w.db") as made:
        made.execute("create table flights (a integer, at text)")
        made.execute("create table other (a integer)")
        made.execute("insert into flights values (1, '2024-01-01T00:00:00Z')")
    made.close()
    address = f"sqlite://{given / 'w.db'}"
    assert reading(address, table="flights").to_pylist() == [{"a": 1, "at": "2024-01-01T00:00:00Z"}]
    with pytest.raises(BadValue, match="say which one with --table; there are: flights, other"):
        reading(address)
    with pytest.raises(BadInput, match="no rows"):
        reading(address, table="other")


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_a_database_that_is_not_there_is_not_made(tmp_path, kind):
    with pytest.raises(NotFound, match="no file"):
        read(f"{kind}://{tmp_path / 'none.db'}", table="t")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named(monkeypatch):
    import ibis

    def connect(_address):
        raise ImportError("No module named 'psycopg'")

    monkeypatch.setattr(ibis, "connect", connect)
    with pytest.raises(MissingExtra, match=r"pip install 'ibis-framework\[postgres\]'"):
        read("postgres://me:secret@127.0.0.1:1/db", table="t")


def test_passwords_stay_out_of_messages(monkeypatch):
    import ibis

    def connect(address):
        raise RuntimeError(f"no route to {address}")

    monkeypatch.setattr(ibis, "connect", connect)
    with pytest.raises(BadInput) as raised:
        read("postgres://me:secret@127.0.0.1:1/db", table="t")
    assert "secret" not in str(raised.value)
    assert "no route" in str(raised.value)


def test_a_bucket_that_cannot_be_reached_is_said_soon(monkeypatch):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    start = time.monotonic()
    with pytest.raises(BadInput, match=r"check the address, the credentials and the network"):
        read("s3://bucket/table.parquet")
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b"  \n", "is empty"),
        ("t.csv", b"a,b\n", "holds no rows"),
        ("t.csv", b"\n1,2\n", "empty first line"),
        ("t.csv", b"a,a\n1,2\n", "'a' more than once"),
        ("t.csv", b"a,b\n1,2,3\n", "cannot be read"),
        ("t.csv", "a,b\n1,2\n".encode("utf-16"), "not UTF-8"),
        ("t.csv.gz", b"no gzip", "cannot be read"),
        ("t.parquet", b"no parquet", "cannot be read"),
        ("t.jsonl", b"{'a': 1}\n", "cannot be read"),
        ("t.jsonl", b'[{"a": 1}]\n', "one JSON list"),
        ("t.xlsx", b"PK", "of no kind"),
    ],
)
def test_bad_files(given, name, content, says):
    (given / name).write_bytes(content)
    with pytest.raises(BadInput, match=says):
        reading(given / name)


def test_bad_addresses(given):
    cases = {
        str(given / "none.parquet"): "no file",
        f"{given}/*.parquet": "no file matches",
        str(given): "holds no table",
        "foo://bar": "foo:// is no address",
        "http://example.com/x.csv": "http addresses cannot be read",
        " ": "is empty",
    }
    for path, says in cases.items():
        with pytest.raises(TidemillError, match=says.replace("*", r"\*")):
            read(path)
    (given / "a.csv").write_text("a\n1\n")
    (given / "b.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(BadInput, match="several kinds: csv, json"):
        read(str(given))
    with pytest.raises(BadValue, match="is no database"):
        read(str(given / "a.csv"), table="t")

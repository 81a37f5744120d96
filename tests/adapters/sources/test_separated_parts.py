"""A CSV file read by parts has the types and values of the file read whole, or both are refused."""

from __future__ import annotations

import gzip
import itertools

import pyarrow as pa
import pytest

from tidemill.adapters.sources import separated_parts
from tidemill.adapters.sources.separated import separated
from tidemill.adapters.sources.separated_parts import look_through
from tidemill.adapters.sources.text import opened
from tidemill.core.errors import BadInput

VALUES = ["1", "2.5", "", "NA", "nan", "true", "0", " true", "2024-01-02", "2024-01-02 03:04:05",
          "2024-01-02T03:04:05Z", "2024-01-02T03:04:05.5+01:00", "2024-01-02 03:04:05.123", "12:30",
          " 7 ", "1e400", "9223372036854775808", '"q,\nq"', "é"]  # fmt: skip


@pytest.fixture
def part(monkeypatch):
    monkeypatch.setattr(separated_parts, "PART", 64)


def by_parts(path, texts=()):
    found = look_through(path, texts)
    return pa.Table.from_batches(list(found.batches()), found.schema)


def test_types_are_those_of_the_whole_file_wherever_a_value_stands(part, tmp_path):
    path = tmp_path / "a.csv"
    for one, other in itertools.permutations(VALUES, 2):
        raw = "\n".join(["c,d", *[f"{one},1"] * 8, *[f"{other},1"] * 8]).encode()
        path.write_bytes(raw)
        whole, parts = separated(raw, "a.csv", ["d"]), by_parts(path, ["d"])
        assert parts.schema == whole.schema, (one, other)
        assert str(parts.to_pylist()) == str(whole.to_pylist()), (one, other)  # NaN is itself


def test_what_is_no_csv_is_refused_wherever_it_stands(part, tmp_path):
    path = tmp_path / "a.csv"
    good = b"a,b\n" + b"1,2\n" * 40
    for bad, words in ((b"1,2,3\n", "Expected 2 columns, got 3"), (b"1,\xff\n", "0xff in line 42"),
                       (b"1,\x00\n", "no text"), (b'1,"' + b"x" * 200, "cannot be read as CSV")):  # fmt: skip
        path.write_bytes(good + bad)
        with pytest.raises(BadInput, match=words):
            look_through(path, ())
    path.write_bytes(b"a,a\n1,2\n")
    with pytest.raises(BadInput, match=r"the column 'a' more than once"):
        look_through(path, ())


def test_texts_are_read_as_they_are_without_their_mark_and_unpacked(tmp_path):
    raw = "\ufeffa;b\r\n1;é\n".encode()
    for name, data in (("a.csv", raw), ("a.csv.gz", gzip.compress(raw))):
        (tmp_path / name).write_bytes(data)
        with opened(tmp_path / name) as text:
            assert text.read() == raw[3:]
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(raw * 9)[:-9])
    (tmp_path / "c.csv").write_bytes("a,b".encode("utf-16"))
    (tmp_path / "d.csv").write_bytes(b"a,\xc3")
    for name, words in (("b.csv.gz", "as gzip"), ("c.csv", "UTF-16"), ("d.csv", "0xc3 in line 1")):
        with pytest.raises(BadInput, match=words), opened(tmp_path / name) as text:
            text.read()

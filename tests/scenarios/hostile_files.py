"""Files that nobody should hand over, as strategies of Hypothesis: odd ones, and tables bent."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import hostile
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st


def _cells(table: pa.Table, mark: str) -> bytes:
    lines = [mark.join(table.column_names)]
    given = [[str(v)[:5_000] for v in _plain(c)] for c in table.columns]
    lines += [mark.join(row) for row in zip(*given, strict=True)]
    return "\n".join(lines).encode("utf-8", "replace")


def _plain(column: pa.ChunkedArray) -> list[Any]:
    """Return values of a column; those Python cannot hold as texts."""
    try:
        return column.to_pylist()
    except Exception:  # noqa: BLE001 - times that no calendar has
        return ["?"] * len(column)


def _lines(table: pa.Table) -> bytes:
    given = [_plain(c) for c in table.columns]
    found = [dict(zip(table.column_names, row, strict=True)) for row in zip(*given, strict=True)]
    return "\n".join(json.dumps(r, default=str) for r in found).encode()


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    try:
        pq.write_table(table, sink)
    except (pa.ArrowException, NotImplementedError):  # no Parquet of such a type
        pq.write_table(pa.table({"record_id": ["a"]}), sink)
    return sink.getvalue()


ODD_FILES = {
    "deep.jsonl": b'{"record_id": ' + b"[" * 50_000 + b"]" * 50_000 + b"}\n",
    "list.jsonl": b'[{"record_id": "a"}]',
    "twice.jsonl": b'{"record_id": "a", "record_id": "b", "at": "2024-01-01T00:00:00Z"}\n',
    "half.jsonl": b'{"record_id": "\\ud800", "at": "2024-01-01T00:00:00Z", "\\udfff": "\\ud800"}\n',
    "huge.jsonl": b'{"record_id": "a", "at": "2024-01-01T00:00:00Z", "x": ' + b"9" * 5_000 + b"}\n",
    "notes.jsonl": b'{"record_id": "a", "at": "2024-01-01T00:00:00Z", "x": NaN, "y": -Infinity}\n',
    "features.jsonl": b'{"record_id": "a", "at": "2024-01-01T00:00:00Z", "features": {"x": [1, {}]}, "tags": 3}\n',
    "mixed.jsonl": b'{"record_id": 1, "at": 5, "features": 1}\n{"record_id": "a", "features": {"at": 1}}\n',
    "wide.csv": (",".join(f"c{k}" for k in range(10_000)) + "\n" + "1," * 9_999 + "1\n").encode(),
    "utf16.csv": "record_id,at\na,2024-01-01T00:00:00Z\n".encode("utf-16"),
    "latin.csv": "record_id,at,name\na,2024-01-01T00:00:00Z,Jos\xe9\n".encode("latin-1"),
    "bom.csv": b"\xef\xbb\xbfrecord_id,at\na,2024-01-01T00:00:00Z\n",
    "nul.csv": b"record_id,at\na\x00,2024-01-01T00:00:00Z\n",
    "ragged.csv": b"record_id,at\na,2024-01-01T00:00:00Z,extra\nb\n",
    "quote.csv": b'record_id,at\n"a,2024-01-01T00:00:00Z\n',
    "twins.csv": b"record_id,at,x,x\na,2024-01-01T00:00:00Z,1,2\n",
    "nameless.csv": b",,\n1,2,3\n",
    "returns.csv": b"record_id,at,x\ra,2024-01-01T00:00:00Z,1\r",
    "one.csv": b"record_id",
    "no.parquet": b"PAR1" + b"\x00" * 40 + b"PAR1",
    "a.csv.gz": gzip.compress(b"record_id,at\na,2024-01-01T00:00:00Z\n")[:-9],
    "b.csv.gz": b"record_id,at\n",
    "c.xlsx": b"PK\x03\x04",
    "d.csv": b"",
    "\x1b[31mred.csv": b"record_id,at\na,\x1b[2J\n",
    "\udcff.csv": b"record_id,at\na,soon\n",
}


@st.composite
def files(draw: Any, meanings: tuple[str, ...]) -> tuple[str, bytes]:
    """A file's name and bytes: a table written down, then bent, cut or patched."""
    if draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(sorted(ODD_FILES.items())))
    table = draw(hostile.tables(meanings))
    kind = draw(st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.parquet", "a.csv.gz", "con.csv"]))
    if kind == "a.parquet":
        raw = _parquet(table)
    else:
        raw = _lines(table) if kind == "a.jsonl" else _cells(table, "\t" if "tsv" in kind else ",")
    for _ in range(draw(st.integers(0, 2))):
        raw = _bent(draw, raw)
    return kind, gzip.compress(raw) if kind.endswith(".gz") else raw


def _bent(draw: Any, raw: bytes) -> bytes:
    at = draw(st.integers(0, max(len(raw) - 1, 0)))
    how = draw(st.sampled_from(["cut", "patch", "repeat", "drop"]))
    patch = draw(
        st.sampled_from(
            [b"\x00", b"\xff", b"\xef\xbb\xbf", b'"', b"\n", b"\r", b",", b"{", b"\x1b[2J"]
        )
    )
    return {
        "cut": raw[:at],
        "patch": raw[:at] + patch + raw[at + 1 :],
        "repeat": raw[:at] + raw[max(at - 40, 0) :],
        "drop": raw[:at] + raw[at + 3 :],
    }[how]

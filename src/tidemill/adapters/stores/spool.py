"""The spool: what ``log`` and ``feedback`` acknowledged, until a turn takes it in.

A call appends one line to a file of its process, in one write: once it has returned, kill -9
of the process loses nothing. A batch is an Arrow file that appears whole. Turns adopt the
spools of dead processes; a file goes when it is taken in and its writer is gone.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import ipc

from tidemill.adapters.stores.files import write_whole
from tidemill.core.failpoints import failpoint
from tidemill.core.ports import Json, Parcel

FEATURE = "feature:"
_RECORDS: Json = {
    "model": "model",
    "unit": "unit",
    "output": "output",
    "score": "score",
    "latency_ms": "latency_ms",
    "payload": "payload",
    "tags_json": "tags",
    "prefix": FEATURE,
}
_FEEDBACK: Json = {"value": "value", "kind": "kind", "happened_at": "happened_at"}
_LABELS: Json = {"value": "label", "happened_at": "happened_at"}
_NEEDED = {
    "records": [*(v for k, v in _RECORDS.items() if k != "prefix"), "record_id", "predicted_at"],
    "feedback": ["record_id", *_FEEDBACK.values()],
    "labels": ["record_id", *_LABELS.values()],
}
_COLUMNS = {"records": _RECORDS, "feedback": _FEEDBACK, "labels": _LABELS}


class Spool:
    """A folder of acknowledged rows; safe to use from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._file: int | None = None
        self._pid = 0

    def write(self, table: str, row: Json) -> None:
        """Append one row; it is kept when this returns."""
        line = json.dumps({"table": table, "row": row}, default=str).encode() + b"\n"
        failpoint("spool.write.before")
        with self._lock:
            self._append(line)
        failpoint("spool.write.after")

    def write_batch(self, table: str, rows: pa.Table, columns: Json, source: str) -> None:
        """Keep a batch; it is there whole when this returns."""
        meta = {"table": table, "columns": columns, "source": source}
        sink = pa.BufferOutputStream()
        schema = rows.schema.with_metadata({b"tidemill": json.dumps(meta).encode()})
        with ipc.new_file(sink, schema) as file:
            file.write_table(rows.cast(schema))
        failpoint("spool.batch.before")
        write_whole(self._folder / f"{uuid.uuid4().hex}.arrow", sink.getvalue().to_pybytes())
        failpoint("spool.batch.after")

    def pending(self, done: Mapping[str, int]) -> list[Parcel]:
        if not self._folder.exists():
            return []
        parcels = []
        for path in sorted(self._folder.iterdir(), key=lambda p: (p.stat().st_mtime_ns, p.name)):
            if path.suffix == ".arrow" and path.stem not in done:
                parcels.append(_batch(path))
            elif path.suffix == ".jsonl":
                parcels += _lines(path, done)
        return parcels

    def discard(self, done: Mapping[str, int]) -> dict[str, int]:
        left = {}
        for writer, sequence in done.items():
            stem = writer.split(":")[0]
            batch, lines = self._folder / f"{stem}.arrow", self._folder / f"{stem}.jsonl"
            if batch.exists():
                _remove(batch)
            if lines.exists():
                if not _written_to(lines) and all(
                    done.get(w, 0) >= s for w, s in _ends(lines).items()
                ):
                    _remove(lines)
                else:
                    left[writer] = sequence
        return left

    def close(self) -> None:
        if self._file is not None and self._pid == os.getpid():
            os.close(self._file)
        self._file = None

    def _append(self, line: bytes) -> None:
        file = self._own()
        try:
            while line:
                line = line[os.write(file, line) :]
        except OSError:
            # The disk is full, say. What comes next must not stand behind a torn line.
            self.close()
            raise

    def _own(self) -> int:
        """Open this process's file; a fork gets one of its own."""
        if self._file is None or self._pid != os.getpid():
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"{uuid.uuid4().hex}.jsonl"
            self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_SH)
            self._pid = os.getpid()
        return self._file


def _remove(path: Path) -> None:
    failpoint("spool.discard.before")
    path.unlink()
    failpoint("spool.discard.after")


def _written_to(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _batch(path: Path) -> Parcel:
    with pa.OSFile(str(path), "rb") as source:
        rows = ipc.open_file(source).read_all()
    meta = json.loads(rows.schema.metadata[b"tidemill"])
    rows = rows.replace_schema_metadata(None)
    return Parcel(rows=rows, writer=path.stem, sequence=1, **meta)


def _lines(path: Path, done: Mapping[str, int]) -> list[Parcel]:
    parcels = []
    data = path.read_bytes()
    end = _end(path, data)
    for table, columns in _COLUMNS.items():
        writer = f"{path.stem}:{table}"
        start = max(done.get(writer, 0), 0)
        rows = [r for t, r in map(_parse, data[start:end].splitlines()) if t == table]
        if rows:
            parcels.append(
                Parcel(
                    table=table,
                    rows=_table(rows, _NEEDED[table]),
                    columns=columns,
                    writer=writer,
                    sequence=end,
                    source="log",
                )
            )
    return parcels


def _end(path: Path, data: bytes) -> int:
    """Return how far a file may be read: to its last whole line while it is written to."""
    return data.rfind(b"\n") + 1 if _written_to(path) else len(data)


def _ends(path: Path) -> dict[str, int]:
    """Return, for each table with rows in a file, where its last row ends."""
    data = path.read_bytes()
    ends, at = {}, 0
    for line in data[: _end(path, data)].splitlines(keepends=True):
        at += len(line)
        ends[f"{path.stem}:{_parse(line)[0]}"] = at
    return ends


def _parse(line: bytes) -> tuple[str, Json]:
    try:
        said = json.loads(line)
        table, row = said["table"], dict(said["row"])
    except (ValueError, KeyError, TypeError):
        table, row = "", {}
    if table in _COLUMNS:
        return table, row
    # A torn or foreign line: it becomes a record without a time, and so goes to the quarantine.
    return "records", {"raw": line.decode(errors="replace")}


def _table(rows: list[Json], needed: list[str]) -> pa.Table:
    flat = [_flat(r) for r in rows]
    names = list(dict.fromkeys([*needed, *(n for r in flat for n in r)]))
    return pa.table({n: _column([r.get(n) for r in flat]) for n in names})


def _flat(row: Json) -> Json:
    features = row.get("features") or {}
    flat = {k: v for k, v in row.items() if k not in ("features", "tags")}
    if row.get("tags"):
        flat["tags"] = json.dumps(row["tags"], sort_keys=True)
    return flat | {FEATURE + k: v for k, v in features.items()}


def _column(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
        # Of several types: as text; what does not fit its column's kind is set aside there.
        return pa.array([None if v is None else _text(v) for v in values], pa.string())


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair is no text

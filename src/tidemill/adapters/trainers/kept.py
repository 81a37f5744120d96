"""Results of jobs as bytes, and a folder that keeps them, so that a replay goes on where it was.

A result is JSON and Arrow around the bytes of a model: reading one unpickles nothing.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import struct
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import ipc

from tidemill.core.errors import Damaged
from tidemill.core.ports import JobResult

_PART = ".part-"
_STALE = 3600.0
"""Seconds after which a part that nobody finished counts as left behind."""


class Kept:
    """Finished results in a folder, each in a file with its own digest.

    What was trained with other packages is another result, so each set of installed packages
    has a folder of its own.

    Parameters
    ----------
    folder
        Where to keep them; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _environment()
        self._folder.mkdir(parents=True, exist_ok=True)
        old = time.time() - _STALE
        for part in self._folder.glob(f"{_PART}*"):
            if part.stat().st_mtime < old:
                part.unlink(missing_ok=True)

    def put(self, key: str, kind: str, result: JobResult) -> None:
        """Keep a result under its key: the whole of it, or nothing."""
        body = pack([kind.encode(), result_bytes(result)])
        path = self._path(key)
        part = path.with_name(f"{_PART}{os.getpid()}-{threading.get_ident()}-{path.name[:16]}")
        part.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        part.replace(path)

    def get(self, key: str) -> tuple[str, JobResult] | None:
        """Return kind and result; None when there is none.

        Raises
        ------
        Damaged
            If the file is not what was written.
        """
        try:
            data = self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        digest, _, body = data.partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            raise Damaged(
                f"the kept result {self._path(key)} does not match its digest.",
                fix="nothing: it is made again.",
            )
        kind, result = unpack(body)
        return bytes(kind).decode(), result_of(result)

    def has(self, key: str) -> bool:
        """Tell whether there is a file, whatever is in it."""
        return self._path(key).exists()

    def _path(self, key: str) -> Path:
        # Hashed, so that no key is a path.
        return self._folder / hashlib.sha256(key.encode()).hexdigest()


def _environment() -> str:
    """Hash what is installed: a model is only good for the packages that made it."""
    found = {f"{d.name}=={d.version}" for d in importlib.metadata.distributions()}
    told = [sys.version, platform.machine(), *sorted(found)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def result_bytes(result: JobResult) -> bytes:
    """Turn a result into bytes."""
    names = list(result.tables)
    said = {"ok": result.ok, "why": result.why, "facts": result.facts, "tables": names}
    head = json.dumps({**said, "model": result.model is not None})
    tables = [arrow_bytes(result.tables[name]) for name in names]
    return pack([head.encode(), result.model or b"", *tables])


def result_of(data: bytes | memoryview) -> JobResult:
    """Turn bytes into the result they were."""
    head, model, *tables = unpack(data)
    said = json.loads(bytes(head))
    return JobResult(
        ok=said["ok"],
        why=said["why"],
        model=bytes(model) if said["model"] else None,
        tables={n: table_of(t) for n, t in zip(said["tables"], tables, strict=True)},
        facts=said["facts"],
    )


def arrow_bytes(table: pa.Table) -> memoryview:
    """Turn a table into bytes; equal rows give equal bytes, however they were put together."""
    sink = pa.BufferOutputStream()
    whole = table.combine_chunks()
    with ipc.new_stream(sink, whole.schema) as stream:
        stream.write_table(whole)
    return memoryview(sink.getvalue())


def table_of(data: bytes | memoryview) -> pa.Table:
    """Turn bytes into the table they were."""
    return ipc.open_stream(pa.py_buffer(data)).read_all()


def pack(parts: Sequence[bytes | memoryview]) -> bytes:
    """Put parts into one, each after its length.

    Examples
    --------
    >>> [bytes(part) for part in unpack(pack([b"one", b"", b"two"]))]
    [b'one', b'', b'two']
    """
    return b"".join(piece for part in parts for piece in (struct.pack("<Q", len(part)), part))


def unpack(data: bytes | memoryview) -> list[memoryview]:
    """Take the parts apart again, without a copy."""
    view, at, parts = memoryview(data), 0, list[memoryview]()
    while at < len(view):
        (length,) = struct.unpack_from("<Q", view, at)
        parts.append(view[at + 8 : at + 8 + length])
        at += 8 + length
    return parts

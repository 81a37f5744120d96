"""What a job leaves behind for whoever turns next: there whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
from pathlib import Path

import pyarrow as pa
from pyarrow import ipc

from tidemill.core.errors import Unreachable
from tidemill.core.ports import JobResult

_ROOM = "room"
_RESERVED = 64 << 10
"""Bytes kept for a last word, should the disk be full when the job ends."""


def reserve(folder: Path) -> None:
    """Keep room in which a job can still say that it had none."""
    (folder / _ROOM).write_bytes(b"\0" * _RESERVED)


def write_result(folder: Path, result: JobResult) -> None:
    """Write a result: the folder ``out`` is there with everything in it, or not at all."""
    out = folder / "out"
    if out.exists():
        return
    try:
        _write(folder, result)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        (folder / _ROOM).unlink(missing_ok=True)
        size = len(result.model or b"") + sum(t.nbytes for t in result.tables.values())
        facts = {"lost": True, "full": size + _RESERVED}
        why = f"its result cannot be written: {error.strerror}"
        _write(folder, JobResult(ok=False, why=why, facts=facts))


def read_result(folder: Path) -> JobResult | None:
    """Read the result of a job; None when there is none.

    Raises
    ------
    Unreachable
        If there was no room for it, and there is none yet.
    """
    out = folder / "out"
    if not out.exists():
        return None
    try:
        said = json.loads((out / "result.json").read_text())
        model = out / "model.bin"
        result = JobResult(
            ok=said["ok"],
            why=said["why"],
            model=model.read_bytes() if model.exists() else None,
            tables={p.stem: read_arrow(p) for p in sorted(out.glob("*.arrow"))},
            facts=said["facts"],
        )
    except (OSError, ValueError, KeyError):
        # Torn, by a power cut for instance: as good as none.
        return JobResult(ok=False, why="its result cannot be read", facts={"lost": True})
    if shutil.disk_usage(folder).free < result.facts.get("full", 0):
        raise full(folder)
    return result


def full(folder: Path) -> Unreachable:
    """Return what to say when a job's folder cannot be written."""
    return Unreachable(
        f"no space is left for the job in {folder}.",
        fix="free some space and run the command again; nothing is lost.",
    )


def write_arrow(path: Path, table: pa.Table) -> None:
    """Write a table as an Arrow file."""
    with pa.OSFile(str(path), "wb") as sink, ipc.new_file(sink, table.schema) as file:
        file.write_table(table)


def read_arrow(path: Path) -> pa.Table:
    """Read a table written by :func:`write_arrow`."""
    with pa.OSFile(str(path), "rb") as source:
        return ipc.open_file(source).read_all()


def _write(folder: Path, result: JobResult) -> None:
    part = folder / "out.part"
    # A child that was killed may have left a part of its own.
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir()
        if result.model is not None:
            (part / "model.bin").write_bytes(result.model)
        for name, table in result.tables.items():
            write_arrow(part / f"{name}.arrow", table)
        said = {"ok": result.ok, "why": result.why, "facts": result.facts}
        (part / "result.json").write_text(json.dumps(said))
        part.rename(folder / "out")
    except OSError:
        with contextlib.suppress(OSError):
            shutil.rmtree(part)
        raise

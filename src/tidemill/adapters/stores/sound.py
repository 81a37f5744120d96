"""Whether the files that a Delta table lists are there, whole, and can be read to their end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from pyarrow import parquet

from tidemill.core.ports import Flaw

BACKUP = "restore the folder of the project, all of it, from a backup."


def unsound(folder: Path, delta: DeltaTable | None) -> Iterator[Flaw]:
    """Tell of each file of a table in a folder that is missing, torn or damaged.

    Every page is unpacked, so what the compression notices is found; Parquet as it is written
    here carries no check sum of values.
    """
    if delta is None:
        return
    files = pa.table(delta.get_add_actions(flatten=True))
    for name, size in zip(files["path"].to_pylist(), files["size_bytes"].to_pylist(), strict=True):
        why = _why_not(folder / name, size)
        if why is not None:
            yield Flaw(what=f"{folder / name} {why}.", fix=BACKUP)


def _why_not(path: Path, size: int) -> str | None:
    """Say what is wrong with a file; None where nothing is."""
    if not path.exists():
        return "is missing"
    if path.stat().st_size != size:
        return f"holds {path.stat().st_size:,} bytes, not {size:,}"
    try:
        with parquet.ParquetFile(path) as file:
            for _ in file.iter_batches():
                pass
    except (pa.ArrowException, OSError, ValueError) as error:
        return "cannot be read: " + " ".join(str(error).split())[:200].rstrip(".")
    return None

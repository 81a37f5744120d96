"""Parquet files here on this machine, found without being read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from tidemill.core.errors import BadInput, NotFound

_ENDINGS = (".parquet", ".pq")
_PATTERN = "*?["


@dataclass(frozen=True)
class ParquetFiles:
    """The files of one table.

    Parameters
    ----------
    paths
        Where they are, at least one.
    hive
        Whether folders such as ``day=2024-01-01`` below the table are columns.
    """

    paths: tuple[str, ...]
    hive: bool = False


def parquet_files(path: str) -> ParquetFiles | None:
    """List the Parquet files that a path stands for, as `addresses.read` would read them.

    Parameters
    ----------
    path
        A file, a folder, a pattern, or a Delta table.

    Returns
    -------
    ParquetFiles or None
        None where it stands for anything else, such as CSV, a bucket or a database: then it
        must be read.

    Raises
    ------
    NotFound
        If there is no such file.
    BadInput
        If it is empty.
    """
    if "://" in path or not path.strip():
        return None
    here = Path(path).expanduser()
    if here.is_file():
        if not here.name.lower().endswith(_ENDINGS):
            return None
        if not here.stat().st_size:
            raise BadInput(f"{path} is empty.", fix="export it again.")
        return ParquetFiles((str(here),))
    if (here / "_delta_log").is_dir():
        return _delta(here)
    if not here.is_dir() and not any(mark in path for mark in _PATTERN):
        raise NotFound(f"there is no file {path}.", fix="check the path.")
    return _several(path, here)


def _several(path: str, here: Path) -> ParquetFiles | None:
    from tidemill.adapters.sources.files import list_files

    kinds, files = list_files(path)
    if kinds != {"parquet"}:
        return None
    base = str(here) if here.is_dir() else ""
    return ParquetFiles(tuple(files), hive=any("=" in f.removeprefix(base) for f in files))


def _delta(here: Path) -> ParquetFiles | None:
    """List the files of the newest version, if they hold its rows as they are."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        table = DeltaTable(here)
        if table.protocol().min_reader_version > 1:
            return None  # deleted rows or renamed columns stand elsewhere
        files = [unquote(f.removeprefix("file://")) for f in table.file_uris()]
    except DeltaError as error:
        said = " ".join(str(error).split())[:300].rstrip(".")
        raise BadInput(f"{here} cannot be read: {said}.", fix="check the table.") from None
    if not files:
        raise BadInput(f"{here} holds no rows.", fix="give a table with rows.")
    return ParquetFiles(tuple(sorted(files)), hive=bool(table.metadata().partition_columns))

"""Files and folders, here or in a bucket: Parquet, CSV, JSON lines, Delta."""

from __future__ import annotations

import fnmatch
import gzip
import os
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.json
from pyarrow import fs

from tidemill.adapters.sources.addresses import REMOTE
from tidemill.adapters.sources.separated import BLOCK, separated
from tidemill.core.errors import BadInput, NotFound, TidemillError

_PATTERN = "*?["
_DEEPEST = 100
_QUOTED = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_KINDS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
}
_ENDINGS = ".parquet, .csv, .tsv or .jsonl file (.csv.gz and .jsonl.gz too)"


def read_files(path: str, texts: Sequence[str]) -> pa.Table:
    """Read a file, a folder, a pattern of files or a Delta table."""
    rows = open_files(path, texts)
    if isinstance(rows, pa.Table):
        return rows
    try:
        return rows.to_table()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _failed(path, error) from None


def open_files(path: str, texts: Sequence[str]) -> pa.Table | pyarrow.dataset.Dataset:
    """Open the same: Parquet and Delta as what can be asked for some columns and rows."""
    try:
        where, base = _filesystem(path)
        if _has(where, f"{base.rstrip('/')}/_delta_log"):
            return _delta(path)
        files = _files(where, base, path)
        return _rows(where, files, base, texts)
    except TidemillError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _failed(path, error) from None


def list_files(path: str) -> tuple[set[str | None], list[str]]:
    """List the files a path stands for, and of which kinds they are, without reading them.

    Raises
    ------
    NotFound
        If there is none.
    BadInput
        If they are empty, or a folder holds none of a kind that can be read.
    """
    where, base = _filesystem(path)
    files = _files(where, base, path)
    return {_kind(f) for f in files}, files


def _filesystem(path: str) -> tuple[fs.FileSystem, str]:
    scheme, mark, rest = path.partition("://")
    if not mark:
        return fs.LocalFileSystem(), str(Path(path).expanduser())
    if scheme.lower() != "s3":
        return fs.FileSystem.from_uri(path)
    # Someone waits for an answer: a bucket that cannot be reached is said within seconds.
    bucket = fs.S3FileSystem(
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
        connect_timeout=5,
        request_timeout=60,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=2),
    )
    return bucket, rest


def _has(where: fs.FileSystem, folder: str) -> bool:
    if any(mark in folder for mark in _PATTERN) and not isinstance(where, fs.LocalFileSystem):
        return False
    return where.get_file_info(folder).type == fs.FileType.Directory


def _files(where: fs.FileSystem, base: str, path: str) -> list[str]:
    """List the files that a path stands for, in order of their names."""
    info = where.get_file_info(base)
    if info.type == fs.FileType.File:
        if info.size == 0:
            raise BadInput(f"{path} is empty.", fix="export it again.")
        return [base]
    pattern = ""
    if info.type == fs.FileType.NotFound:
        if not any(mark in base for mark in _PATTERN):
            raise NotFound(f"there is no file {path}.", fix="check the path.")
        fixed = next(k for k, p in enumerate(base.split("/")) if any(m in p for m in _PATTERN))
        pattern, base = base, "/".join(base.split("/")[:fixed])
    selector = fs.FileSelector(base or ".", recursive=True, allow_not_found=True)
    found = [
        f.path
        for f in where.get_file_info(selector)
        if f.type == fs.FileType.File and f.size and not _hidden(f.path, base)
    ]
    if pattern:
        found = [f for f in found if _matches(f, pattern)]
        if not found:
            raise NotFound(f"no file matches {path}.", fix="check the pattern.")
    found = sorted(f for f in found if pattern or _kind(f))
    if not found:
        raise BadInput(f"{path} holds no table.", fix=f"give a folder with a {_ENDINGS}.")
    return found


def _hidden(file: str, base: str) -> bool:
    """Tell files that engines write beside the data, such as _SUCCESS."""
    inside = file.removeprefix(base).split("/")
    return any(part.startswith(("_", ".")) and "=" not in part for part in inside if part != ".")


def _matches(file: str, pattern: str) -> bool:
    """Match part by part, so that * stays within a folder and ** spans several.

    Examples
    --------
    >>> _matches("a/b/c.csv", "a/*.csv"), _matches("a/b/c.csv", "a/**/*.csv")
    (False, True)
    """
    return _parts_match(_parts(file), _parts(pattern))


def _parts(path: str) -> tuple[str, ...]:
    return tuple(p for p in path.split("/") if p not in ("", "."))


def _parts_match(parts: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(_parts_match(parts[k:], wanted[1:]) for k in range(len(parts) + 1))
    if not parts or not fnmatch.fnmatchcase(parts[0], wanted[0]):
        return False
    return _parts_match(parts[1:], wanted[1:])


def _kind(file: str) -> str | None:
    return _KINDS.get(PurePosixPath(file.removesuffix(".gz")).suffix.lower())


def _rows(
    where: fs.FileSystem, files: list[str], base: str, texts: Sequence[str]
) -> pa.Table | pyarrow.dataset.Dataset:
    kinds = {_kind(f) for f in files}
    if len(kinds) > 1:
        listed = ", ".join(sorted(str(k or "other") for k in kinds))
        raise BadInput(
            f"{base} holds files of several kinds: {listed}.",
            fix="choose some with a pattern, such as folder/*.parquet.",
        )
    kind = kinds.pop()
    if kind is None:
        raise BadInput(f"{files[0]} is of no kind that can be read.", fix=f"give a {_ENDINGS}.")
    if kind == "parquet":
        return _parquet(where, files, base)
    reader: Callable[[bytes, str, Sequence[str]], pa.Table] = _csv if kind == "csv" else _json
    tables = [reader(_text(where, f), f, texts) for f in files]
    if len(tables) == 1:
        return tables[0]
    return pa.concat_tables(tables, promote_options="permissive")


def _parquet(where: fs.FileSystem, files: list[str], base: str) -> pyarrow.dataset.Dataset:
    folder = base if len(files) > 1 or files[0] != base else None
    dataset = pyarrow.dataset.dataset(
        files,
        filesystem=where,
        format="parquet",
        partitioning="hive",
        **({"partition_base_dir": folder} if folder else {}),
    )
    if len(files) > 1:  # a column may have come, or become wider, in later files
        schemas = [dataset.schema, *(f.physical_schema for f in dataset.get_fragments())]
        dataset = dataset.replace_schema(pa.unify_schemas(schemas, promote_options="permissive"))
    return dataset


def _text(where: fs.FileSystem, file: str) -> bytes:
    with where.open_input_stream(file, compression=None) as stream:
        raw = stream.read()
    try:
        raw = gzip.decompress(raw) if file.endswith(".gz") else raw
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _failed(file, error) from None
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in raw:
        raise BadInput(f"{file} is not UTF-8 text.", fix="convert it, for example with iconv.")
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if not raw.strip():
        raise BadInput(f"{file} is empty.", fix="export it again.")
    return raw


def _csv(raw: bytes, file: str, texts: Sequence[str]) -> pa.Table:
    try:
        return separated(raw, file, texts)
    except pa.ArrowException as error:
        raise _failed(file, error) from None


def _json(raw: bytes, file: str, texts: Sequence[str]) -> pa.Table:
    if raw.lstrip().startswith(b"["):
        raise BadInput(f"{file} is one JSON list.", fix="write one object on each line.")
    if _depth(raw) > _DEEPEST:  # Arrow would overflow the stack, and the process with it
        raise BadInput(f"{file} is nested more than {_DEEPEST} deep.", fix="write plain values.")
    blocks = (BLOCK, min(len(raw) + 1, 2**31 - 1))
    for block in blocks:
        try:
            return pyarrow.json.read_json(
                pa.BufferReader(raw), read_options=pyarrow.json.ReadOptions(block_size=block)
            )
        except pa.ArrowException as error:
            if block == blocks[-1]:
                raise _failed(file, error) from None
    raise AssertionError  # pragma: no cover - the loop ends in return or raise


def _depth(raw: bytes) -> int:
    """Say how deep the lists and objects of a JSON text lie in one another."""
    marks = np.frombuffer(_QUOTED.sub(b"", raw).translate(None, _NO_BRACKETS), np.uint8)
    opens = np.isin(marks, np.frombuffer(b"[{", np.uint8))
    depth = np.cumsum(np.where(opens, 1, -1))
    # What closes more than was opened hides nothing: Arrow reads blocks one by one.
    lowest = np.minimum.accumulate(np.minimum(depth, 0))
    return int((depth - lowest).max(initial=0))


def _delta(path: str) -> pyarrow.dataset.Dataset:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        return DeltaTable(path).to_pyarrow_dataset()
    except DeltaError as error:
        raise _failed(path, error) from None


def _failed(path: str, error: Exception) -> BadInput:
    said = " ".join(str(error).split())[:300].rstrip(".")
    remote = path.partition("://")[0].lower() in REMOTE
    fix = "check the address, the credentials and the network." if remote else "export it again."
    return BadInput(f"{path} cannot be read: {said}.", fix=fix)

"""Content-addressed files: models, dataset manifests, report cards, strategies."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from tidemill.core.errors import BadValue, Damaged, NotFound, Unreachable
from tidemill.core.failpoints import failpoint
from tidemill.core.ports import Flaw

PART = ".part-"
"""How the name of a file begins that is not whole yet."""
_ABANDONED = timedelta(days=1)
_NAME = re.compile(r"[a-z]+")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class FileBlobs:
    """Bytes below a folder, named by their sha256; written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, kind: str, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(kind, digest)
        if not path.exists() or path.read_bytes() != data:
            failpoint(f"blobs.{kind}.before")
            try:
                write_whole(path, data)
            except OSError as error:
                raise Unreachable(
                    f"nothing can be written to {path.parent}: {error.strerror or error}.",
                    fix="free some space or mend the permissions, and run it again; nothing is lost.",
                ) from error
            failpoint(f"blobs.{kind}.after")
        return digest

    def get(self, kind: str, digest: str) -> bytes:
        path = self._path(kind, digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise NotFound(
                f"the {kind} {digest[:12]} is not in {path.parent}.",
                fix="restore the file from a backup.",
            ) from None
        if hashlib.sha256(data).hexdigest() != digest:
            raise Damaged(
                f"{path} does not match its digest: it was changed or is torn.",
                fix="restore the file from a backup.",
            )
        return data

    def digests(self, kind: str) -> list[str]:
        check_name(kind)
        folder = self._folder / kind
        if not folder.exists():
            return []
        return sorted(p.name for p in folder.iterdir() if _DIGEST.fullmatch(p.name))

    def drop(self, kind: str, digest: str) -> None:
        path = self._path(kind, digest)
        failpoint("blobs.drop.before")
        path.unlink(missing_ok=True)
        failpoint("blobs.drop.after")

    def flaws(self) -> list[Flaw]:
        """Tell of files that a killed process left unfinished; nobody reads them."""
        return leftovers(self._folder)

    def _path(self, kind: str, digest: str) -> Path:
        check_name(kind, digest)
        return self._folder / kind / digest


def check_name(kind: str, digest: str | None = None) -> None:
    """Refuse what names no blob, before it becomes a path."""
    if not _NAME.fullmatch(kind) or not (digest is None or _DIGEST.fullmatch(digest)):
        raise BadValue(f"{kind!r}, {digest!r} names no blob.", fix="give a sha256 digest.")


def leftovers(folder: Path, *, older: timedelta = _ABANDONED) -> list[Flaw]:
    """Find unfinished files below a folder that no living process can still be writing.

    Parameters
    ----------
    older
        How long nothing was written to them, at least.
    """
    until = time.time() - older.total_seconds()
    parts = [p for p in folder.rglob(f"{PART}*") if p.is_file() and p.stat().st_mtime < until]
    if not parts:
        return []

    def mend() -> None:
        for part in parts:
            part.unlink(missing_ok=True)

    size = sum(p.stat().st_size for p in parts)
    return [
        Flaw(
            what=f"{len(parts):,} unfinished files of killed processes, {size:,} bytes, are in {folder}.",
            fix="tidemill check --repair removes them.",
            mend=mend,
        )
    ]


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, even after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=PART)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

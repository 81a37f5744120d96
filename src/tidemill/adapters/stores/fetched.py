"""Files of a bucket, fetched to this machine once: a turn asks many questions about each.

Files of a table never change and their names are never used again, so a copy is as good as the
file. The oldest copies go when there are too many; they are fetched again when they are asked for.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tidemill.adapters.stores.places import Bucket
from tidemill.core.errors import Damaged

_TOGETHER = 8
_YOUNG = 3600.0
"""Seconds after its last use before which a copy is not removed: somebody may be reading it."""


class Fetched:
    """Copies of the files below a prefix, in a folder.

    Parameters
    ----------
    place
        Where the files lie.
    folder
        Where the copies go; to remove it costs time and loses nothing.
    limit
        Bytes of copies to keep.
    """

    def __init__(self, place: Bucket, folder: Path, *, limit: int = 20 << 30) -> None:
        self._place = place
        self._folder = folder
        self._limit = limit

    def __call__(self, files: Sequence[str]) -> tuple[str, ...]:
        """Return the copies of some files, in the same order.

        Raises
        ------
        Unreachable
            If one cannot be fetched.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        wanted = {file: self._folder / _name(file) for file in files}
        missing = [file for file, copy in wanted.items() if not _touched(copy)]
        with ThreadPoolExecutor(_TOGETHER) as pool:
            list(pool.map(lambda file: self._fetch(file, wanted[file]), missing))
        if missing:
            self._tidy()
        return tuple(str(wanted[file]) for file in files)

    def clear(self) -> None:
        """Remove all copies, whoever may be reading them."""
        for copy in self._folder.iterdir() if self._folder.exists() else ():
            copy.unlink(missing_ok=True)

    def _fetch(self, file: str, copy: Path) -> None:
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=".part-")
        try:
            with os.fdopen(handle, "wb") as to:
                self._place.copy(file.removeprefix(f"s3://{self._place.path}/"), to)
            Path(name).replace(copy)
        except BaseException as error:
            Path(name).unlink(missing_ok=True)
            if isinstance(error, FileNotFoundError):
                raise Damaged(
                    f"the file {file} of a table is not there any more.",
                    fix="restore it from a backup, or ask again: the table may have been tidied.",
                ) from None
            raise

    def _tidy(self) -> None:
        """Remove the copies that were not asked for longest, beyond the limit."""
        found = [(f.stat().st_mtime, f.stat().st_size, f) for f in self._folder.iterdir()]
        over, old = sum(size for _, size, _ in found) - self._limit, time.time() - _YOUNG
        for at, size, file in sorted(found):
            if over <= 0 or at > old:
                return
            file.unlink(missing_ok=True)
            over -= size


def _name(file: str) -> str:
    return hashlib.sha256(file.encode()).hexdigest()[:40] + ".parquet"


def _touched(copy: Path) -> bool:
    """Say that a copy was asked for; False when there is none."""
    try:
        os.utime(copy)
    except FileNotFoundError:
        return False
    return True

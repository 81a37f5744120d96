"""Blobs in a bucket, named by their sha256: written whole by one request, checked when read."""

from __future__ import annotations

import hashlib
import re

from pyarrow import fs

from tidemill.adapters.stores.files import check_name
from tidemill.adapters.stores.places import Bucket
from tidemill.core.errors import Damaged, NotFound
from tidemill.core.failpoints import failpoint

_DIGEST = re.compile(r"[0-9a-f]{64}")


class BucketBlobs:
    """Bytes below a prefix, named by their digest: to put them twice is to put them once.

    Parameters
    ----------
    place
        The prefix; another machine that opens the same one sees the same blobs.
    """

    def __init__(self, place: Bucket) -> None:
        self._place = place

    def put(self, kind: str, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(kind, digest)
        try:
            if self._read(path) != data:
                failpoint(f"blobs.{kind}.before")
                with self._place.files.open_output_stream(path) as stream:
                    stream.write(data)
                failpoint(f"blobs.{kind}.after")
        except OSError as error:
            raise self._place.failed(error) from error
        return digest

    def get(self, kind: str, digest: str) -> bytes:
        path = self._path(kind, digest)
        try:
            data = self._read(path)
        except OSError as error:
            raise self._place.failed(error) from error
        if data is None:
            raise NotFound(
                f"the {kind} {digest[:12]} is not in {self._place.url}.",
                fix="restore the object from a backup.",
            )
        if hashlib.sha256(data).hexdigest() != digest:
            raise Damaged(
                f"s3://{path} does not match its digest: it was changed or is torn.",
                fix="restore the object from a backup.",
            )
        return data

    def digests(self, kind: str) -> list[str]:
        check_name(kind)
        below = fs.FileSelector(f"{self._place.path}/{kind}", allow_not_found=True)
        try:
            found = self._place.files.get_file_info(below)
        except OSError as error:
            raise self._place.failed(error) from error
        return sorted(f.base_name for f in found if _DIGEST.fullmatch(f.base_name))

    def _read(self, path: str) -> bytes | None:
        try:
            with self._place.files.open_input_file(path) as file:
                return file.read()
        except FileNotFoundError:
            return None

    def _path(self, kind: str, digest: str) -> str:
        check_name(kind, digest)
        return f"{self._place.path}/{kind}/{digest}"

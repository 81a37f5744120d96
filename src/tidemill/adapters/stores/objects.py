"""Blobs in a bucket, named by their sha256: written whole by one request, checked when read."""

from __future__ import annotations

import hashlib
import re

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
        name = _name(kind, digest)
        if self._place.get(name) != data:
            failpoint(f"blobs.{kind}.before")
            self._place.put(name, data)
            failpoint(f"blobs.{kind}.after")
        return digest

    def get(self, kind: str, digest: str) -> bytes:
        data = self._place.get(_name(kind, digest))
        if data is None:
            raise NotFound(
                f"the {kind} {digest[:12]} is not in {self._place.url}.",
                fix="restore the object from a backup.",
            )
        if hashlib.sha256(data).hexdigest() != digest:
            raise Damaged(
                f"{self._place.url}/{kind}/{digest} does not match its digest: it was changed or is "
                "torn.",
                fix="restore the object from a backup.",
            )
        return data

    def digests(self, kind: str) -> list[str]:
        check_name(kind)
        names = (name.rpartition("/")[2] for name in self._place.names(f"{kind}/"))
        return sorted(name for name in names if _DIGEST.fullmatch(name))

    def drop(self, kind: str, digest: str) -> None:
        name = _name(kind, digest)
        failpoint("blobs.drop.before")
        self._place.delete(name)
        failpoint("blobs.drop.after")


def _name(kind: str, digest: str) -> str:
    check_name(kind, digest)
    return f"{kind}/{digest}"

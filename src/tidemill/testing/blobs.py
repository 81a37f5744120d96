"""The promises of a store of blobs; run them on your own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tidemill.core.errors import BadValue, Damaged, NotFound
from tidemill.core.ports import BlobStore
from tidemill.testing.bench import Bench, hold, refused


def check_blob_store(
    make: Callable[[Path], BlobStore],
    *,
    lasting: bool = True,
    damage: Callable[[Any, Path, str, str], None] | None = None,
) -> None:
    """Hold a store of blobs against every promise of its port."""
    hold(BLOBS, lambda at: Bench(make=make, folder=at, lasting=lasting, damage=damage))


def bytes_come_back(bench: Bench[BlobStore]) -> None:
    """Bytes are kept under their sha256, once, also after opening again."""
    blobs = bench.open()
    texts = [b"", b"model", bytes(range(256)) * 5000]
    digests = [blobs.put("model", t) for t in texts]
    assert digests == [hashlib.sha256(t).hexdigest() for t in texts]
    assert blobs.put("model", b"model") == digests[1]
    if bench.lasting:
        blobs = bench.open()
    assert [blobs.get("model", d) for d in digests] == texts
    assert blobs.digests("model") == sorted(digests)
    assert blobs.digests("other") == []


def an_unknown_blob_is_not_found(bench: Bench[BlobStore]) -> None:
    """A digest nobody put, or one of another kind, is not found."""
    blobs = bench.open()
    refused(NotFound, lambda: blobs.get("model", "0" * 64))
    digest = blobs.put("model", b"model")
    refused(NotFound, lambda: blobs.get("card", digest))


def a_name_is_no_path(bench: Bench[BlobStore]) -> None:
    """What is not a kind and a digest is refused before it becomes a path."""
    blobs = bench.open()
    digest = blobs.put("model", b"model")
    for kind in ("../model", "model/..", "/model", "", ".", "Model", "a b"):
        refused(BadValue, lambda k=kind: blobs.put(k, b"x"))
        refused(BadValue, lambda k=kind: blobs.get(k, digest))
        refused(BadValue, lambda k=kind: blobs.digests(k))
    for name in ("", "../../state.db", digest[:-1], digest.upper() + "/", digest + "\n"):
        refused(BadValue, lambda d=name: blobs.get("model", d))


def a_flipped_bit_is_noticed(bench: Bench[BlobStore]) -> None:
    """Bytes that do not match their digest are never returned; putting them again mends it."""
    if bench.damage is None:
        return
    blobs = bench.open()
    digest = blobs.put("model", b"model")
    bench.damage(blobs, bench.folder, "model", digest)
    refused(Damaged, lambda: blobs.get("model", digest))
    assert blobs.put("model", b"model") == digest
    assert blobs.get("model", digest) == b"model"


def a_dropped_blob_is_gone(bench: Bench[BlobStore]) -> None:
    """What was dropped is not found and can be put again; to drop it twice is to drop it once."""
    blobs = bench.open()
    digest, other = blobs.put("model", b"model"), blobs.put("model", b"other")
    blobs.drop("model", digest)
    blobs.drop("model", digest)
    refused(NotFound, lambda: blobs.get("model", digest))
    assert blobs.digests("model") == [other]
    assert blobs.put("model", b"model") == digest
    assert blobs.get("model", digest) == b"model"


BLOBS: tuple[Callable[[Bench[BlobStore]], None], ...] = (
    bytes_come_back,
    an_unknown_blob_is_not_found,
    a_name_is_no_path,
    a_flipped_bit_is_noticed,
    a_dropped_blob_is_gone,
)
"""The promises of a store of blobs."""

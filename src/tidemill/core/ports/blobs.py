"""Bytes by name: blobs that are checked by their content, and objects that others see too."""

from __future__ import annotations

from typing import Protocol


class BlobStore(Protocol):
    """Immutable bytes by name; a content-addressed name is checked on every read."""

    def put(self, kind: str, data: bytes) -> str:
        """Keep bytes under their sha256; returns it."""
        ...

    def get(self, kind: str, digest: str) -> bytes:
        """Read bytes and check them; ``Damaged`` when they do not match."""
        ...

    def digests(self, kind: str) -> list[str]: ...

    def drop(self, kind: str, digest: str) -> None:
        """Remove bytes; what is not there is removed already."""
        ...


class Objects(Protocol):
    """Bytes by name in a place that other machines see too, each written whole."""

    def put(self, name: str, data: bytes) -> None: ...

    def get(self, name: str) -> bytes | None:
        """Read an object; None when there is none."""
        ...

    def delete(self, name: str) -> None: ...

    def names(self, prefix: str) -> list[str]: ...

"""Where tables and blobs lie, when not in a folder: a prefix in a bucket that speaks S3.

Keys come from where S3 clients always find them (``AWS_ACCESS_KEY_ID`` and its companions, profiles,
the machine's role); none is ever printed.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, BinaryIO

from tidemill.core.errors import BadValue, MissingExtra, TidemillError, Unreachable

_URL = re.compile(r"s3a?://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>.*))?")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST = 300
ATTEMPTS = 6
"""How often a request is tried, unless a bucket is told otherwise."""


@dataclass(frozen=True)
class Bucket:
    """A prefix in a bucket, and how to reach it.

    Parameters
    ----------
    url
        Such as ``s3://bucket/prefix``.
    endpoint
        Of a server that is not AWS's, such as ``http://minio:9000``; else what
        ``AWS_ENDPOINT_URL_S3`` or ``AWS_ENDPOINT_URL`` says.
    region
        Else ``AWS_REGION`` or ``AWS_DEFAULT_REGION``, else us-east-1.
    attempts
        How often a request that failed is tried, with growing pauses.
    seconds
        How long a request may take.

    Examples
    --------
    >>> place = Bucket("s3://data/mill/")
    >>> place.path, (place / "records").url
    ('data/mill', 's3://data/mill/records')
    """

    url: str
    endpoint: str | None = None
    region: str | None = None
    attempts: int = field(default_factory=lambda: ATTEMPTS, kw_only=True)
    seconds: float = field(default=60.0, kw_only=True)

    def __post_init__(self) -> None:
        if not _URL.fullmatch(self.url):
            raise BadValue(
                f"{self.url!r} is no place in a bucket.", fix="write it like s3://bucket/prefix."
            )

    def __truediv__(self, name: str) -> Bucket:
        url = f"s3://{self.path}/{name}"
        more = {"attempts": self.attempts, "seconds": self.seconds}
        return Bucket(url, self.endpoint, self.region, **more)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return self.url

    @property
    def path(self) -> str:
        """Return bucket and prefix, without the slash at the end."""
        return self.url.partition("://")[2].rstrip("/")

    @property
    def _endpoint(self) -> str | None:
        env = os.environ.get
        return self.endpoint or env("AWS_ENDPOINT_URL_S3") or env("AWS_ENDPOINT_URL")

    @property
    def _region(self) -> str:
        env = os.environ.get
        return self.region or env("AWS_REGION") or env("AWS_DEFAULT_REGION") or "us-east-1"

    def put(self, name: str, data: bytes) -> None:
        """Write an object whole; to write it again is to write it once."""
        with self._told():
            self.objects.put(name, data)

    def get(self, name: str) -> bytes | None:
        """Read an object; None when there is none."""
        try:
            with self._told():
                return bytes(self.objects.get(name).bytes())
        except FileNotFoundError:
            return None

    def delete(self, name: str) -> None:
        """Remove an object; one that is not there is removed already."""
        with suppress(FileNotFoundError), self._told():
            self.objects.delete(name)

    def names(self, prefix: str) -> list[str]:
        """List the objects below a prefix that ends with a slash."""
        with self._told():
            return [str(one["path"]) for part in self.objects.list(prefix) for one in part]

    def copy(self, name: str, to: BinaryIO) -> None:
        """Copy an object into a file, all of it."""
        with self._told():
            found = self.objects.get(name)
            to.writelines(found.stream(min_chunk_size=4 << 20))
            if to.tell() != found.meta["size"]:
                raise EOFError(f"{name} ended after {to.tell()} of {found.meta['size']} bytes")

    @contextmanager
    def _told(self) -> Generator[None, None, None]:
        """Say as an error of ours what the store could not do."""
        try:
            yield
        except TidemillError:
            raise
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise self.failed(error) from error
            raise
        except Exception as error:
            raise self.failed(error) from error

    @cached_property
    def objects(self) -> Any:
        """Return the prefix as a store of objects.

        Arrow's own client is not used: it does not try again when a read is answered with 503.

        Raises
        ------
        MissingExtra
            If obstore is not installed.
        """
        try:
            stores = importlib.import_module("obstore.store")
        except ImportError:
            raise MissingExtra(
                "a bucket needs obstore.", fix="pip install 'tidemill[s3]'."
            ) from None
        bucket, _, prefix = self.path.partition("/")
        more = {} if self._endpoint is None else {"endpoint": self._endpoint}
        return stores.S3Store(
            bucket,
            prefix=prefix or None,
            region=self._region,
            client_options={
                "connect_timeout": timedelta(seconds=10),
                "timeout": timedelta(seconds=self.seconds),
                "allow_http": (self._endpoint or "").startswith("http://"),
            },
            retry_config={
                "max_retries": self.attempts - 1,
                "retry_timeout": timedelta(seconds=3 * self.seconds),
            },
            **more,
        )

    @property
    def delta(self) -> dict[str, str]:
        """Return the options of deltalake: a commit is written only if nobody was first."""
        options = {
            "aws_region": self._region,
            "conditional_put": "etag",
            "connect_timeout": "10s",
            "timeout": f"{self.seconds:g}s",
            "max_retries": str(self.attempts - 1),
            "retry_timeout": f"{3 * self.seconds:g}s",
        }
        if self._endpoint is not None:
            options["aws_endpoint"] = self._endpoint
            options["allow_http"] = str(self._endpoint.startswith("http://")).lower()
        return options

    def failed(self, error: Exception) -> TidemillError:
        """Return what an error of a client means to a person; no client prints keys."""
        whole = str(error)
        text = _COLOUR.sub("", whole).partition("Debug source")[0]
        said = " ".join(text.replace("↳", " ").split())[:_LONGEST]
        what = f"{self.url} cannot be used: {said.rstrip('.')}."
        if re.search(r"NoSuchBucket|NO_SUCH_BUCKET|404 Not Found", whole):
            return Unreachable(what, fix="create the bucket, or mend url in [events].")
        if re.search(r"\b403\b|ACCESS_DENIED|AccessDenied|InvalidAccessKey|credential", whole):
            return Unreachable(
                what, fix="check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they may do."
            )
        return Unreachable(
            what,
            fix="see that the store answers (endpoint, network), and run the command again; "
            "nothing is lost.",
        )


def pick(found: dict[str, Any]) -> dict[str, Any]:
    """Keep what says how a bucket is reached.

    Examples
    --------
    >>> pick({"url": "s3://data", "endpoint": "http://minio:9000", "else": 1})
    {'endpoint': 'http://minio:9000'}
    """
    return {k: str(v) for k, v in found.items() if k in {"endpoint", "region"}}

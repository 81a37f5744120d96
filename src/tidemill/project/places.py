"""Where a project keeps its state, its tables and its blobs: its folder, or what project.toml says.

``[state] url`` is a PostgreSQL database, ``[events] url`` a bucket that speaks S3 or a folder
that several machines share.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.adapters.spool.logger import spool_folder
from tidemill.core.errors import BadInput, BadValue, Damaged
from tidemill.core.ports import BlobStore, EventStore

if TYPE_CHECKING:
    from tidemill.adapters.spool.inbox import Spool
    from tidemill.adapters.stores.sql import SqlState

_NAME = re.compile(r"\$\{(\w+)\}")
_KNOWN = {
    "state": {"url", "schema"},
    "events": {"url", "endpoint", "region"},
    "spool": {"url", "endpoint", "region"},
}
_TABLES = "s3://bucket/prefix, or a folder that every machine sees"


def read_places(config: dict[str, Any], where: Path) -> dict[str, dict[str, str]]:
    """Read ``[state]``, ``[events]`` and ``[spool]``, with the values of environment variables put in.

    Raises
    ------
    BadInput
        If a key is unknown or no text, or a variable is not set.
    """
    found: dict[str, dict[str, str]] = {}
    for part, known in _KNOWN.items():
        said = config.get(part, {})
        wrong = set(said) - known if isinstance(said, dict) else {part}
        wrong |= (
            {k for k, v in dict(said).items() if not isinstance(v, str)} if not wrong else set()
        )
        if wrong or (said and "url" not in said):
            raise BadInput(
                f"{where}: [{part}] cannot be read: {', '.join(sorted(wrong)) or 'no url'}.",
                fix=f"[{part}] needs a url, and may have {', '.join(sorted(known - {'url'}))}; all texts.",
            )
        found[part] = {k: expanded(v, f"{where}: [{part}] {k}") for k, v in said.items()}
    return found


def expanded(text: str, where: str) -> str:
    """Put the values of environment variables into a text.

    Raises
    ------
    BadInput
        If one is not set.
    """
    missing = [n for n in _NAME.findall(text) if n not in os.environ]
    if missing:
        raise BadInput(
            f"{where} needs the environment variable {missing[0]}, which is not set.",
            fix=f"set {missing[0]}, for instance: export {missing[0]}=...",
        )
    return _NAME.sub(lambda found: os.environ[found[1]], text)


def state_of(folder: Path, config: dict[str, Any]) -> SqlState:
    """Open the state of a project."""
    from tidemill.adapters.stores.sql import SqlState

    said = config["state"]
    if not said:
        path = folder / "state.db"
        # A state comes before the first row; made anew, it would decide everything once more.
        if not (path.exists() and path.stat().st_size) and any(folder.glob("events/*/_delta_log")):
            raise Damaged(
                f"{path} is gone, though there are rows in {folder / 'events'}.",
                fix="restore the folder of the project, all of it, from a backup.",
            )
        return SqlState(path)
    return SqlState(said["url"], schema=said.get("schema") or schema_of(config["salt"]))


def schema_of(salt: str) -> str:
    """Name the schema of a project: of its salt, which no other has and which never changes.

    Examples
    --------
    >>> schema_of("s")
    'tidemill_043a718774c5'
    """
    return f"tidemill_{hashlib.sha256(salt.encode()).hexdigest()[:12]}"


def stores_of(folder: Path, config: dict[str, Any]) -> tuple[EventStore, BlobStore]:
    """Open the tables and the blobs of a project; blobs lie beside tables, as ``store``."""
    from tidemill.adapters.stores.delta import DeltaEvents
    from tidemill.adapters.stores.files import FileBlobs

    said = config["events"]
    if not said:
        return DeltaEvents(folder / "events"), FileBlobs(folder / "store")
    if "://" in said["url"]:
        from tidemill.adapters.stores.objects import BucketBlobs
        from tidemill.adapters.stores.places import Bucket, pick

        place = Bucket(said["url"], **pick(said))
        return DeltaEvents(place, copies=folder / "copies"), BucketBlobs(place / "store")
    shared = folder / said["url"]  # which stays as it is when it is absolute
    return DeltaEvents(shared), FileBlobs(shared / "store")


def spool_of(folder: Path, config: dict[str, Any]) -> Spool:
    """Open the inbox of a project: its spool, one that machines share, or also a bucket.

    Raises
    ------
    BadInput
        If it is said to be what it cannot be.
    """
    from tidemill.adapters.spool.inbox import Spool

    said = config["spool"]
    if not said:
        return Spool(folder / "spool")
    if said["url"].startswith("file:///"):
        return Spool(spool_folder(Path(said["url"].removeprefix("file://"))))
    if not said["url"].startswith(("s3://", "s3a://")):
        raise BadInput(
            f"{said['url']!r} cannot be the url of [spool].",
            fix="write it like s3://bucket/prefix, or file:///folder/that/every/machine/sees.",
        )
    from tidemill.adapters.spool.shipped import ShippedSpool
    from tidemill.adapters.stores.places import Bucket, pick

    return ShippedSpool(folder / "spool", Bucket(said["url"], **pick(said)))


def shares_spool(config: dict[str, Any]) -> bool:
    """Say whether several machines take in from one folder."""
    return str(config["spool"].get("url", "")).startswith("file://")


def here(folder: Path, config: dict[str, Any]) -> str:
    """Name this machine and folder, where several turn one mill; else nothing."""
    return f"{socket.gethostname()}:{folder.resolve()}" if config["state"] else ""


def written(state: str | None, events: str | None) -> str:
    """Write the two sections for a new project.

    Raises
    ------
    BadValue
        If a password would be written down, or one alone would part what belongs together.

    Examples
    --------
    >>> print(written("postgresql://ana:${PGPASSWORD}@db/mill", None), end="")
    <BLANKLINE>
    [state]
    url = "postgresql://ana:${PGPASSWORD}@db/mill"
    """
    text = ""
    for part, url in (("state", state), ("events", events)):
        if url is None:
            continue
        without_secret(part, url)
        text += f'\n[{part}]\nurl = "{url}"\n'
    return text


def without_secret(part: str, url: str) -> None:
    """Refuse to write down an address with a password in it.

    Raises
    ------
    BadValue
        If there is one.
    """
    secret = re.search(r"://[^/@:]*:(?!\$\{\w+\}@)[^@]+@|password=(?!\$\{\w+\}(&|$))", url)
    if secret or any(c in url for c in '"\\\n'):
        raise BadValue(
            f"the url of [{part}] holds a password or a quote, which project.toml would show.",
            fix="name an environment variable: postgresql://user:${PGPASSWORD}@host/database.",
        )

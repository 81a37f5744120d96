"""A file of messages, one line of JSON each: the embedded default, and what tests read."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from tidemill.core.channels import Channel, Message, Undelivered
from tidemill.core.errors import BadValue


class File(Channel):
    """Append each message to a file as one line of JSON; it is on disk when ``send`` returns.

    Several threads and processes may write to the same file. A line that a power cut tore is
    closed by the next one, and :func:`messages` passes over it.

    Parameters
    ----------
    path
        The file; it is made, with its folder, when the first message is sent.

    Examples
    --------
    >>> import tempfile
    >>> from tidemill.core.channels import Message
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "alerts.jsonl"
    ...     File(path).send(Message(key="i7:0:opened", title="ALERT: auc fell"))
    ...     [m.title for m in messages(path)]
    ['ALERT: auc fell']
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    def __repr__(self) -> str:
        return f"File({str(self._path)!r})"

    def send(self, message: Message, /) -> None:
        line = json.dumps(message.document(), sort_keys=True).encode() + b"\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new = not self._path.exists()
            # The messages name records, so only their owner may read them.
            file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                _append(file, line)
            finally:
                os.close(file)
            if new:
                _sync(self._path.parent)
        except OSError as error:
            raise Undelivered(
                f"{self!r} could not be written: {error.strerror}.",
                fix="see whether the disk is full and the folder may be written to.",
            ) from None


def messages(path: str | Path) -> list[Message]:
    """Read the messages of a file, the first of each key, in the order they came.

    Lines that are no message, torn by a power cut or written by something else, are left out.
    """
    found: dict[str, Message] = {}
    path = Path(path)
    if not path.exists():
        return []
    for line in path.read_bytes().split(b"\n"):
        try:
            message = Message(**json.loads(line))
        except (ValueError, TypeError, BadValue):
            continue
        found.setdefault(message.key, message)
    return list(found.values())


def _append(file: int, line: bytes) -> None:
    """Append a line whole or not at all; called by the one who holds the lock."""
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        line = b"\n" + line
    try:
        while line:
            line = line[os.write(file, line) :]
        os.fsync(file)
    except OSError:
        os.ftruncate(file, size)
        raise


def _sync(folder: Path) -> None:
    """Make the name of a new file last, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

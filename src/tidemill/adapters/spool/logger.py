"""The logger: one line in a service, which never waits for a store and never raises."""

from __future__ import annotations

import errno
import logging
import time as clock
import weakref
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from tidemill.adapters.spool.frames import framed
from tidemill.adapters.spool.queued import Queued
from tidemill.adapters.spool.shipping import Shipper
from tidemill.adapters.spool.writer import Forked, Writer
from tidemill.core.errors import BadInput, BadValue

if TYPE_CHECKING:
    from tidemill.core.ports import Objects

Durability = Literal["process", "disk", "memory"]
_DURABILITIES = ("process", "disk", "memory")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EEXIST}
_QUIET = 60.0
"""Seconds between warnings for one reason."""


class Logger:
    """Logs predictions, feedback and labels from a service, for a mill to take in.

    No call raises or waits for a store. What cannot be kept is counted by reason: see
    :meth:`counts`, a warning of :mod:`logging`, and ``tidemill status`` after the next turn.
    Safe from several threads and after a fork.

    Parameters
    ----------
    where
        The folder of the project, or a folder named ``spool`` that its mill reads; or
        ``s3://bucket/prefix``, as ``[spool] url`` of a mill's project.toml says (extra ``s3``).
    model
        The version of your model, for records that name none.
    durability
        When a call may return. ``"process"``: when kill -9 of the process cannot lose the record
        any more. ``"disk"``: when a power cut cannot; calls of several threads share a flush.
        ``"memory"``: at once; a thread writes, and a kill loses what it has not written yet.
    queue
        Records at most that wait to be written under ``"memory"``; more are lost, and counted.
    keep
        For a bucket: the folder of this machine where rows wait until a thread has shipped them;
        one below the temporary folder if left out. Where that does not outlive the machine, as in
        a pod, a kill loses what was not shipped.
    every
        For a bucket: seconds between shipments. :meth:`flush` and :meth:`close` ship too.

    Raises
    ------
    BadInput, BadValue
        Here only: if ``where`` is no folder and no bucket, or there is no such durability.
    MissingExtra
        Here only: for a bucket, if obstore is not installed.

    Examples
    --------
    >>> folder = getfixture("tmp_path")
    >>> with Logger(folder, model="v1") as logger:
    ...     key = logger.log({"distance": 300}, output=1, score=0.7, record_id="a")
    ...     logger.feedback(key, 1, kind="thumb")
    >>> key, logger.counts()["logged"], logger.counts()["lost"]
    ('a', 2, {})
    """

    def __init__(
        self,
        where: str | Path,
        *,
        model: str | None = None,
        durability: Durability = "process",
        queue: int = 10_000,
        keep: str | Path | None = None,
        every: float = 5.0,
    ) -> None:
        if durability not in _DURABILITIES:
            raise BadValue(
                f"there is no durability {durability!r}.",
                fix=f"give one of {', '.join(_DURABILITIES)}.",
            )
        folder, objects = self._reach(str(where), keep)
        self._folder = spool_folder(folder)
        self._model = model
        writer = Writer(self._folder, sync=durability == "disk")
        self._kept, self._writer, self._put = _Kept(writer), writer, writer.put
        self._queue: Queued | None = None
        if durability == "disk":
            self._put = self._through
        elif durability == "memory":
            self._queue = Queued(self._kept.write, queue)
            self._put = self._later
        self._shipper: Shipper | None = None
        if objects is not None:
            self._shipper = Shipper(writer, objects, every=every, warn=self._kept.warn)
            self._put_here, self._put = self._put, self._put_and_ship
            Forked(self._ship_again)
        self._at_end = weakref.finalize(self, _end, self._queue, writer, self._shipper)

    def log(
        self,
        features: Mapping[str, Any],
        *,
        output: Any = None,
        score: Any = None,
        record_id: Any = None,
        unit: Any = None,
        tags: Mapping[str, str] | None = None,
        model: str | None = None,
        time: Any = None,
        latency_ms: float | None = None,
        payload: str | None = None,
    ) -> str:
        """Log one prediction that your service made.

        Parameters
        ----------
        features
            What the model saw.
        output, score
            What it said.
        record_id
            An id of your own; made if left out.
        unit
            Who or what it was about.
        tags
            Texts to tell cohorts apart.
        model
            The version of the model.
        time
            When it was made, with a zone; now if left out.
        latency_ms
            How long the answer took, in milliseconds.
        payload
            Where a picture, a sound or a document lies.

        Returns
        -------
        str
            The id, to give with feedback and labels; also where the record was lost.
        """
        key = ""
        try:
            key = self._writer.new_id() if record_id is None else str(record_id)
            now = clock.time_ns()
            fields = (
                key,
                now if time is None else _moment(time),
                features if isinstance(features, dict) else dict(features),
                output,
                score,
                unit,
                tags if tags is None or isinstance(tags, dict) else dict(tags),
                self._model if model is None else model,
                latency_ms,
                payload,
            )
        except Exception as error:  # noqa: BLE001 - never into the caller
            self._kept.lose("cannot be encoded", error)
            return key
        try:
            self._put(1, fields, now)
        except Exception as error:  # noqa: BLE001 - never into the caller
            self._kept.lose(_reason(error), error)
        return key

    def feedback(
        self,
        record_id: Any,
        value: float | str | bool = True,  # noqa: FBT001, FBT002 - a value, not a switch
        *,
        kind: str = "feedback",
        time: Any = None,
    ) -> None:
        """Say what a user did with an answer: a thumb, a click, a correction."""
        try:
            now = clock.time_ns()
            at = now if time is None else _moment(time)
            self._put(2, (record_id, value, kind, at), now)
        except Exception as error:  # noqa: BLE001 - never into the caller
            self._kept.lose(_reason(error), error)

    def label(self, record_id: Any, label: float | str, *, time: Any = None) -> None:
        """Say what the truth was for a record."""
        try:
            now = clock.time_ns()
            at = now if time is None else _moment(time)
            self._put(3, (record_id, label, at), now)
        except Exception as error:  # noqa: BLE001 - never into the caller
            self._kept.lose(_reason(error), error)

    def flush(self) -> None:
        """Return when all that was logged is on the disk and shipped, or counted as lost."""
        try:
            if self._queue is not None:
                self._queue.flush()
            self._writer.sync()
            if self._shipper is not None:
                self._shipper.ship()
        except Exception as error:  # noqa: BLE001 - never into the caller
            self._kept.warn("not flushed", error)

    def close(self) -> None:
        """Write what waits and close the files; what is logged later is lost, and counted."""
        self._put = self._refuse
        try:
            self._at_end()
        except Exception as error:  # noqa: BLE001 - never into the caller
            self._kept.warn("not closed", error)

    def counts(self) -> dict[str, Any]:
        """Say what this process logged, what it lost by reason, and where it logs to.

        For a bucket also how many rows wait on this machine, those of other processes too.
        """
        own = self._writer.own
        lost = {reason: n for reason, n in own.losses.counts.items() if n}
        return {
            "logged": self._writer.written(),
            "lost": lost,
            "where": str(self._folder),
            **({} if self._shipper is None else {"waiting": self._shipper.waiting()}),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _reach(self, where: str, keep: str | Path | None) -> tuple[Path, Objects | None]:
        """Return the folder to write to, and the bucket to ship to."""
        del keep
        if "://" in where and not where.startswith("file://"):
            raise BadInput(
                f"{where!r} is no folder and no bucket.",
                fix="give the folder of a project, or s3://bucket/prefix.",
            )
        return Path(where.removeprefix("file://")), None

    def _put_and_ship(self, kind: int, fields: tuple[Any, ...], now: int) -> None:
        """Keep the first call of a process, and begin to ship."""
        if self._shipper is not None:
            self._shipper.start()
        self._put = self._put_here
        self._put(kind, fields, now)

    def _ship_again(self) -> None:
        """Let a fork ship for itself."""
        if self._put == self._put_here:
            self._put = self._put_and_ship

    def _through(self, kind: int, fields: tuple[Any, ...], _: int) -> None:
        self._writer.write(*framed(kind, fields))

    def _later(self, kind: int, fields: tuple[Any, ...], _: int) -> None:
        if self._queue is None or not self._queue.put(*framed(kind, fields)):
            self._kept.lose("queue full", None)

    def _refuse(self, *_: object) -> None:
        self._kept.lose("closed", None)


class _Kept:
    """A writer that counts what it cannot keep, instead of raising."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self._warned: dict[str, float] = {}

    def write(self, kind: int, data: bytes) -> None:
        try:
            self.writer.write(kind, data)
        except Exception as error:  # noqa: BLE001 - counted, and told
            self.lose(_reason(error), error)

    def lose(self, reason: str, error: Exception | None) -> None:
        """Count one that is lost; nothing that happens here reaches the caller."""
        try:
            self.writer.lose(reason)
            self.warn(reason, error)
        except Exception:  # noqa: BLE001 - at the end of the interpreter nothing is left to tell
            return

    def warn(self, reason: str, error: Exception | None) -> None:
        """Warn, once a minute for a reason."""
        now = clock.monotonic()
        if now - self._warned.get(reason, -_QUIET) < _QUIET:
            return
        self._warned[reason] = now
        lost = self.writer.own.losses.counts[reason]
        text = "tidemill: %s; %d lost for that in this process (%s)"
        logging.getLogger("tidemill").warning(text, reason, lost, error or self.writer.folder)


def _reason(error: Exception) -> str:
    if not isinstance(error, OSError):
        return "cannot be encoded"
    number = error.errno
    if number in _FULL:
        return "disk full"
    return "not writable" if number in _FORBIDDEN else "other error"


def _moment(time: Any) -> str:
    """Say a time as text, to be read by the mill."""
    return time.isoformat() if isinstance(time, datetime) else str(time)


def _end(queue: Queued | None, writer: Writer, shipper: Shipper | None) -> None:
    if queue is not None:
        queue.close()
    writer.close()
    if shipper is not None:
        shipper.close()


def spool_folder(folder: Path) -> Path:
    """Return the spool of a project's folder, or the folder itself where that is its name."""
    folder = folder.absolute()
    return folder if folder.name == "spool" else folder / "spool"

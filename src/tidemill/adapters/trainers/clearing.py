"""Job folders that go with all that is in them, and the jobs that still run in them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import time
from pathlib import Path

from tidemill.core.errors import Busy
from tidemill.core.failpoints import failpoint

_OLD = 3600.0
"""Seconds in which whoever starts a job has written down that it waits for it."""
_PATIENCE = 10.0
"""Seconds in which a job that was killed lets go of its lock."""


def clear(folder: Path) -> int:
    """End the jobs below a folder and remove theirs; returns how many folders went.

    A job that would go on, and end with what it was given, is killed first: its result must not
    be found in the folder of the one that is started in its place.

    Raises
    ------
    Busy
        If a job cannot be ended.
    """
    found = [path for path in folder.iterdir() if path.is_dir()] if folder.exists() else []
    if found:
        failpoint("job.clear.before")
    for job in found:
        # Its ticket first: without it nobody takes it up.
        (job / "job.json").unlink(missing_ok=True)
        _end(job / "alive")
        shutil.rmtree(job)
    if found:
        failpoint("job.clear.after")
    return len(found)


def kept(folder: Path) -> list[str]:
    """Return the jobs below a folder that were not forgotten, and that nobody touched for an hour."""
    old = time.time() - _OLD
    jobs = [path for path in folder.iterdir() if path.is_dir()] if folder.exists() else []
    return sorted(
        job.name
        for job in jobs
        if job.stat().st_mtime < old and any(one.name != "log.txt" for one in job.iterdir())
    )


def _end(lock: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while locked(lock):
        said = lock.read_text().strip()
        # Held, so the process that wrote its number there is the one that has it.
        if said.isdigit():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(said), signal.SIGKILL)
        if time.monotonic() > end:
            raise Busy(
                f"the job in {lock.parent} does not end.",
                fix="wait until it has, or kill it, and run the same command again.",
            )
        time.sleep(0.01)


def locked(path: Path) -> bool:
    """Tell whether a living process holds the lock of a file."""
    try:
        with path.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False

"""The supervisor of a job: holds it to its limits, keeps what it prints, ends what it leaves.

It is the parent of the child that does the job, and of every process that the job starts and
does not wait for. It goes on when the worker or the mill are killed; when it is killed itself,
the kernel ends the child.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemill.adapters.trainers import processes
from tidemill.adapters.trainers.printed import Printed
from tidemill.adapters.trainers.results import write_result
from tidemill.core.ports import JobResult

LEAVE = 2.0
"""Seconds in which what a job started may tidy up and end by itself, after it."""
_GRACE = 5.0
"""Seconds beyond its limit after which a job ends even without a supervisor."""
_FOREIGN = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
"""Signals by which somebody else ends a job: it is lost, and worth another try."""
_WEIGH = 0.25
"""Seconds between two looks at the memory of a job and all that it started."""
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A job: its folder, its ticket, and the lock that says that it is alive."""

    folder: Path
    ticket: dict[str, Any]
    alive: int


def supervise(job: Watched, do: Callable[[], None]) -> None:
    """Do a job in a child, and end when it and all that it started have ended."""
    os.setsid()
    processes.adopt_orphans()
    # Above all the worker's lock, which says that the worker lives: a job must not hold it.
    most = os.sysconf("SC_OPEN_MAX")
    os.closerange(3, job.alive)
    os.closerange(job.alive + 1, most)
    # Told to whoever looks for what is left of workers that were killed.
    os.write(job.alive, str(os.getpid()).encode())
    out, printed = os.pipe()
    # Its rows and instructions are no memory of its own.
    given = sum(path.stat().st_size for path in job.folder.iterdir() if path.is_file())
    before = given + processes.memory_of([os.getpid()], limit=0)
    pid = os.fork()
    if pid == 0:
        try:
            os.close(out)
            os.close(job.alive)
            _child(job, printed, os.getppid(), do)
        except BaseException:  # noqa: BLE001 - said in its log
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(printed)
    os.set_blocking(out, False)
    status, why = _watch(job, pid, out, before)
    end_without_result(job.folder, os.fstat(job.alive).st_ino, status, why)
    # Without /proc, whatever stayed in its session goes with it.
    if why or sys.platform == "darwin":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    processes.end_below(os.getpid(), grace=0.0 if why else LEAVE)
    os._exit(0)


def end_without_result(folder: Path, number: int, status: int, why: str = "") -> None:
    """Say how a job ended that left no result.

    Parameters
    ----------
    folder
        Where the job lived; one that was collected meanwhile is forgotten, and may have been
        started anew there.
    number
        The inode of its lock, which tells one start from another.
    status, why
        How its process ended, and which limit it broke.
    """
    with contextlib.suppress(OSError):  # then it counts as lost
        if (folder / "alive").stat().st_ino == number and not (folder / "out").exists():
            write_result(folder, _ended(status, why))


def _child(job: Watched, printed: int, parent: int, do: Callable[[], None]) -> None:
    os.setsid()
    processes.die_with(parent)
    # Should there be no supervisor any more, and no kernel that ends the child with it.
    signal.setitimer(signal.ITIMER_REAL, min(float(job.ticket["seconds"]), 1e8) + _GRACE)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, printed), (2, printed)):
        os.dup2(source, target)
    os.close(printed)
    do()
    with contextlib.suppress(OSError, ValueError):  # it may have closed them
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


def _watch(job: Watched, pid: int, out: int, before: int) -> tuple[int, str]:
    """Wait for the child; returns its status, and which limit it broke."""
    log = Printed(job.folder / "log.txt")
    seconds, memory = float(job.ticket["seconds"]), int(job.ticket["memory_mb"])
    limit = before + memory * 2**20
    end, weigh, is_open, why = time.monotonic() + seconds, 0.0, True, ""
    while True:
        select.select([out] if is_open else [], [], [], 0.02)
        is_open = is_open and _read(out, log)
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            _read(out, log)
            log.close()
            return status, why
        now = time.monotonic()
        if now > end:
            why = f"it took longer than the {seconds:g} s it may take"
        elif now > weigh:
            used = processes.memory_of(processes.below(os.getpid()), limit=limit)
            # Where thousands of processes run, a look takes a while.
            weigh = now + max(_WEIGH, 50 * (time.monotonic() - now))
            if used > limit:
                why = f"it, with what it started, needed more than the {memory} MB it may use"
        if why:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _read(out: int, log: Printed) -> bool:
    """Take what was printed; False when nobody can print any more."""
    with contextlib.suppress(BlockingIOError):
        if not (data := os.read(out, _CHUNK)):
            return False
        log.add(data)
    return True


def _ended(status: int, why: str) -> JobResult:
    """Say how a job ended that left no result."""
    if why:
        return JobResult(ok=False, why=why)
    if not os.WIFSIGNALED(status):
        code = os.waitstatus_to_exitcode(status)
        return JobResult(ok=False, why=f"its process ended with exit code {code}, without a result")
    number = os.WTERMSIG(status)
    facts = {"lost": True} if number in _FOREIGN else {}
    return JobResult(ok=False, why=f"its process was killed by signal {number}", facts=facts)

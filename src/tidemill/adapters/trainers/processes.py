"""Processes that a job started: found wherever they hide, and ended.

On Linux a process can ask for the orphans below it (``PR_SET_CHILD_SUBREAPER``), so whatever a
job leaves behind, in sessions of its own too, stays below the one that watches it. Where there
is no ``/proc``, only the process group of the job is known.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Collection, Iterator
from pathlib import Path

MARK = "TIDEMILL_WORKER"
"""The variable of the environment that says below which worker a process was started."""

_PROC = Path("/proc")
_PDEATHSIG, _SUBREAPER = 1, 36
_PATIENCE = 5.0
"""Seconds in which processes that multiply are caught, before the next attempt."""


def adopt_orphans() -> None:
    """Become the parent of whatever is left behind below this process."""
    _prctl(_SUBREAPER, 1)


def die_with(parent: int) -> None:
    """Let the kernel end this process when its parent ends."""
    _prctl(_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # it ended before it was asked
        os._exit(1)


def below(root: int, *, spare: Collection[int] = ()) -> set[int]:
    """Return the living processes below one, but for those spared and all that is below them."""
    above = {pid: parent for pid, parent, state in _all() if state != "Z"}
    return {pid for pid in above if _is_below(pid, root, above, spare)}


def end_below(root: int, *, spare: Collection[int] = (), grace: float = 0.0) -> int:
    """End what is below a process; what ends by itself within ``grace`` seconds is left to.

    Returns
    -------
    int
        How many were ended.
    """
    end = time.monotonic() + grace
    while (found := below(root, spare=spare)) and time.monotonic() < end:
        _reap(root, found)
        time.sleep(0.02)
    ended, until = set[int](), time.monotonic() + _PATIENCE
    while found and time.monotonic() < until:
        _stop(root, found, spare)
        for pid in found:
            _send(pid, signal.SIGKILL)
        ended |= found
        time.sleep(0.005)
        _reap(root, found)
        found = below(root, spare=spare)
    return len(ended)


def end_marked(worker: str, *, spare: Collection[int] = ()) -> int:
    """End what a worker's jobs left when all that watched them were killed too.

    Parameters
    ----------
    worker
        Its name, as the environment of all that it started says.
    spare
        Processes that go on, with all that is below them.

    Returns
    -------
    int
        How many were ended.
    """
    wanted, above = f"{MARK}={worker}".encode(), {p: parent for p, parent, _ in _all()}
    ended = 0
    for pid in above:
        if pid == os.getpid() or any(pid == s or _is_below(pid, s, above) for s in spare):
            continue
        # Of others it cannot be read, and those are none of ours.
        with contextlib.suppress(OSError):
            if wanted in (_PROC / str(pid) / "environ").read_bytes().split(b"\0"):
                ended += _send(pid, signal.SIGKILL)
    return ended


def memory_of(pids: Collection[int], *, limit: int) -> int:
    """Return how many bytes of memory of their own processes use; shared ones count once.

    Parameters
    ----------
    limit
        Below it an upper bound will do, which is cheaper to read.
    """
    most = sum(_kilobytes(pid, "status", ("RssAnon:", "RssShmem:")) for pid in pids) * 1024
    if most <= limit or len(pids) == 1:
        return most
    return sum(_kilobytes(pid, "smaps_rollup", ("Pss_Anon:", "Pss_Shmem:")) for pid in pids) * 1024


def _stop(root: int, found: set[int], spare: Collection[int]) -> None:
    """Let them all stand still, so that none starts another while they are ended."""
    new, until = set(found), time.monotonic() + _PATIENCE
    while new and time.monotonic() < until:
        for pid in new:
            _send(pid, signal.SIGSTOP)
        new = below(root, spare=spare) - found
        found |= new


def _reap(root: int, found: set[int]) -> None:
    if root == os.getpid():
        for pid in found:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _send(pid: int, number: signal.Signals) -> bool:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
        return True
    return False


def _is_below(pid: int, root: int, above: dict[int, int], spare: Collection[int] = ()) -> bool:
    seen = set[int]()
    while pid in above and pid not in seen:
        if pid in spare:
            return False
        seen.add(pid)
        pid = above[pid]
        if pid == root:
            return True
    return False


def _all() -> Iterator[tuple[int, int, str]]:
    """Yield the id, the parent's id and the state of every process."""
    if not _PROC.exists():
        return
    for entry in os.listdir(_PROC):  # noqa: PTH208 - names are enough, and ten times as quick
        if entry.isdigit():
            with contextlib.suppress(OSError):
                # The name before it may hold spaces and brackets.
                said = (_PROC / entry / "stat").read_text(errors="replace").rpartition(")")[2]
                state, parent = said.split()[:2]
                yield int(entry), int(parent), state


def _kilobytes(pid: int, file: str, names: tuple[str, ...]) -> int:
    try:
        lines = (_PROC / str(pid) / file).read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(names))


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(AttributeError, OSError):  # there is none on macOS
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)

"""The worker of the pool: forks a supervisor a job, which forks the child that does it.

Started as ``python -m tidemill.adapters.trainers.worker LOCK``; reads a line of JSON a job from standard
input and writes a byte to standard output when one has ended. It ends when standard input
does and no job runs any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib
import json
import os
import resource
import select
import signal
import traceback
from pathlib import Path
from typing import Any

from tidemill.adapters.trainers import processes
from tidemill.adapters.trainers.pickling import dump, load
from tidemill.adapters.trainers.results import read_arrow, write_result
from tidemill.adapters.trainers.supervisor import Watched, end_without_result, supervise
from tidemill.core.ports import Job, JobResult
from tidemill.core.work import work

_WARM = ("numpy", "pyarrow", "pandas", "sklearn.pipeline")


def main() -> None:
    """Serve jobs until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    processes.adopt_orphans()
    for name in _WARM:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    running: dict[int, tuple[Path, int]] = {}
    pending, is_open = b"", True
    while is_open or running:
        wait = 0.02 if running else 60.0
        ready, _, _ = select.select([0] if is_open else [], [], [], wait)
        if ready:
            data = os.read(0, 65_536)
            is_open = bool(data)
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                order = json.loads(line)
                folder = Path(order["folder"])
                pid, number = _begin(folder, order["digest"])
                running[pid] = (folder, number)
        _reap(running)


def _begin(folder: Path, digest: str) -> tuple[int, int]:
    ticket = json.loads((folder / "job.json").read_text())
    # Locked before the fork, so at no moment does the job look lost.
    alive = os.open(folder / "alive", os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600)
    fcntl.flock(alive, fcntl.LOCK_EX)
    pid = os.fork()
    if pid == 0:
        try:
            watched = Watched(folder=folder, ticket=ticket, alive=alive)
            supervise(watched, lambda: _do(folder, ticket, digest))
        finally:
            os._exit(1)
    number = os.fstat(alive).st_ino
    os.close(alive)
    return pid, number


def _do(folder: Path, ticket: dict[str, Any], digest: str) -> None:
    """Do the job in the child, and write down what became of it."""
    try:
        result = _work(folder, ticket, digest)
        write_result(folder, result)
    except MemoryError:
        why = f"it needed more than the {ticket['memory_mb']} MB it may use"
        write_result(folder, JobResult(ok=False, why=why))
    except BaseException as error:  # noqa: BLE001 - even SystemExit is a result
        traceback.print_exc()
        write_result(folder, JobResult(ok=False, why=f"{type(error).__name__}: {error}"))


def _work(folder: Path, ticket: dict[str, Any], digest: str) -> JobResult:
    pack = (folder / "work.pkl").read_bytes()
    if hashlib.sha256(pack).hexdigest() != digest:
        return JobResult(ok=False, why="its instructions do not match their digest")
    table = folder / "table.arrow"
    rows = read_arrow(table) if table.exists() else None
    _limit_memory(int(ticket["memory_mb"]))
    parts: Any = load(pack)
    job = Job(
        id=ticket["id"],
        kind=ticket["kind"],
        work=parts["work"],
        models=parts["models"],
        table=rows,
        memory_mb=ticket["memory_mb"],
    )
    return work(job, dump, load)


def _limit_memory(megabytes: int) -> None:
    # Private data counts, on top of what the warm worker brought along: mapped libraries and
    # reserved pools do not. Kernels without the limit (macOS) take it as advice.
    with contextlib.suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (_data_bytes() + megabytes * 2**20, hard))


def _data_bytes() -> int:
    status = Path("/proc/self/status")
    text = status.read_text() if status.exists() else ""
    line = next((x for x in text.splitlines() if x.startswith("VmData:")), "VmData: 0 kB")
    return int(line.split()[1]) * 1024


def _reap(running: dict[int, tuple[Path, int]]) -> None:
    for pid, (folder, number) in list(running.items()):
        done, status = os.waitpid(pid, os.WNOHANG)
        if not done:
            continue
        del running[pid]
        if os.WIFSIGNALED(status):
            # What it watched is below this process now.
            processes.end_below(os.getpid(), spare=running)
            end_without_result(folder, number, status)
        with contextlib.suppress(BrokenPipeError):
            os.write(1, b".")


if __name__ == "__main__":
    main()

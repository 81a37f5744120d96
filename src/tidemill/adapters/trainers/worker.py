"""The worker of the pool: forks a child a job, and ends it when it breaks a limit.

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
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from tidemill.adapters.trainers.pickling import dump, load
from tidemill.adapters.trainers.pool import read_arrow, write_arrow
from tidemill.core.ports import Job, JobResult
from tidemill.core.work import work

_GRACE = 5.0
"""Seconds beyond its limit after which a job ends even without a worker."""
_FOREIGN = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
"""Signals by which somebody else ends a job: it is lost, and worth another try."""
_WARM = ("numpy", "pyarrow", "pandas", "sklearn.pipeline")


def main() -> None:
    """Serve jobs until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in _WARM:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    running: dict[int, tuple[Path, float, float]] = {}
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
                pid, limit = _begin(Path(order["folder"]), order["digest"])
                running[pid] = (Path(order["folder"]), time.monotonic() + limit, limit)
        _reap(running)


def _begin(folder: Path, digest: str) -> tuple[int, float]:
    ticket = json.loads((folder / "job.json").read_text())
    # Locked before the fork, so at no moment does the job look lost.
    alive = os.open(folder / "alive", os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(alive, fcntl.LOCK_EX)
    pid = os.fork()
    if pid == 0:
        try:
            _child(folder, ticket, digest)
        finally:
            os._exit(1)
    os.close(alive)
    return pid, float(ticket["seconds"])


def _child(folder: Path, ticket: dict[str, Any], digest: str) -> None:
    os.setsid()
    # The worker ends a job that takes too long. Should the worker be gone, the kernel does.
    signal.setitimer(signal.ITIMER_REAL, min(float(ticket["seconds"]), 1e8) + _GRACE)
    log = os.open(folder / "log.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    try:
        result = _work(folder, ticket, digest)
        write_result(folder, result)
    except MemoryError:
        why = f"it needed more than the {ticket['memory_mb']} MB it may use"
        write_result(folder, JobResult(ok=False, why=why))
    except BaseException as error:  # noqa: BLE001 - even SystemExit is a result
        traceback.print_exc()
        write_result(folder, JobResult(ok=False, why=f"{type(error).__name__}: {error}"))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


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


def write_result(folder: Path, result: JobResult) -> None:
    """Write a result whole: the folder ``out`` is there with everything in it, or not at all."""
    part, out = folder / "out.part", folder / "out"
    if out.exists():
        return
    # A child that was killed may have left a part of its own.
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    if result.model is not None:
        (part / "model.bin").write_bytes(result.model)
    for name, table in result.tables.items():
        write_arrow(part / f"{name}.arrow", table)
    said = {"ok": result.ok, "why": result.why, "facts": result.facts}
    (part / "result.json").write_text(json.dumps(said))
    part.rename(out)


def _reap(running: dict[int, tuple[Path, float, float]]) -> None:
    for pid, (folder, deadline, limit) in list(running.items()):
        done, status = os.waitpid(pid, os.WNOHANG)
        why = ""
        if not done and time.monotonic() > deadline:
            # The child leads a session of its own: whatever it started goes with it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            done, why = pid, f"it took longer than the {limit:g} s it may take"
        if not done:
            continue
        del running[pid]
        # Without a ticket it was collected and forgotten before its end was seen here.
        if not (folder / "out").exists() and (folder / "job.json").exists():
            write_result(folder, _ended(status, why))
        with contextlib.suppress(BrokenPipeError):
            os.write(1, b".")


def _ended(status: int, why: str) -> JobResult:
    """Say how a job ended that left no result."""
    if why or not os.WIFSIGNALED(status):
        return JobResult(ok=False, why=why or "its process is gone")
    number = os.WTERMSIG(status)
    facts = {"lost": True} if number in _FOREIGN else {}
    return JobResult(ok=False, why=f"its process was killed by signal {number}", facts=facts)


if __name__ == "__main__":
    main()

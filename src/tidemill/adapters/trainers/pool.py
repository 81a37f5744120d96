"""A warm pool: one process imports what training needs, once, and forks a child for each job.

A job lives in a folder of its own. It goes on when the mill that started it ends or is
killed; whoever turns next finds the result, or finds that the job is lost: two file locks,
held by the worker and by the job's supervisor and released by the kernel, tell the difference.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import select
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

from tidemill.adapters.trainers import clearing, processes
from tidemill.adapters.trainers.pickling import dump
from tidemill.adapters.trainers.results import full, read_result, reserve, write_arrow
from tidemill.core.errors import BadValue
from tidemill.core.failpoints import failpoint
from tidemill.core.ports import Job, JobResult

_left: list[subprocess.Popen[bytes]] = []
"""Workers that go on without us, held so that Python does not take them for forgotten."""
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class ProcessPool:
    """Runs jobs in child processes, with limits of time and memory.

    Parameters
    ----------
    folder
        Where jobs live, one folder each; ``log.txt`` in it holds all that the job printed.
    path
        Folders from which the user's code imports.
    """

    def __init__(self, folder: Path, *, path: tuple[str, ...] = ()) -> None:
        self._folder = folder
        self._path = path
        self._worker: subprocess.Popen[bytes] | None = None
        self._name = ""

    def start(self, job: Job) -> None:
        folder = self._of(job.id)
        found = self.poll(job.id)
        if found is None or not found.facts.get("lost"):
            return
        failpoint(f"job.{job.kind}.before")
        pack = dump({"work": job.work, "models": dict(job.models)})
        try:
            worker = self._prepare(folder, job, pack)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise full(folder) from error
            raise
        failpoint(f"job.{job.kind}.written")
        if worker.stdin is not None:
            line = {"folder": str(folder), "digest": hashlib.sha256(pack).hexdigest()}
            # A worker that has just died leaves the job lost, as one that dies a moment later.
            with contextlib.suppress(BrokenPipeError):
                worker.stdin.write(json.dumps(line).encode() + b"\n")
                worker.stdin.flush()
        failpoint(f"job.{job.kind}.after")

    def _prepare(self, folder: Path, job: Job, pack: bytes) -> subprocess.Popen[bytes]:
        """Write down all that a job needs; its ticket comes last."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        reserve(folder)
        (folder / "work.pkl").write_bytes(pack)
        if job.table is not None:
            write_arrow(folder / "table.arrow", job.table)
        worker = self._warm()
        ticket = {
            "id": job.id,
            "kind": job.kind,
            "seconds": job.seconds,
            "memory_mb": job.memory_mb,
            "worker": self._name,
        }
        part = folder / "job.part"
        part.write_text(json.dumps(ticket))
        part.rename(folder / "job.json")
        return worker

    def poll(self, job_id: str) -> JobResult | None:
        folder = self._of(job_id)
        result = read_result(folder)
        if result is not None:
            return result
        if not self._lost(folder):
            return None
        # It may have ended between the two looks.
        lost = JobResult(ok=False, why="its process disappeared", facts={"lost": True})
        return read_result(folder) or lost

    def wait(self, seconds: float) -> None:
        out = self._worker.stdout if self._worker else None
        if out is None:
            select.select([], [], [], min(seconds, 0.2))
            return
        ready, _, _ = select.select([out], [], [], min(seconds, 1.0))
        if ready and not os.read(out.fileno(), 65_536):
            # The worker is gone, its jobs may go on.
            select.select([], [], [], min(seconds, 0.2))

    def forget(self, job_id: str) -> None:
        folder = self._of(job_id)
        if folder.exists():
            failpoint("job.forget.before")
            # The ticket first: without it the worker writes no result of its own.
            (folder / "job.json").unlink(missing_ok=True)
            for entry in folder.iterdir():
                if entry.name != "log.txt":
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            failpoint("job.forget.after")

    def kept(self) -> list[str]:
        return clearing.kept(self._folder)

    def clear(self) -> int:
        return clearing.clear(self._folder)

    def log(self, job_id: str) -> str:
        """Return what a job printed."""
        path = self._of(job_id) / "log.txt"
        return path.read_text(errors="replace") if path.exists() else ""

    def close(self) -> None:
        """Let the worker end when its jobs have; a job still running goes on."""
        if self._worker is not None:
            for pipe in (self._worker.stdin, self._worker.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
            # One that still works on a job ends by itself after it.
            try:
                self._worker.wait(timeout=1)
            except subprocess.TimeoutExpired:
                self._worker.returncode = 0  # left to itself on purpose, so no warning
            if self._worker.poll() is None:
                _left.append(self._worker)
            self._worker = None

    def _of(self, job_id: str) -> Path:
        if not _ID.fullmatch(job_id):
            raise BadValue(f"{job_id!r} names no job.", fix="use letters, digits, '.', '-', '_'.")
        return self._folder / job_id

    def _warm(self) -> subprocess.Popen[bytes]:
        if self._worker is not None and self._worker.poll() is None:
            return self._worker
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._folder.glob(".worker-*"):
            if not clearing.locked(old):
                # Jobs that were killed together with it may have left something running.
                processes.end_marked(old.name, spare=self._supervisors())
                old.unlink(missing_ok=True)
        self._name = f".worker-{uuid.uuid4().hex}"
        lock = (self._folder / self._name).open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        hidden = ("TIDEMILL_FAILPOINT", "TIDEMILL_FAILPOINT_LOG")
        env = {k: v for k, v in os.environ.items() if k not in hidden}
        env[processes.MARK] = self._name
        env["PYTHONPATH"] = os.pathsep.join([*self._path, *filter(None, [env.get("PYTHONPATH")])])
        # Threads that wait must not burn the processor that another fit needs.
        env.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        # The worker inherits the lock and so holds it for as long as it lives.
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "tidemill.adapters.trainers.worker", str(lock.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(lock.fileno(),),
            start_new_session=True,
            env=env,
        )
        lock.close()
        return self._worker

    def _supervisors(self) -> list[int]:
        """Return the processes that watch over jobs that go on."""
        running = [path for path in self._folder.glob("*/alive") if clearing.locked(path)]
        return [int(said) for path in running if (said := path.read_text()).isdigit()]

    def _lost(self, folder: Path) -> bool:
        try:
            ticket = json.loads((folder / "job.json").read_text())
        except (FileNotFoundError, ValueError):
            return True
        return not clearing.locked(self._folder / ticket["worker"]) and not clearing.locked(
            folder / "alive"
        )

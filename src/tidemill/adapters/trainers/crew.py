"""A crew: a few warm processes that do many short jobs, each served by a thread of its own.

A process of its own for each thread, rather than one pool for all: when a job takes its
process along, it is known whose it was, and nobody else's work is lost.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue

from tidemill.adapters.trainers import processes
from tidemill.adapters.trainers.kept import result_of
from tidemill.adapters.trainers.shared_worker import READY, WARM, job_bytes
from tidemill.core.errors import NotAllowed
from tidemill.core.ports import Job, JobResult
from tidemill.core.work import reason

Ended = Callable[[str, Job, JobResult, float], None]
_LOOK = 1.0
"""Seconds between two looks whether a silent process is still there."""
_START = 300.0
"""Seconds in which a process must have come up; a busy machine may take a while."""


class Crew:
    """Does jobs in processes that are kept warm.

    Parameters
    ----------
    size
        How many processes.
    ended
        Told, from a thread, of each job that ended: its key, the job, what became of it, and
        how many seconds it took.
    """

    def __init__(self, size: int, ended: Ended) -> None:
        self._ended = ended
        self._orders: SimpleQueue[tuple[str, Job] | None] = SimpleQueue()
        self._open = threading.Lock()
        self._closed = False
        self._processes: set[_Process] = set()
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(size)]
        for thread in self._threads:
            thread.start()

    def submit(self, key: str, job: Job) -> None:
        """Do a job as soon as a process is free."""
        if self._closed:
            raise NotAllowed("no job can be done any more.", fix="close the work at the end.")
        self._orders.put((key, job))

    def close(self) -> None:
        """End all processes, also those that work."""
        with self._open:
            self._closed = True
            for process in self._processes:
                process.kill()
        for _ in self._threads:
            self._orders.put(None)
        for thread in self._threads:
            thread.join(timeout=10)

    def _serve(self) -> None:
        process: _Process | None = None
        while (order := self._orders.get()) is not None and not self._closed:
            key, job = order
            start = time.perf_counter()
            try:
                frame = job_bytes(job)
                if process is None or not process.alive():
                    self._release(process)
                    process = self._engage()
                # The time a process needs to come up is nobody's.
                start = time.perf_counter()
                result = result_of(process.ask(frame, job.seconds))
            except _GoneError as gone:
                self._release(process)
                process, result = None, JobResult(ok=False, why=str(gone))
            except Exception as error:  # noqa: BLE001 - work that cannot travel, by any error
                result = JobResult(ok=False, why=f"it cannot go to a worker: {reason(error)}")
            if not self._closed:
                self._ended(key, job, result, time.perf_counter() - start)
        self._release(process)

    def _engage(self) -> _Process:
        with self._open:
            if self._closed:
                raise _GoneError("the replay has ended")
            process = _Process()
            self._processes.add(process)
        try:
            process.greet()
        except _GoneError:
            self._release(process)
            raise
        return process

    def _release(self, process: _Process | None) -> None:
        if process is not None:
            with self._open:
                self._processes.discard(process)
            process.end()


class _GoneError(Exception):
    """A process is gone, and why."""


class _Process:
    """One warm process and the socket to it."""

    def __init__(self) -> None:
        here, there = socket.socketpair()
        hidden = ("TIDEMILL_FAILPOINT", "TIDEMILL_FAILPOINT_LOG")
        env = {k: v for k, v in os.environ.items() if k not in hidden}
        self._name = env[processes.MARK] = f"crew-{uuid.uuid4().hex}"
        # What can be imported here can be imported there.
        env["PYTHONPATH"] = os.pathsep.join(p or str(Path.cwd()) for p in sys.path)
        # Threads that wait must not burn the processor that another fit needs.
        env.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        module = "tidemill.adapters.trainers.shared_worker"
        warm = [name for name in WARM if name in sys.modules]
        with there:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(there.fileno()), *warm],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(there.fileno(),),
                start_new_session=True,
                env=env,
            )
        self._link = Connection(here.detach())

    def greet(self) -> None:
        """Wait until it has come up."""
        if self._answer(_START) != READY:
            raise _GoneError("its process did not start as it should")

    def ask(self, frame: bytes, seconds: float) -> bytes:
        """Have a job done; ``_GoneError`` when the process ended over it."""
        with contextlib.suppress(OSError):  # it is gone, as its answer will say
            self._link.send_bytes(frame)
        return self._answer(seconds)

    def _answer(self, seconds: float) -> bytes:
        deadline = time.monotonic() + seconds
        try:
            while not self._link.poll(max(0.0, min(_LOOK, deadline - time.monotonic()))):
                if time.monotonic() >= deadline:
                    self.kill()
                    raise _GoneError(f"it took longer than the {seconds:g} s it may take")
                # A process that it left behind may hold the socket open.
                if not self.alive() and not self._link.poll(0):
                    break
            else:
                return self._link.recv_bytes()
        except (EOFError, OSError):
            pass
        raise _GoneError(self._how_it_ended())

    def _how_it_ended(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        code = self._process.returncode
        if code is None:
            return "its process answers no more"
        if code < 0:
            hint = ", perhaps for want of memory" if -code == signal.SIGKILL else ""
            return f"its process was killed by signal {-code}{hint}"
        return f"its process ended with exit code {code}"

    def alive(self) -> bool:
        """Tell whether the process is there."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it, with whatever it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> None:
        """End it and let go of all that belongs to it."""
        self.kill()
        self._process.wait()
        # What left its group; it may have ended by itself, and nobody then knows what was below.
        processes.end_marked(self._name)
        self._link.close()

"""A fork server that tells the crash story: a run costs no start-up.

Run as a program it imports all there is to import, then forks a child for each line of JSON on
standard input, and answers with how the child ended.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

from crash_story import look, tell

from tidemill.adapters.trainers import pool, worker


class Forked:
    """Stands in for a started worker: forked from a warm process, with the same pipes."""

    door: socket.socket

    def __init__(self, command: list[str], *, pass_fds: tuple[int, ...], **_: Any) -> None:
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        socket.send_fds(self.door, [b"w"], [theirs_in, theirs_out, *pass_fds])
        self.pid = int(self.door.recv(32))
        os.close(theirs_in)
        os.close(theirs_out)
        self.stdin, self.stdout = os.fdopen(ours_in, "wb"), os.fdopen(ours_out, "rb")

    def poll(self) -> int | None:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 1
        return None

    def wait(self, timeout: float) -> int:
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                raise pool.subprocess.TimeoutExpired("worker", timeout)
            time.sleep(0.005)
        return 1


def _nursery() -> socket.socket:
    """Fork a process that forks workers, while nothing has started a thread yet."""
    ours, theirs = socket.socketpair()
    if os.fork():
        theirs.close()
        return ours
    ours.close()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, fds, _, _ = socket.recv_fds(theirs, 1, 8)
        if not message:
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            theirs.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            os.dup2(fds[0], 0)
            os.dup2(fds[1], 1)
            for fd in fds[:2]:
                os.close(fd)
            try:
                worker.main()
            finally:
                os._exit(0)
        for fd in fds:
            os.close(fd)
        theirs.send(str(pid).encode())


def _child(order: dict[str, Any]) -> None:
    """Tell a story in a forked process; its result goes to a file."""
    root = Path(order["root"])
    if order.get("forked", True):
        Forked.door = _nursery()
        # For the pool alone: git and others are still started as they are.
        theirs = types.ModuleType("subprocess")
        vars(theirs).update(vars(subprocess), Popen=Forked)
        pool.subprocess = theirs
    tale = tell(root, order["plot"], upto=order.get("upto"))
    found = look(tale) if order.get("look", True) else {}
    tale.close()
    part = root / "result.part"
    part.write_text(json.dumps(found))
    part.replace(root / "result.json")


def _begin(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        os.environ.update(order.get("env", {}))
        log = os.open(Path(order["root"]) / "said.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _child(order)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - told by the exit code and the log
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def serve() -> None:
    """Fork a child for each order; answer with how it ended."""
    import pandas as pd  # noqa: F401 - warm
    import sklearn.linear_model  # noqa: F401 - warm

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        order = json.loads(line)
        pid = _begin(order)
        end = time.monotonic() + order.get("kill_after", 1e9)
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                break
            if time.monotonic() >= end:
                os.kill(pid, signal.SIGKILL)
                _, status = os.waitpid(pid, 0)
                break
            time.sleep(0.002)
        sys.stdout.write(json.dumps({"code": os.waitstatus_to_exitcode(status)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()

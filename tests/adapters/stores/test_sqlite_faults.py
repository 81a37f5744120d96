"""SQLite under stress: locked by others, a holder that stands still, a schema of another time."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tidemill.adapters.stores.sql import SqlState
from tidemill.core.errors import Busy


@contextmanager
def locked(path: Path, *, seconds: float = 0.0) -> Generator[None]:
    """Hold the file as a backup program or a browser of databases does."""
    other = sqlite3.connect(path, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    later = threading.Timer(seconds, other.rollback)
    if seconds:
        later.start()
    yield
    if seconds:
        later.join()
    other.close()


def test_a_file_that_another_program_locks_for_a_moment_is_waited_for(tmp_path) -> None:
    state = SqlState(tmp_path / "state.db")
    with state.lease("one") as lease, locked(tmp_path / "state.db", seconds=0.3):
        begin = time.monotonic()
        state.set_fact(lease, "asked", "ada")
        assert time.monotonic() - begin > 0.1
    assert state.fact("asked") == "ada"
    state.close()


def test_a_file_that_another_program_keeps_locked_is_told_in_one_line(tmp_path) -> None:
    path = tmp_path / "state.db"
    state = SqlState(path, patience=0.1)
    state.add_row("book", "a", {})
    writes = (lambda: state.add_row("book", "b", {}), lambda: state.lease("two").__enter__())
    with state.lease("one") as lease:
        calls = (*writes[:1], lambda: state.set_fact(lease, "asked", "ada"))
        with locked(path):
            for call in calls:
                with pytest.raises(Busy, match=r"state\.db locked\. Fix: close it") as said:
                    call()
                assert "\n" not in str(said.value)
            assert state.rows("book") == [{}], "who only reads is not kept waiting"
    with locked(path), pytest.raises(Busy, match="another program holds"):
        writes[1]()
    with state.lease("one") as lease:  # the lock file was let go of again
        state.set_fact(lease, "asked", "ben")
    state.close()


def test_a_new_file_that_is_locked_from_the_start_is_told_in_one_line(tmp_path) -> None:
    path = tmp_path / "state.db"
    sqlite3.connect(path).close()
    with locked(path), pytest.raises(Busy, match=r"locked\. Fix: close it"):
        SqlState(path, patience=0.1)


HOLDER = """
import sys
from pathlib import Path
from tidemill.adapters.stores.sql import SqlState
from tidemill.core.errors import Busy
state = SqlState(Path(sys.argv[1]))
with state.lease("one") as lease:
    print("held", flush=True)
    sys.stdin.readline()
    try:
        state.set_fact(lease, "asked", "one")
        print("written")
    except Busy as error:
        print(error)
"""


@contextmanager
def holder(path: Path) -> Generator[subprocess.Popen[str]]:
    """Start a process that takes the lease, and is then stopped."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        os.kill(process.pid, signal.SIGSTOP)
        while Path(f"/proc/{process.pid}/stat").read_text().split()[2] != "T":
            time.sleep(0.01)
        yield process
        process.kill()


@pytest.mark.skipif(sys.platform == "darwin", reason="there is no /proc")
def test_a_holder_that_stands_still_is_told_as_such_and_goes_on_when_woken(tmp_path) -> None:
    path = tmp_path / "state.db"
    with holder(path) as process:
        state = SqlState(path)
        with pytest.raises(Busy, match=rf"stands still.*kill -CONT {process.pid}"):
            state.lease("two").__enter__()
        os.kill(process.pid, signal.SIGCONT)
        assert process.communicate("go\n")[0] == "written\n"
    with state.lease("two"):
        assert state.fact("asked") == "one"
    state.close()


@pytest.mark.skipif(sys.platform == "darwin", reason="there is no /proc")
def test_a_holder_that_wakes_after_it_was_taken_over_from_changes_nothing(tmp_path) -> None:
    path = tmp_path / "state.db"
    with holder(path) as process:
        path.with_suffix(".lock").unlink()  # somebody who did not want to wait
        state = SqlState(path)
        with state.lease("two") as lease:
            state.set_fact(lease, "asked", "two")
            os.kill(process.pid, signal.SIGCONT)
            said = process.communicate("go\n")[0]
        assert said.startswith("another process took over this project meanwhile. Fix:")
    assert state.fact("asked") == "two"
    state.close()
